package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// delayGranularity is Knative's: the interval of its ticks.
const delayGranularity = 2 * time.Second

// partialData keeps the count from falling while a metric is unknown, because that
// metric might need more. A metric that was never known does not count.
func partialData(d Decision, obs Observation) outcome {
	for _, w := range d.Wants {
		if w.Replicas < 0 && w.Reason != NeverKnown {
			return outcome{max(d.Replicas, obs.Replicas), PartialData}
		}
	}
	return outcome{replicas: d.Replicas}
}

// observePods notes when Ready pods are lost: fewer are Ready than before and than asked
// for, so no scale-down took them.
func (st State) observePods(obs Observation) State {
	if obs.Ready < st.Ready && obs.Ready < obs.Replicas {
		st.LostAt = obs.Time
	}
	st.Ready = obs.Ready
	return st
}

// lostPod does not lower the count for a while after a Ready pod was lost: its requests
// failed or were not measured, and they come again.
func lostPod(spec Spec, st State, obs Observation, d Decision) outcome {
	kept := !st.LostAt.IsZero() && obs.Time.Sub(st.LostAt).Abs() < lostFor*spec.StableWindow
	if !spec.Reachable || !kept {
		return outcome{replicas: d.Replicas}
	}
	return outcome{max(d.Replicas, obs.Replicas), PodLost}
}

// unreachable removes the pods of a revision without a route: at once if none is Ready,
// otherwise when no request was in flight for a whole stable window. Until then every
// pod stays, because Kubernetes chooses the pods to delete and does not know which of
// them still streams an answer. No pod is added, with one
// exception: while requests wait and no pod is Ready, there is one. The gateway may still
// use its previous routes and send requests here.
func unreachable(spec Spec, st State, obs Observation, d Decision) outcome {
	if spec.Reachable {
		return outcome{replicas: d.Replicas}
	}
	waits := believable(obs.Queued, maxQueued) && obs.Queued > 0
	if obs.Ready == 0 && waits {
		return outcome{1, RequestsWait}
	}
	if !waits && (obs.Ready == 0 || st.idleFor(spec.StableWindow, obs.Time) && noDemand(d)) {
		return outcome{0, Unreachable}
	}
	return outcome{obs.Replicas, InFlightRequests}
}

// noDemand reports whether no known demand metric wants a replica.
func noDemand(d Decision) bool {
	for _, w := range d.Wants {
		if w.Metric.demand() && w.Replicas > 0 {
			return false
		}
	}
	return true
}

// scaleDownDelay keeps the largest count of the past delay, as Knative does: in buckets
// of its tick, for reachable revisions only. A count that was kept because no metric
// had a value is not remembered.
func scaleDownDelay(spec Spec, past window.Max, now time.Time, d Decision) (outcome, window.Max) {
	if spec.ScaleDownDelay <= 0 {
		return outcome{replicas: d.Replicas}, window.Max{}
	}
	if !spec.Reachable || d.Metric == "" {
		return outcome{replicas: d.Replicas}, past
	}
	if past.IsEmpty(now) {
		past = window.NewMax(spec.ScaleDownDelay, delayGranularity)
	}
	past = past.Resize(spec.ScaleDownDelay).Record(now, d.Replicas)
	return outcome{past.Current(), ScaleDownDelayed}, past
}

// bounds applies min-scale and max-scale.
func bounds(spec Spec, d Decision) outcome {
	if d.Replicas < spec.MinReplicas {
		return outcome{spec.MinReplicas, TooFewReplicas}
	}
	if spec.MaxReplicas > 0 && d.Replicas > spec.MaxReplicas {
		return outcome{spec.MaxReplicas, TooManyReplicas}
	}
	return outcome{replicas: d.Replicas}
}
