package window

import (
	"encoding/json"
	"errors"
	"math"
	"time"
)

// Mean is the average of a number over a window of time, in buckets. It
// answers exactly as Knative's aggregation.TimedFloat64Buckets does, partial
// windows included; the one difference is that a value which is not finite is
// dropped, where Knative's window would stay NaN for good.
type Mean struct {
	granularity, window time.Duration
	// buckets is a ring indexed by bucketIndex modulo its length.
	buckets []float64
	// firstWrite and lastWrite are bucket times: of the first write since the
	// last gap as long as the window, and of the newest write.
	firstWrite, lastWrite time.Time
}

// NewMean returns an empty window. The granularity is the width of a bucket in
// whole seconds, at least one; a window shorter than a bucket is one bucket.
func NewMean(window, granularity time.Duration) *Mean {
	g := wholeSeconds(granularity)
	return &Mean{granularity: g, window: window, buckets: make([]float64, bucketCount(window, g))}
}

// Record adds v to the bucket of now. Buckets skipped since the last write
// count as zero; after a gap as long as the window the average starts anew.
// A value older than the window, or not finite, is dropped.
func (m *Mean) Record(now time.Time, v float64) {
	if b := m.bucket(now, v); b != nil {
		*b += v
	}
}

// Set makes v the value of the bucket of now, whatever was there. Use it for a
// total which is measured several times within one bucket: the newest counts.
func (m *Mean) Set(now time.Time, v float64) {
	if b := m.bucket(now, v); b != nil {
		*b = v
	}
}

// bucket moves the window forward to now and returns its bucket, or nil when
// the value has no place in the window.
func (m *Mean) bucket(now time.Time, v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	t := now.Truncate(m.granularity)
	if !t.Equal(m.lastWrite) {
		if !t.Add(m.window).After(m.lastWrite) {
			return nil
		}
		if m.firstWrite.IsZero() || m.firstWrite.After(t) {
			m.firstWrite = t
		}
		if t.After(m.lastWrite) {
			m.advance(t)
		}
	}
	return m.at(bucketIndex(now, m.granularity))
}

// advance makes t the time of the newest bucket and clears what it passes.
func (m *Mean) advance(t time.Time) {
	if t.Sub(m.lastWrite) >= m.window {
		m.firstWrite = t
		clear(m.buckets)
	} else {
		for i := bucketIndex(m.lastWrite, m.granularity) + 1; i <= bucketIndex(t, m.granularity); i++ {
			*m.at(i) = 0
		}
	}
	m.lastWrite = t
}

func (m *Mean) at(index int64) *float64 {
	n := int64(len(m.buckets))
	return &m.buckets[(index%n+n)%n]
}

// IsEmpty reports whether nothing was recorded for longer than the window.
func (m *Mean) IsEmpty(now time.Time) bool {
	return now.Truncate(m.granularity).Sub(m.lastWrite) > m.window
}

// WindowAverage is the mean of the buckets that the window covers at now,
// rounded to six digits. With less than a window of history it is the mean
// over that history; buckets since the last write are left out, not counted as
// zero; after a whole window of silence it is 0, so ask IsEmpty first.
func (m *Mean) WindowAverage(now time.Time) float64 {
	last, silent := bucketIndex(m.lastWrite, m.granularity), int64(0)
	if now.Truncate(m.granularity).After(m.lastWrite) {
		silent = bucketIndex(now, m.granularity) - last
	}
	valid := int64(len(m.buckets)) - silent
	sum, size := 0., int64(len(m.buckets))
	at := (last%size + size) % size
	for range valid {
		sum += m.buckets[at]
		if at--; at < 0 { // cheaper than a remainder for each
			at = size - 1
		}
	}
	n := min(int64(m.lastWrite.Sub(m.firstWrite)/m.granularity)+1, valid)
	if n < 1 { // silent for the whole window
		return 0
	}
	return round6(sum / float64(n))
}

// WeightedAverage is the exponentially weighted mean of the same buckets, as
// Knative's aggregation.WeightedFloat64Buckets computes it: each bucket weighs
// less than the next by a factor chosen so that the window holds 99.99% of the
// weight, and at most 0.8. A bucket without a write counts as zero.
func (m *Mean) WeightedAverage(now time.Time) float64 {
	if m.IsEmpty(now) {
		return 0
	}
	const precision, minCoefficient = 0.9999, 0.2
	n := int64(len(m.buckets))
	c := max(1-math.Pow(1-precision, 1/float64(n)), minCoefficient)
	weight := c
	if now = now.Truncate(m.granularity); now.After(m.lastWrite) {
		silent := int64(now.Sub(m.lastWrite) / m.granularity)
		weight *= math.Pow(1-c, float64(silent))
		n -= silent
	}
	last, avg := bucketIndex(m.lastWrite, m.granularity), 0.
	for i := range max(n, 0) {
		avg += *m.at(last - i) * weight
		weight *= 1 - c
	}
	return avg
}

// Resize changes the window's length and keeps the buckets that fit, unless
// nothing was recorded for longer than the old window. As in Knative, a kept
// history then counts as one full old window.
func (m *Mean) Resize(now time.Time, window time.Duration) {
	if window == m.window {
		return
	}
	old := *m
	m.window, m.buckets = window, make([]float64, bucketCount(window, m.granularity))
	if old.IsEmpty(now) {
		m.firstWrite = time.Time{}
		return
	}
	last := bucketIndex(m.lastWrite, m.granularity)
	for i := range int64(min(len(m.buckets), len(old.buckets))) {
		*m.at(last - i) = *old.at(last - i)
	}
	m.firstWrite = m.lastWrite.Add(-time.Duration(len(old.buckets)-1) * m.granularity)
}

// round6 hides the noise of adding floats. Above 1e9 a float64 has no six
// decimals to round to.
func round6(f float64) float64 {
	if math.Abs(f) > 1e9 {
		return f
	}
	return math.Round(f*1e6) / 1e6
}

// meanJSON is Mean as it is stored.
type meanJSON struct {
	Seconds    int64         `json:"seconds"`
	Window     time.Duration `json:"window"`
	Buckets    []float64     `json:"buckets"`
	FirstWrite time.Time     `json:"firstWrite,omitzero"`
	LastWrite  time.Time     `json:"lastWrite,omitzero"`
}

// MarshalJSON writes the window with its buckets.
func (m *Mean) MarshalJSON() ([]byte, error) {
	return json.Marshal(meanJSON{int64(m.granularity / time.Second), m.window, m.buckets, m.firstWrite, m.lastWrite})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses a window whose
// buckets do not fit its length.
func (m *Mean) UnmarshalJSON(b []byte) error {
	var j meanJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	g := time.Duration(j.Seconds) * time.Second
	if j.Seconds < 1 || g/time.Second != time.Duration(j.Seconds) || len(j.Buckets) != bucketCount(j.Window, g) {
		return errors.New("window: the number of buckets does not fit window and seconds")
	}
	*m = Mean{granularity: g, window: j.Window, buckets: j.Buckets, firstWrite: j.FirstWrite, lastWrite: j.LastWrite}
	return nil
}
