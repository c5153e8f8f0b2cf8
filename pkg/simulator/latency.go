package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// latency adds up one latency of all pods over the stable window, as pkg/collector does.
type latency struct {
	known bool
	gains window.Gains
}

// add follows the histogram of one pod's newest page and adds what the pod gained within the window.
func (l *latency) add(h *window.Histogram, now decider.Histogram, at time.Time, stable time.Duration) {
	h.Add(window.Sample{Time: at, Bounds: now.Bounds, Counts: now.Counts, Total: float64(now.Count)}, stable)
	l.gains.Add(h)
	l.known = l.known || h.IsKnown()
}

func (l *latency) result() decider.Latency {
	out := decider.UnknownLatency()
	out.Known = l.known
	if out.Count = decider.Reading(l.gains.Count()); out.Count > 0 {
		out.P95 = decider.Reading(1000 * l.gains.Percentile(.95))
	}
	return out
}
