package decider

import "math"

// The largest believable readings of one pod. What is above is a broken page
// and counts as unknown.
const (
	maxRequests = 100_000
	maxPercent  = 100.5 // engines overshoot by rounding; read as 100
	maxRate     = 1e9   // tokens per second
)

// epsilon is the relative error that summing floats may leave: 3.0000000001
// replicas are 3, not 4.
const epsilon = 1e-9

// engineWant is the want of an engine metric: the count that HPA's replica
// calculator would ask for, shaped by the rules of the chain.
func engineWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	pods := survey(spec, t.Metric, obs)
	if pods.known == 0 {
		return unknownWant(t), ts
	}
	n := pods.count(spec, t, obs)
	w := newWant(t, pods.observed(t.Metric), n)
	picked := engineRules
	if t.Metric == Waiting {
		picked = waitingRules
	}
	if !spec.Reachable {
		picked &^= stabilization
	}
	ts = w.shape(picked, asked{spec: spec, obs: obs, metric: t.Metric, replicas: n, holdDown: spec.StableWindow}, ts)
	return w, ts
}

// podSum is one metric over the pods of a revision.
type podSum struct {
	sum   float64
	known int // Ready pods whose reading is known
	// missing counts pods whose share must be assumed: Ready ones with an
	// unknown reading, and starting ones that are expected to come.
	missing int
}

// survey adds a metric up over the pods. Requests that wait outside of the engines
// wait all the same: an endpoint picker holds them back once a few wait in each.
func survey(spec Spec, m Metric, obs Observation) podSum {
	var s podSum
	for _, p := range obs.Pods {
		r := reading(p, m)
		switch {
		case p.Phase != Ready:
			if coming(spec, p) {
				s.missing++
			}
		case r.Known():
			s.known++
			s.sum += float64(r)
		default:
			s.missing++
		}
	}
	if q := outside(obs); m == Waiting && q.Known() {
		s.sum += float64(q)
	}
	return s.withUnseen(obs)
}

// withUnseen counts Ready pods that Kubernetes knows and the collector does
// not yet.
func (s podSum) withUnseen(obs Observation) podSum {
	listed := 0
	for _, p := range obs.Pods {
		if p.Phase == Ready {
			listed++
		}
	}
	s.missing += max(0, int(obs.Ready)-listed)
	return s
}

// coming reports whether a pod which is not Ready is still expected to be. One
// that has been starting for too long is broken or has no place, and is left out.
func coming(spec Spec, p Pod) bool {
	return p.Phase == Starting && p.Age < spec.StartupDeadline
}

// observed is what a Want shows: the mean for percentages, the sum otherwise.
func (s podSum) observed(m Metric) Reading {
	if m == KVCache {
		return Reading(s.sum / float64(s.known))
	}
	return Reading(s.sum)
}

// count is the number of replicas at which each would carry the target. KV
// cache usage needs no case of its own: the sum of percentages over the target
// is the number of pods times mean over target.
//
// Missing pods are assumed full on the way down and idle on the way up, and an
// assumption never turns the direction: 3 pods at 20%, 20% and unknown of 70
// are (20+20+70)/70, so 2 replicas, where the two known ones alone would be 1.
func (s podSum) count(spec Spec, t Target, obs Observation) int32 {
	ratio := s.sum / (float64(s.known) * t.Value)
	if ratio <= 1 {
		s.sum += float64(s.missing) * t.Value
	}
	s.known += s.missing
	filled := s.sum / (float64(s.known) * t.Value)
	if math.Abs(filled-1) <= spec.Tolerance+epsilon || ratio > 1 && filled < 1 {
		return s.hold(obs)
	}
	n := toCount(math.Ceil(s.sum / t.Value * (1 - epsilon)))
	switch {
	case ratio > 1 && n < obs.Replicas: // more were ordered already
		return obs.Replicas
	case ratio < 1 && s.missing > 0 && n > obs.Replicas:
		return obs.Replicas
	}
	return n
}

// hold is the present count. Pods that carry load while 0 replicas are asked
// for (a rollback during scale-down) are held by 1.
func (s podSum) hold(obs Observation) int32 {
	if s.sum > 0 {
		return max(1, obs.Replicas)
	}
	return obs.Replicas
}

// loadingLong reports whether a pod that is still coming has been starting for
// longer than a stable window.
func loadingLong(spec Spec, obs Observation) bool {
	for _, p := range obs.Pods {
		if coming(spec, p) && p.Age > spec.StableWindow {
			return true
		}
	}
	return false
}

// growth is how much larger the arrivals are than they were; 1 when either is
// unknown or there were none to compare with.
func growth(then, now Reading) float64 {
	if !believable(then, maxDemand) || !believable(now, maxDemand) || then <= 0 {
		return 1
	}
	return max(1, float64(now)/float64(then))
}

// reading is one pod's value of an engine metric, unknown when it is absurd.
func reading(p Pod, m Metric) Reading {
	switch m {
	case Running:
		return within(p.Running, maxRequests)
	case Waiting:
		return within(p.Waiting, maxRequests)
	case KVCache:
		return min(within(p.KVCache, maxPercent), 100)
	case PromptTokens:
		return within(p.PromptTokens, maxRate)
	case GenerationTokens:
		return within(p.GenerationTokens, maxRate)
	}
	return Unknown()
}

func within(r Reading, most float64) Reading {
	if !r.Known() || r < 0 || float64(r) > most {
		return Unknown()
	}
	return r
}
