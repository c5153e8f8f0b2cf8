package collector

import (
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// latencySteps is about how many points of a pod's histograms are kept per window.
const latencySteps = 12

// latencies keeps a pod's histograms over the stable window, so that the
// percentiles of what ended within it can be told.
type latencies struct{ points []latencyPoint }

type latencyPoint struct {
	at        time.Time
	ttft, itl decider.Histogram
}

// add appends a page's histograms. Counts that fell are a restarted engine's:
// what came before is dropped.
func (l *latencies) add(at time.Time, t decider.Totals, window time.Duration) {
	p := latencyPoint{at, t.TTFT, t.ITL}
	n := len(l.points)
	if n > 0 && !(continued(l.points[n-1].ttft, p.ttft) && continued(l.points[n-1].itl, p.itl)) {
		l.points, n = l.points[:0], 0
	}
	if n > 1 && at.Sub(l.points[n-2].at) < window/latencySteps {
		l.points[n-1] = p
	} else {
		l.points = append(l.points, p)
	}
	drop := 0
	for len(l.points)-drop > 2 && l.points[drop+1].at.Before(at.Add(-window)) {
		drop++
	}
	l.points = append(l.points[:0], l.points[drop:]...)
}

func continued(a, b decider.Histogram) bool {
	return len(a.Counts) == len(b.Counts) && a.Count.Known() == b.Count.Known() && !(b.Count < a.Count)
}

func (l *latencies) reset() { l.points = nil }

// gained is what ended within the window of one latency, by bucket with the one
// above all bounds; nil when nothing is known.
func (l *latencies) gained(of func(latencyPoint) decider.Histogram) (bounds, counts []float64) {
	if len(l.points) < 2 {
		return nil, nil
	}
	a, b := of(l.points[0]), of(l.points[len(l.points)-1])
	if !a.Count.Known() || !b.Count.Known() || len(a.Counts) != len(b.Counts) {
		return nil, nil
	}
	counts = make([]float64, len(b.Counts)+1)
	below := 0.0
	for i := range b.Counts {
		gain := b.Counts[i] - a.Counts[i]
		counts[i], below = max(gain-below, 0), max(gain, below)
	}
	counts[len(b.Counts)] = max(float64(b.Count-a.Count)-below, 0)
	return b.Bounds, counts
}

// merged adds up the pods' gains before a percentile is taken: the percentile of
// a revision is not the mean of its pods' percentiles. Pods whose buckets differ
// from the first one's are left out.
type merged struct {
	bounds, counts []float64
	oldest         time.Time
	window         time.Duration
}

func (m *merged) add(l *latencies, of func(latencyPoint) decider.Histogram) {
	bounds, counts := l.gained(of)
	if counts == nil || m.counts != nil && !slices.Equal(bounds, m.bounds) {
		return
	}
	newest := l.points[len(l.points)-1].at
	if m.counts == nil {
		m.bounds, m.counts, m.oldest = bounds, make([]float64, len(counts)), newest
	}
	for i, c := range counts {
		m.counts[i] += c
	}
	if newest.Before(m.oldest) {
		m.oldest = newest
	}
	m.window = max(m.window, newest.Sub(l.points[0].at))
}

// percentile is in seconds; NaN when nothing ended.
func (m *merged) percentile(q float64) float64 {
	seconds, count := decider.Percentile(m.bounds, m.counts, q)
	if count == 0 {
		return math.NaN()
	}
	return seconds
}

// latencyMetrics are the percentiles that the metrics API offers, in ms.
var latencyMetrics = map[decider.Metric]func(latencyPoint) decider.Histogram{
	decider.TTFTP95: func(p latencyPoint) decider.Histogram { return p.ttft },
	decider.ITLP95:  func(p latencyPoint) decider.Histogram { return p.itl },
}

// putLatencies adds the percentiles over some pods to their values.
func putLatencies(values map[decider.Metric]Sample, pods []*latencies) {
	for metric, of := range latencyMetrics {
		var m merged
		for _, l := range pods {
			m.add(l, of)
		}
		if p95 := m.percentile(.95); known(p95) {
			values[metric] = Sample{decider.Reading(1000 * p95), m.oldest, m.window}
		} else {
			delete(values, metric)
		}
	}
}
