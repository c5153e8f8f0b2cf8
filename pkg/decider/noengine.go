package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// noEngineMetrics is Parts.Limit as long as no engine has reported anything.
const noEngineMetrics = "no engine metrics"

// needWithoutEngine is the need of a revision whose pods have no engine metrics: a
// plain web application, or an engine that this program does not know. The capacity of
// a replica cannot be learned then, so the need is Knative's own, with panic mode.
func needWithoutEngine(spec Spec, obs Observation) float64 {
	target := spec.SLO.WithDefaults().FallbackConcurrency
	load := inFlight(obs.Concurrency.Stable)
	burst := inFlight(obs.Concurrency.Panic)
	if math.Ceil(burst/target)/readyPods(obs) >= spec.PanicThreshold && !(load > burst) {
		load = burst
	}
	if load > 0 {
		return max(load/target, 0.1) // rare requests need a replica, too
	}
	return load
}

// partsWithoutEngine returns the parts of needWithoutEngine: those of the plan are unknown.
func partsWithoutEngine(p slo.Parts, need, target float64) slo.Parts {
	p.CapacityRPS, p.Limit, p.TargetLoad, p.GrowthFactor, p.Work = Unknown(), noEngineMetrics, Unknown(), Unknown(), Unknown()
	p.NeedLevel, p.NeedPast, p.Floor, p.Attainment = Unknown(), Unknown(), Unknown(), Unknown()
	p.Need, p.ConcurrencyTarget = Reading(need), Reading(target)
	return p
}

// inFlight is a mean of requests in flight, NaN if unknown or not believable.
// Averages may round to slightly below 0; these are 0.
func inFlight(r Reading) float64 {
	if !believable(r, maxDemand) {
		return math.NaN()
	}
	return max(float64(r), 0)
}
