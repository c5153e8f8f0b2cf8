package decider

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// The times of the policy.
const (
	leastGuard = time.Minute
	leastHold  = 5 * time.Minute
	// drain is the time within which what waits should have begun.
	drain = time.Minute
	// outage is a silence after which a memory is no longer trusted to lower.
	outage = 2 * time.Minute
)

// sloWant is the want of the metric SLO: the plan of the last closed bin, and
// what waits right now; see doc.go for the parts.
func sloWant(spec Spec, old *SLOState, obs Observation) (Want, *SLOParts, *SLOState) {
	o := spec.SLO.withDefaults()
	s := old.continued(obs.Time)
	s.lookForPages(obs)
	var closed bool
	s.Load, closed = s.Load.advance(obs)
	if closed || s.Plan.Limit == "" {
		s.closeBin(o, obs)
	}
	parts := s.Plan
	parts.Backlog = waiting(obs)
	w := Want{Metric: SLO, Observed: parts.Attainment * 100, Target: o.Goal * 100, Asked: -1, Replicas: -1, Reason: NoData}
	need, why := s.needNow(o, obs)
	if s.Bare {
		need, why = bareNeed(spec, obs), DesiredWithinRange
		parts = parts.bare(need, o.Pageless)
	}
	if math.IsNaN(need) && busy(obs) == 0 {
		return w, &parts, &s
	}
	if math.IsNaN(need) {
		need, why = float64(obs.Replicas), PartialData
	}
	w.Asked = toCount(math.Ceil(need - 0.05))
	w.Replicas, w.Reason = max(w.Asked, busy(obs)), why
	w = s.guard(w, obs)
	w = s.hold(o, w, obs)
	w = sloLimits(spec, w, obs)
	w, parts.Unmet = places(w, obs)
	return w, &parts, &s
}

// sloLimits are the activation scale and the rate limits that users know.
func sloLimits(spec Spec, w Want, obs Observation) Want {
	w = limitGrowth(spec, w, obs)
	if w.Replicas > 0 && spec.ActivationScale > w.Replicas {
		w.Replicas, w.Reason = spec.ActivationScale, ActivationScale
	}
	if least := toCount(leastPods(spec, obs)); w.Replicas < least {
		w.Replicas, w.Reason = least, ScaleDownLimit
	}
	return w
}

// needNow is the replicas that the plan and what waits ask for; NaN when
// neither arrivals nor requests in flight are known.
func (s *SLOState) needNow(o Objective, obs Observation) (need float64, why Reason) {
	need, why = float64(s.Plan.Need), DesiredWithinRange
	if !s.Plan.Need.Known() {
		// Requests in flight hold the queue too, so this is no more than a doubling.
		return min(inFlight(obs.Concurrency.Stable)/float64(s.Plan.ConcurrencyTarget), 2*readyPods(obs)), PartialData
	}
	if o.has(PartBacklog) {
		need += s.occupied(obs)
	}
	if s.learnedNothing(o, obs) { // slow requests: arrivals alone do not tell of them
		if held := s.held(obs); held > need {
			need = held
		}
	}
	return min(need, math.MaxInt32), why
}

// held is the replicas for what is in flight, NaN when that is unknown. What waits
// in the engines' queues is in flight, too, but needs no place of its own; and where
// most engines let as many wait as they run, that is all that one can run.
func (s *SLOState) held(obs Observation) float64 {
	all, target := inFlight(obs.Concurrency.Stable), float64(s.Plan.ConcurrencyTarget)
	var full int32
	var running, queued, most float64
	for _, p := range obs.Pods {
		r, w := reading(p, Running), reading(p, Waiting)
		if p.Phase != Ready || !r.Known() || !w.Known() {
			continue
		}
		running += float64(r)
		queued += float64(w)
		if r > 0 && w >= r {
			full++
			most += float64(r)
		}
	}
	if full*2 > obs.Ready {
		target = min(target, most/float64(full)*float64(s.Plan.Trim))
	}
	return max(all-queued, min(all, running)) / target
}

