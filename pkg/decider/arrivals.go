package decider

import (
	"math"
	"time"
)

// Arrivals are cut into bins; an hour of them is remembered.
const (
	binWidth   = 10 * time.Second
	binSeconds = 10.0
	binsKept   = 360
	// longestGap is the longest silence that is spread over its bins; after a
	// longer one they are unknown.
	longestGap = 12
	// noCount marks a bin or a counter that is not known.
	noCount = -1
)

// arrivals is the history of the requests that reached a revision.
type arrivals struct {
	// Counter is the total as last told at At, noCount before.
	Counter float64   `json:"counter"`
	At      time.Time `json:"at,omitzero"`
	// Index numbers the open bin, whose requests so far are Open.
	Index int64   `json:"index"`
	Open  float64 `json:"open"`
	// Told tells that something is known of the open bin.
	Told bool `json:"told,omitempty"`
	// Bins holds the closed bins up to Index-1, oldest first; noCount is unknown.
	Bins []float32 `json:"bins,omitempty"`
}

func newArrivals(now time.Time) arrivals {
	return arrivals{Counter: noCount, Index: binOf(now), At: now}
}

func binOf(t time.Time) int64 { return t.Unix() / int64(binWidth/time.Second) }

// advance closes the bins before now and adds what has arrived since the last
// call. It reports whether a bin was closed. Bins is replaced, never written.
func (a arrivals) advance(obs Observation) (arrivals, bool) {
	if obs.Time.Before(a.At) {
		return a, false // a clock that went back: wait for it
	}
	count, known := a.since(obs)
	passed := binOf(obs.Time) - a.Index
	a.At = obs.Time
	if passed <= 0 {
		a.Open += count
		a.Told = a.Told || known
		return a, false
	}
	return a.closeBins(passed, count, known), true
}

// since is the number of requests since the last call: what the counter gained,
// or without one the rate of requests that ended.
func (a *arrivals) since(obs Observation) (count float64, known bool) {
	total := within(obs.Arrivals, 1e15)
	before := a.Counter
	a.Counter = noCount
	if total.Known() {
		a.Counter = float64(total)
		if before >= 0 && a.Counter >= before {
			return a.Counter - before, true
		}
		return 0, false // the first, or one that began anew
	}
	if rate := newest(obs.RPS); rate.Known() {
		return max(0, float64(rate)) * min(obs.Time.Sub(a.At).Seconds(), longestGap*binSeconds), true
	}
	return 0, false
}

// closeBins ends the open bin and those that passed without a call; a count
// over a short gap is spread evenly.
func (a arrivals) closeBins(passed int64, count float64, known bool) arrivals {
	bins := make([]float32, 0, binsKept)
	keep := int(max(0, binsKept-passed))
	bins = append(bins, a.Bins[max(0, len(a.Bins)-keep):]...)
	share := count / float64(passed)
	for i := range min(passed, binsKept) {
		switch {
		case !known && passed > 1, passed > longestGap:
			bins = append(bins, noCount)
		case i == 0 && !known && !a.Told:
			bins = append(bins, noCount)
		case i == 0:
			bins = append(bins, float32(a.Open+share))
		default:
			bins = append(bins, float32(share))
		}
	}
	a.Bins = bins
	a.Index += passed
	a.Open, a.Told = 0, known
	return a
}

// level is requests per second expected next, as of the end of bin i (counted
// in Bins): the mean over a minute, or nearer to that over its second half when
// that is more. It is not known without a known bin.
func (a arrivals) level(i int) (perSecond float64, known bool) {
	long, some := a.mean(i, 6)
	short, _ := a.mean(i, 3)
	if short > long {
		long = (long + short) / 2
	}
	return long / binSeconds, some
}

// mean is the mean of the n bins up to i, unknown ones left out.
func (a arrivals) mean(i, n int) (perBin float64, known bool) {
	sum, count := 0.0, 0
	for _, b := range a.Bins[max(0, i+1-n):max(0, i+1)] {
		if b >= 0 {
			sum += float64(b)
			count++
		}
	}
	if count == 0 {
		return 0, false
	}
	return sum / float64(count), true
}

// The envelope is how much the level grew within a lead time, over half an
// hour of it.
const (
	envelopeBins  = 180
	envelopeLeast = 60 // bins, before which envelopeEarly holds
	envelopeEarly = 1.1
	// What grew more than envelopeMost is taken to have grown so much.
	envelopeMost = 1.5
	// A level is like another within likeLevel of it; likeLeast of them suffice.
	likeLevel, likeLeast = 1.4, 20
)

// growth fills in by what factors levels like the present one came to change
// within lead bins, and returns how many there are. What follows on a low level
// says little of what follows on a high one: after a burst comes no larger one.
func (a arrivals) growth(lead int, factors *[envelopeBins]float64) int {
	last := len(a.Bins) - 1
	present, _ := a.level(last)
	var like [envelopeBins]float64
	n, alike := 0, 0
	for i := max(last-envelopeBins+1, lead); i <= last; i++ {
		then, known := a.level(i - lead)
		now, also := a.mean(i, 6)
		if !known || !also || then <= 0 {
			continue
		}
		factors[n] = min(now/binSeconds/then, envelopeMost)
		if then < present*likeLevel && then*likeLevel > present {
			like[alike] = factors[n]
			alike++
		}
		n++
	}
	switch {
	case n < envelopeLeast:
		factors[0] = envelopeEarly
		return 1
	case alike >= likeLeast:
		*factors = like
		return alike
	}
	return n
}

// trend is the mean per bin of ten minutes up to bin i: what ups and downs are
// measured against.
func (a arrivals) trend(i int) (perBin float64, known bool) { return a.mean(i, 60) }

// A peak is the largest bin of five minutes; of an hour there are peaksKept.
const (
	peakBins  = 30
	peaksKept = binsKept / peakBins
)

// unseen is the factor by which a history shorter than an hour may fall short
// of the peaks to come: to the mean of the peaks so far and as many standard
// deviations more as there is history missing.
func (a arrivals) unseen() float64 {
	n, sum, squares, most := 0.0, 0.0, 0.0, 0.0
	for end := len(a.Bins); end >= peakBins; end -= peakBins {
		peak := 0.0
		for _, b := range a.Bins[end-peakBins : end] {
			peak = max(peak, float64(b))
		}
		n, sum, squares, most = n+1, sum+peak, squares+peak*peak, max(most, peak)
	}
	if n < 2 || most == 0 {
		return 1
	}
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0) * n / (n - 1))
	expected := mean + unseenDeviations*max(0, 1-n/peaksKept)*deviation
	return min(max(expected/most, 1), unseenMost)
}

const (
	unseenDeviations = 2.5
	unseenMost       = 2
)

// sound reports whether a stored history makes sense.
func (a arrivals) sound() bool {
	for _, b := range a.Bins {
		if b != noCount && !(b >= 0 && b <= 1e15) {
			return false
		}
	}
	return len(a.Bins) <= binsKept && a.Counter >= noCount && a.Counter <= 1e15 && a.Open >= 0 && a.Open <= 1e15 &&
		a.Index > -1e12 && a.Index < 1e12
}
