package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// The largest believable readings of one pod. What is above is a broken page
// and counts as unknown.
const (
	maxRequests = slo.MaxRequests
	maxPercent  = 100.5 // engines overshoot by rounding; read as 100
	maxRate     = 1e9   // tokens per second
)

// epsilon is the relative error that summing floats may leave: 3.0000000001
// replicas are 3, not 4.
const epsilon = 1e-9

// engineWant is the want of an engine metric: the count that HPA's replica
// calculator would ask for, shaped by the rules of the chain.
func engineWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	pods := survey(spec, t.Metric, obs, reading)
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
	a := asked{spec: spec, obs: obs, metric: t.Metric, replicas: n, confirmed: n, holdDown: spec.StableWindow}
	if n > obs.Replicas {
		a.confirmed = confirmedCount(spec, t, obs)
		a.witnessed = witnessedCount(t, obs)
	}
	ts = w.shape(picked, a, ts)
	return w, ts
}

// confirmedCount is what the smaller of each pod's last two samples asks for: the
// replicas there are when no pod has two.
func confirmedCount(spec Spec, t Target, obs Observation) int32 {
	pods := survey(spec, t.Metric, obs, confirmed)
	if pods.known == 0 {
		return obs.Replicas
	}
	return pods.count(spec, t, obs)
}

// witnessedCount is the most replicas for the requests that others than the engines
// see: one each, or as many as the target says.
func witnessedCount(t Target, obs Observation) int32 {
	perReplica := 1.0
	if t.Metric == Running || t.Metric == Waiting {
		perReplica = max(t.Value, perReplica)
	}
	seen, _ := witnessed(obs)
	return toCount(math.Ceil(seen / perReplica * (1 - epsilon)))
}

// witnessed is the requests that the queue-proxies see in flight, and those that wait
// in an endpoint picker or the activator; not known when the queue-proxies report nothing.
func witnessed(obs Observation) (requests float64, known bool) {
	for _, r := range [...]Reading{obs.Concurrency.Stable, obs.Concurrency.Panic} {
		if believable(r, maxDemand) {
			requests, known = max(requests, float64(r)), true
		}
	}
	if q := outside(obs); q.Known() {
		requests += float64(q)
	}
	return requests, known
}

// podSum is one metric over the pods of a revision.
type podSum struct {
	sum   float64
	known int // Ready pods whose reading is known
	// missing counts pods whose share must be assumed: Ready ones with an
	// unknown reading, and starting ones that are expected to come.
	missing int
}

// survey adds a metric up over the pods, each with what read returns of it.
// Requests that wait outside of the engines wait all the same: an endpoint picker
// holds them back once a few wait in each.
func survey(spec Spec, m Metric, obs Observation, read func(Pod, Metric) Reading) podSum {
	var s podSum
	for _, p := range obs.Pods {
		r := read(p, m)
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
	return plausible(m, PreviousSample{true, p.Running, p.Waiting, p.KVCache, p.PromptTokens, p.GenerationTokens})
}

// confirmed is the smaller of one pod's last two values; unknown without two.
func confirmed(p Pod, m Metric) Reading {
	last := reading(p, m)
	if !p.Previous.Kept {
		return last
	}
	if before := plausible(m, p.Previous); before.Known() {
		return min(last, before) // unknown if the last one is
	}
	return Unknown()
}

// plausible is a sample's value of an engine metric, unknown when it is absurd.
func plausible(m Metric, s PreviousSample) Reading {
	switch m {
	case Running:
		return s.Running.Within(maxRequests)
	case Waiting:
		return s.Waiting.Within(maxRequests)
	case KVCache:
		return min(s.KVCache.Within(maxPercent), 100)
	case PromptTokens:
		return s.PromptTokens.Within(maxRate)
	case GenerationTokens:
		return s.GenerationTokens.Within(maxRate)
	}
	return Unknown()
}