// busy is 1 while the revision is known to hold a request.
func busy(obs Observation) int32 {
	if waiting(obs) > 0 || newest(obs.Concurrency) > 0 {
		return 1
	}
	for _, p := range obs.Pods {
		if p.Phase == Ready && reading(p, Running) > 0 {
			return 1
		}
	}
	return 0
}

// guard does not lower on what is not known: before a lead time of history,
// without arrivals, and while most engines that have a page cannot be read.
func (s *SLOState) guard(w Want, obs Observation) Want {
	lead := time.Duration(float64(s.Plan.LeadTime) * float64(time.Second))
	if w.Replicas >= obs.Replicas {
		return w
	}
	switch {
	case w.Reason == PartialData, !s.Bare && blind(obs):
		w.Replicas, w.Reason = obs.Replicas, PartialData
	case obs.Time.Sub(s.Began) < max(leastGuard, lead):
		w.Replicas, w.Reason = obs.Replicas, ScaleDownStabilized
	}
	return w
}

// blind reports whether more than half of the Ready pods' counters are unknown.
func blind(obs Observation) bool {
	known := int32(0)
	for _, p := range obs.Pods {
		if p.Phase == Ready && p.Totals.Known {
			known++
		}
	}
	return known*2 < obs.Ready
}

// hold keeps the largest want of the hold-down time.
func (s *SLOState) hold(o Objective, w Want, obs Observation) Want {
	if !o.has(PartHold) {
		return w
	}
	long := max(leastHold, 2*time.Duration(float64(s.Plan.LeadTime)*float64(time.Second)))
	recent := s.Hold.Resize(long)
	if recent.IsEmpty(obs.Time) {
		recent = window.NewMax(long, binWidth)
	}
	s.Hold = recent.Record(obs.Time, w.Replicas)
	if most := s.Hold.Current(); most > w.Replicas {
		w.Replicas, w.Reason = most, ScaleDownStabilized
	}
	return w
}

// Pods without a node are waited for up to this many, or this share of the Ready ones.
const (
	unplacedLeast = 4
	unplacedShare = 0.25
)

// places stops asking for more while pods find no node: more of them would
// only queue for the same GPUs. It returns the replicas that are wanting.
func places(w Want, obs Observation) (Want, int32) {
	waits := unplaced(obs)
	if waits == 0 {
		return w, 0
	}
	unmet := waits + max(0, w.Replicas-obs.Replicas)
	if float64(waits) >= max(unplacedLeast, unplacedShare*float64(obs.Ready)) && w.Replicas > obs.Replicas {
		w.Replicas, w.Reason = obs.Replicas, Unschedulable
	}
	return w, unmet
}

// unplaced is the pods that found no node.
func unplaced(obs Observation) (n int32) {
	for _, p := range obs.Pods {
		if p.Phase == Starting && p.Unschedulable {
			n++
		}
	}
	return n
}

// full is the requests per second of one replica at a load of 1.
func (s *SLOState) full() float64 {
	return max(float64(s.Plan.Mu)/max(float64(s.Plan.Trim), leastTrim), 1e-6)
}

// occupied is the replicas that what waits now keeps busy for the time of
// drain. Requests in an engine's queue cannot move, so a pod counts as one at
// most, however long its queue; those outside of the engines need any pod.
func (s *SLOState) occupied(obs Observation) (replicas float64) {
	most := drain.Seconds() * s.full()
	for _, p := range obs.Pods {
		if w := reading(p, Waiting); p.Phase == Ready && w.Known() {
			replicas += min(float64(w)/most, 1)
		}
	}
	if q := outside(obs); q.Known() {
		replicas += float64(q) / most
	}
	return replicas
}

// mostQueued is the largest believable number of requests outside of the engines.
const mostQueued = 1e8

// waiting is the requests that wait in the Ready pods' queues and outside of
// them, as far as they are known.
func waiting(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if w := reading(p, Waiting); p.Phase == Ready && w.Known() {
			sum += w
		}
	}
	if q := outside(obs); q.Known() {
		sum += q
	}
	return sum
}

// outside is the requests that wait outside of the engines.
func outside(obs Observation) Reading {
	if !believable(obs.Queued, mostQueued) {
		return Unknown()
	}
	return max(obs.Queued, 0)
}
