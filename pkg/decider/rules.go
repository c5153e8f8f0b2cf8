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

// observePods notes when Ready pods are lost, and how many are missing then: fewer are Ready
// than before and than asked for, so no scale-down took them. The largest loss counts for as
// long as a loss does, and no longer because of smaller ones.
func (st State) observePods(spec Spec, obs Observation) State {
	if missing := obs.Replicas - obs.Ready; obs.Ready < st.Ready && missing > 0 {
		if missing >= st.Missing || !countsAsLost(spec, st.MissingAt, obs.Time) {
			st.Missing, st.MissingAt = missing, obs.Time
		}
		st.LostAt = obs.Time
	}
	st.Ready = obs.Ready
	return st
}

// countsAsLost reports whether a loss at a time still counts; zero is none.
func countsAsLost(spec Spec, at, now time.Time) bool {
	return !at.IsZero() && now.Sub(at).Abs() < lostFor*spec.StableWindow
}

// lostPod keeps as many replicas as were missing on top of the want for a while after a Ready
// pod was lost: its requests failed or were not measured, and they come again. The load of the
// other pods was measured, so that one pod that fails again and again keeps one replica.
func lostPod(spec Spec, st State, obs Observation, d Decision) outcome {
	if !spec.Reachable || !countsAsLost(spec, st.LostAt, obs.Time) {
		return outcome{replicas: d.Replicas}
	}
	floor := obs.Replicas
	if st.Missing > 0 { // 0 is of a state that was stored before losses were counted
		floor = int32(min(int64(floor), int64(d.Replicas)+int64(st.Missing)))
	}
	return outcome{max(d.Replicas, floor), PodLost}
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
