package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// The largest believable readings of one pod. Larger ones count as unknown.
const (
	maxRequests = slo.MaxRequests
	maxPercent  = 100.5 // engines overshoot by rounding; read as 100
	maxRate     = 1e9   // tokens per second
)

func believableRequests(r Reading) Reading { return r.Within(maxRequests) }

func believablePercent(r Reading) Reading { return min(r.Within(maxPercent), 100) }

func believableRate(r Reading) Reading { return r.Within(maxRate) }

// epsilon is the relative error that summing floats may leave: 3.0000000001
// replicas are 3, not 4.
const epsilon = 1e-9

// engineWant is the want of an engine metric: the count of HPA's replica calculator,
// shaped by the rules of the chain.
func engineWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	d, _ := t.Metric.Describe()
	pods := survey(spec, &d, obs, lastSample)
	if pods.known == 0 {
		return unknownWant(t), ts
	}
	picked := engineRules
	if d.Kind == Backlog {
		picked = backlogRules
		ts.Backlog = ts.Backlog.observe(obs, t.Value, spec.StableWindow)
	}
	if !spec.Reachable {
		picked &^= stabilization
	}
	n := ts.count(d, pods, spec, t, obs)
	w := newWant(t, pods.observed(d), n)
	a := wantInput{spec: spec, obs: obs, metric: t.Metric, replicas: n, confirmed: n, holdDown: spec.StableWindow}
	if n > obs.Replicas {
		a.confirmed = ts.count(d, survey(spec, &d, obs, twoSamples), spec, t, obs)
		a.seenOutside = countSeenOutside(d, t, obs)
	}
	if d.Kind == Backlog && !ts.Backlog.measured() {
		a.seenOutside = 0 // nobody knows yet how many replicas these requests need
	}
	ts = w.shape(picked, a, ts)
	return w, ts
}

// count is the number of replicas for what a metric is over the pods; the present replicas
// if it is known of none.
func (ts TargetState) count(d Description, pods podSum, spec Spec, t Target, obs Observation) int32 {
	switch {
	case pods.known == 0:
		return obs.Replicas
	case d.Kind == Backlog:
		return ts.Backlog.count(pods, spec, t, obs)
	}
	return pods.count(spec, t, obs)
}

// countSeenOutside is the count for the requests that queue-proxies, pickers and the
// activator see: one replica for each, or for as many as the target of a metric that counts requests.
func countSeenOutside(d Description, t Target, obs Observation) int32 {
	perReplica := 1.0
	if d.Unit == requests {
		perReplica = max(t.Value, perReplica)
	}
	seen, _ := requestsSeenOutside(obs)
	return toCount(math.Ceil(seen / perReplica * (1 - epsilon)))
}

// requestsSeenOutside is the requests that the queue-proxies see in flight, and those
// that are queued in an endpoint picker or the activator; known is false if the
// queue-proxies report nothing.
func requestsSeenOutside(obs Observation) (requests float64, known bool) {
	for _, r := range [...]Reading{obs.Concurrency.Stable, obs.Concurrency.Panic} {
		if believable(r, maxDemand) {
			requests, known = max(requests, float64(r)), true
		}
	}
	if q := queued(obs); q.Known() {
		requests += float64(q)
	}
	return requests, known
}

// podSum is one metric over the pods of a revision.
type podSum struct {
	sum   float64
	known int // Ready pods whose reading is known
	// missing counts pods whose value is assumed: Ready ones with an unknown
	// reading, and starting ones that are expected to become Ready.
	missing int
}

// samples says which samples of a pod a reading is made of.
type samples int

const (
	lastSample samples = iota
	twoSamples         // the smaller of the last two
)

// survey sums a metric over the pods. Queued
// requests are part of Waiting: an endpoint picker queues requests itself when a few
// wait in each engine.
func survey(spec Spec, d *Description, obs Observation, of samples) podSum {
	var s podSum
	for i := range obs.Pods {
		p := &obs.Pods[i]
		r := d.reading(p)
		if of == twoSamples {
			r = d.confirmed(p)
		}
		switch {
		case p.Phase == Draining:
			if d.Over != Mean && r.Known() {
				s.sum += float64(r)
			}
		case p.Phase != Ready:
			if coming(spec, *p) {
				s.missing++
			}
		case r.Known():
			s.known++
			s.sum += float64(r)
		default:
			s.missing++
		}
	}
	if q := queued(obs); d.Kind == Backlog && q.Known() {
		s.sum += float64(q)
	}
	return s.withUnlisted(obs)
}

// withUnlisted counts Ready pods that Kubernetes lists and the collector does not yet.
func (s podSum) withUnlisted(obs Observation) podSum {
	listed := 0
	for _, p := range obs.Pods {
		if p.Phase == Ready {
			listed++
		}
	}
	s.missing += max(0, int(obs.Ready)-listed)
	return s
}

// coming reports whether a starting pod is expected to become Ready. A pod that has
// been starting for longer than StartupDeadline is broken or has no node.
func coming(spec Spec, p Pod) bool {
	return p.Phase == Starting && p.Age < spec.StartupDeadline
}

// observed is the value for Want.Observed.
func (s podSum) observed(d Description) Reading {
	if d.Over == Mean {
		return Reading(s.sum / float64(s.known))
	}
	return Reading(s.sum)
}

// count is the number of replicas at which each would carry the target. KV
// cache usage needs no case of its own: the sum of percentages over the target
// is the number of pods times mean over target.
//
// Missing pods are assumed to be at their target on the way down and idle on the way
// up, and the assumption never reverses the direction: 3 pods at 20%, 20% and unknown
// with target 70 give (20+20+70)/70, so 2 replicas; the two known pods alone give 1.
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

// hold is the present count, and at least 1 while pods have load: 0 replicas may have
// been set before a rollback.
func (s podSum) hold(obs Observation) int32 {
	if s.sum > 0 {
		return max(1, obs.Replicas)
	}
	return obs.Replicas
}

// reading is one pod's value of an engine metric, unknown if it is not believable.
func (d *Description) reading(p *Pod) Reading { return d.plausible(p.Last()) }

// confirmed is the smaller of a pod's last two values; unknown without two.
func (d *Description) confirmed(p *Pod) Reading {
	last := d.reading(p)
	if !p.Previous.Kept {
		return last
	}
	if before := d.plausible(p.Previous); before.Known() {
		return min(last, before) // unknown if the last one is
	}
	return Unknown()
}
