package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// noEngineMetrics is Parts.Limit as long as no engine has reported anything.
const noEngineMetrics = "no engine metrics"

// wantWithoutEngine is the want of a revision whose pods have no engine metrics: a
// plain web application, or an engine that this program does not know. The capacity of
// a replica cannot be learned then, so requests in flight decide exactly as they do for
// the metric concurrency with Knative's default target, panic mode included.
func wantWithoutEngine(spec Spec, ts TargetState, obs Observation) (Want, TargetState) {
	return demandWant(spec, Target{Concurrency, spec.SLO.WithDefaults().FallbackConcurrency}, ts, obs)
}

// sloWithoutEngine is the want of the metric SLO without engine metrics. For the first
// stable window with Ready pods the count does not fall: an engine may report late, and a
// rollout begins with the replicas of its predecessor.
func sloWithoutEngine(spec Spec, obs Observation, p slo.Parts, ts TargetState) (Want, slo.Parts, TargetState) {
	if ts.NoEngineSince.IsZero() {
		ts.NoEngineSince = obs.Time
	}
	w, ts := wantWithoutEngine(spec, ts, obs)
	load := w.Observed
	if w.Replicas < 0 && minOneIfBusy(obs) > 0 {
		// The present count is kept; somebody else may have set the count below what serves.
		held := max(obs.Replicas, toCount(minPods(spec, obs)))
		w.Asked, w.Replicas, w.Reason = held, held, PartialData
	}
	w.Metric, w.Observed, w.Target = SLO, Unknown(), spec.SLO.WithDefaults().Goal*100
	if w.Replicas >= 0 {
		a := wantInput{spec: spec, obs: obs, metric: SLO, replicas: w.Asked}
		if obs.Time.Sub(ts.NoEngineSince) < spec.StableWindow {
			a.uncertain = PartialData
		}
		ts = w.shape(sloRulesWithoutEngine, a, ts)
	}
	p = partsWithoutEngine(p, load, spec.SLO.WithDefaults().FallbackConcurrency)
	p.Unmet = w.unschedulableReplicas(obs)
	return w, p, ts
}

// engineCame ends what sloWithoutEngine has kept.
func (ts TargetState) engineCame() TargetState {
	ts.NoEngineSince, ts.PanicSince, ts.PanicPods = time.Time{}, time.Time{}, 0
	return ts
}

// partsWithoutEngine returns the parts of a need that follows the requests in flight:
// those of the plan are unknown.
func partsWithoutEngine(p slo.Parts, load Reading, target float64) slo.Parts {
	p.CapacityRPS, p.Limit, p.TargetLoad, p.GrowthFactor, p.Work = Unknown(), noEngineMetrics, Unknown(),
		Unknown(), Unknown()
	p.NeedLevel, p.NeedPast, p.Floor, p.Attainment = Unknown(), Unknown(), Unknown(), Unknown()
	p.Need, p.ConcurrencyTarget = load/Reading(target), Reading(target)
	return p
}
