package collector

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// latencies are one pod's latency histograms over the stable window.
type latencies struct{ ttft, itl window.Histogram }

// add appends the histograms of a page.
func (l *latencies) add(at time.Time, t decider.Totals, stable time.Duration) {
	l.ttft.Add(windowSample(at, t.TTFT), stable)
	l.itl.Add(windowSample(at, t.ITL), stable)
}

func windowSample(at time.Time, h decider.Histogram) window.Sample {
	return window.Sample{Time: at, Bounds: h.Bounds, Counts: h.Counts, Total: float64(h.Count)}
}

func (l *latencies) reset() { *l = latencies{} }

// latencyMetric is where a percentile comes from: the field of an engine's page, what the last page
// had, and the histogram over the stable window.
type latencyMetric struct {
	field    engines.Field
	onPage   func(*decider.Totals) *decider.Histogram
	windowed func(*latencies) *window.Histogram
}

// latencyMetrics are the percentiles that the metrics API offers. Shared, never changed.
var latencyMetrics = map[decider.Metric]latencyMetric{
	decider.TTFTP95: {engines.TTFT, func(t *decider.Totals) *decider.Histogram { return &t.TTFT },
		func(l *latencies) *window.Histogram { return &l.ttft }},
	decider.ITLP95: {engines.ITL, func(t *decider.Totals) *decider.Histogram { return &t.ITL },
		func(l *latencies) *window.Histogram { return &l.itl }},
}

// latency is one latency over some pods, with the time of the oldest sample and the
// window that is covered: values of all pods are added up before the percentile is
// taken, because the percentile of a revision is not the mean of those of its pods.
func latency(pods []*latencies,
	of func(*latencies) *window.Histogram) (l decider.Latency, oldest time.Time, covered time.Duration) {
	l = decider.UnknownLatency()
	var g window.Gains
	for _, p := range pods {
		h := of(p)
		if !h.IsKnown() {
			continue
		}
		g.Add(h)
		from, to := h.Covers()
		if oldest.IsZero() || to.Before(oldest) {
			oldest = to
		}
		l.Known, covered = true, max(covered, to.Sub(from))
	}
	if l.Count = decider.Reading(g.Count()); l.Count > 0 {
		l.P95 = decider.Reading(1000 * g.Percentile(.95))
	}
	return l, oldest, covered
}

// withPrevious is latency for a decision: it also has the percentile that each pod's sample
// before the last one gave.
func withPrevious(pods []*latencies, of func(*latencies) *window.Histogram) decider.Latency {
	l, _, _ := latency(pods, of)
	var g window.Gains
	for _, p := range pods {
		g.AddEarlier(of(p))
	}
	l.Previous = decider.PreviousLatency{Kept: true, P95: decider.Unknown()}
	if g.Count() > 0 {
		l.Previous.P95 = decider.Reading(1000 * g.Percentile(.95))
	}
	return l
}

// putLatencies adds the percentiles over some pods to their values.
func putLatencies(values map[decider.Metric]Sample, pods []*latencies) {
	for metric, of := range latencyMetrics {
		if l, oldest, covered := latency(pods, of.windowed); l.P95.Known() {
			values[metric] = Sample{l.P95, oldest, covered}
		} else {
			delete(values, metric)
		}
	}
}
