package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// pageless is the limit that the parts name while no engine ever reported anything.
const pageless = "no engine page"

// bareNeed is the replicas of a revision whose pods have no engine page: a
// plain web application, or an engine that nobody knows. What a replica can do
// is not to be learned then, so it is what Knative would give it, with its panic.
func bareNeed(spec Spec, obs Observation) float64 {
	target := spec.SLO.WithDefaults().FallbackConcurrency
	load := inFlight(obs.Concurrency.Stable)
	burst := inFlight(obs.Concurrency.Panic)
	if math.Ceil(burst/target)/readyPods(obs) >= spec.PanicThreshold && !(load > burst) {
		load = burst
	}
	if load > 0 {
		return max(load/target, 0.1) // a rare request needs a replica, too
	}
	return load
}

// bareParts says what bareNeed came from; nothing of the plan counts.
func bareParts(p slo.Parts, need, target float64) slo.Parts {
	p.CapacityRPS, p.Limit, p.TargetLoad, p.GrowthFactor, p.Work = Unknown(), pageless, Unknown(), Unknown(), Unknown()
	p.NeedLevel, p.NeedPast, p.Floor, p.Attainment = Unknown(), Unknown(), Unknown(), Unknown()
	p.Need, p.ConcurrencyTarget = Reading(need), Reading(target)
	return p
}

// inFlight is a mean of requests in flight, NaN when it is unknown or absurd.
// One a trace below 0 is the rounding of an average.
func inFlight(r Reading) float64 {
	if !believable(r, maxDemand) {
		return math.NaN()
	}
	return max(float64(r), 0)
}
