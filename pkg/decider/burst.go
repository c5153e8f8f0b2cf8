package decider

import "math"

// excessBurst is Knative's excess burst capacity, in the unit of the demand metric: what
// the Ready pods can take beyond the present load and Spec.TargetBurst. While it is below
// 0 Knative's activator stays in the path. It is unknown while the load is.
func excessBurst(spec Spec, obs Observation) Reading {
	switch {
	case spec.TargetBurst == 0:
		return 0
	case spec.TargetBurst < 0:
		return -1
	}
	load := obs.Concurrency
	for _, t := range spec.Targets {
		if t.Metric == Concurrency {
			load = obs.Concurrency
			break
		}
		if t.Metric == RPS {
			load = obs.RPS
		}
	}
	if !believable(load.Panic, maxDemand) {
		return Unknown()
	}
	return Reading(math.Floor(float64(obs.Ready)*spec.ReplicaCapacity - spec.TargetBurst - float64(load.Panic)))
}
