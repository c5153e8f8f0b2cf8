package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

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
		past = window.NewMax(spec.ScaleDownDelay, Tick)
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
