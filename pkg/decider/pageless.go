package decider

import "math"

// knativeTarget is what Knative's own autoscaler gives a replica of a revision
// that says nothing: 70 % of container-concurrency-target-default, which is 100.
const knativeTarget = 70

// leastPageless is the least that Knative takes for a target.
const leastPageless = 0.01

// pageless is the limit that the parts name while no engine ever told anything.
const pageless = "no engine page"

// lookForPages notes whether an engine ever told anything, or pods were Ready
// and none did.
func (s *SLOState) lookForPages(obs Observation) {
	for _, p := range obs.Pods {
		s.Paged = s.Paged || told(p)
	}
	s.Bare = !s.Paged && (s.Bare || obs.Ready > 0)
}

// told reports whether a pod's page holds anything that engines tell.
func told(p Pod) bool {
	t := p.Totals
	known := reading(p, Running).Known() || reading(p, Waiting).Known() || reading(p, KVCache).Known()
	if known || !t.Known {
		return known
	}
	for _, r := range [...]Reading{t.Steps, t.Finished, t.PromptTokens, t.GenerationTokens, t.KVCapacity, t.TTFT.Count, t.ITL.Count} {
		known = known || r.Known()
	}
	return known
}

// bareNeed is the replicas of a revision whose pods have no engine page: a
// plain web application, or an engine that nobody knows. What a replica can do
// is not to be learned then, so it is what Knative would give it, with its panic.
func bareNeed(spec Spec, obs Observation) float64 {
	target := spec.SLO.withDefaults().Pageless
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

// bare says what bareNeed came from; nothing of the plan counts.
func (p SLOParts) bare(need, target float64) SLOParts {
	p.Mu, p.Limit, p.Trim, p.Envelope, p.Work = Unknown(), pageless, Unknown(), Unknown(), Unknown()
	p.NeedLevel, p.NeedPast, p.Floor, p.Attainment = Unknown(), Unknown(), Unknown(), Unknown()
	p.Need, p.ConcurrencyTarget = Reading(need), Reading(target)
	return p
}

// learnedNothing reports whether the engines' pages tell too little to learn
// what a replica can do, or have not told enough yet, and no queue has shown it.
func (s *SLOState) learnedNothing(o Objective, obs Observation) bool {
	return o.has(PartLearning) && s.Fit.Samples < 1 && s.Saturated.Share == 0 && obs.Time.Sub(s.Began) > leastGuard
}

// inFlight is a mean of requests in flight, NaN when it is unknown or absurd.
// One a trace below 0 is the rounding of an average.
func inFlight(r Reading) float64 {
	if !believable(r, maxDemand) {
		return math.NaN()
	}
	return max(float64(r), 0)
}
