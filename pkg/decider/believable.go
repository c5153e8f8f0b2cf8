package decider

import "github.com/knative-inference/autoscaler-adapter/pkg/slo"

// The largest believable readings. Numbers come from programs of others: a queue of 1e12
// requests is an error, not a queue. Larger ones count as unknown.
const (
	// Of a revision.
	maxDemand = slo.MaxDemand // requests, or requests per second
	maxQueued = 1e8           // requests
	// Of one pod.
	maxRequests = slo.MaxRequests
	maxPercent  = 100.5 // engines overshoot by rounding; read as 100
	maxRate     = 1e9   // tokens per second
)

// believable reports whether r is known and between 0 and limit. Averages may round to
// slightly below 0.
func believable(r Reading, limit float64) bool {
	return r.Known() && r >= -0.001 && float64(r) <= limit
}

func believableRequests(r Reading) Reading { return r.Within(maxRequests) }

func believablePercent(r Reading) Reading { return min(r.Within(maxPercent), 100) }

func believableRate(r Reading) Reading { return r.Within(maxRate) }

// queue is the requests that wait for capacity.
func (s PreviousSample) queue() Reading {
	w, d := believableRequests(s.Waiting), believableRequests(s.Deferred)
	if !w.Known() || !d.Known() {
		return w
	}
	return max(w-d, 0)
}
