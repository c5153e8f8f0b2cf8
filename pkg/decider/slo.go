package decider

import (
	"math"
	"time"
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
func sloWant(spec Spec, old *SLOState, obs Observation, ts TargetState) (Want, *SLOParts, *SLOState, TargetState) {
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
	t := Target{Metric: SLO, Value: o.Goal * 100}
	need, why := s.needNow(o, obs)
	if s.Bare {
		need, why = bareNeed(spec, obs), DesiredWithinRange
		parts = parts.bare(need, o.Pageless)
	}
	if math.IsNaN(need) && busy(obs) == 0 {
		w := unknownWant(t)
		w.Observed = parts.Attainment * 100
		return w, &parts, &s, ts
	}
	if math.IsNaN(need) {
		need, why = float64(obs.Replicas), PartialData
	}
	w := newWant(t, parts.Attainment*100, toCount(math.Ceil(need-0.05)))
	w.Reason = why
	a := asked{spec: spec, obs: obs, metric: SLO, replicas: w.Asked, holdDown: s.holdDown(), uncertain: s.uncertain(why, obs)}
	a.witnessed = s.witnessedCount(obs)
	picked := sloRules
	if !o.has(PartHold) {
		picked &^= stabilization
	}
	if s.Bare { // the want comes from the queue-proxies alone
		picked &^= jumpLimit
	}
	ts = w.shape(picked, a, ts)
	parts.Unmet = w.unmet(obs)
	return w, &parts, &s, ts
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

// uncertain says why the want must not fall: it is made from too little, most
// engines that have a page cannot be read, or a startup time of history is missing.
func (s *SLOState) uncertain(why Reason, obs Observation) Reason {
	switch {
	case why == PartialData, !s.Bare && blind(obs):
		return PartialData
	case obs.Time.Sub(s.Began) < max(leastGuard, s.startupTime()):
		return ScaleDownStabilized
	}
	return ""
}

// witnessedCount is the most replicas for the requests that others than the engines
// see: one each. While the queue-proxies report no concurrency those in flight
// are taken to be the arrivals of one bin.
func (s *SLOState) witnessedCount(obs Observation) int32 {
	seen, known := witnessed(obs)
	if !known && s.Plan.Demand.Known() {
		seen += float64(s.Plan.Demand) * binSeconds
	}
	return toCount(math.Ceil(seen))
}

// startupTime is the time from a pod's creation to Ready that the plan counts on.
func (s *SLOState) startupTime() time.Duration {
	return time.Duration(float64(s.Plan.LeadTime) * float64(time.Second))
}

// holdDown is how long the largest want is kept.
func (s *SLOState) holdDown() time.Duration { return max(leastHold, 2*s.startupTime()) }

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

// Pods without a node are waited for up to this many, or this share of the Ready ones.
const (
	minUnplaced   = 4
	unplacedShare = 0.25
)

// unmet is the replicas that are wanted and have no node.
func (w *Want) unmet(obs Observation) int32 {
	waits := unplaced(obs)
	if waits == 0 {
		return 0
	}
	wanted := w.Replicas
	for _, s := range w.Trace {
		if s.Reason == Unschedulable {
			wanted = s.Before
		}
	}
	return waits + max(0, wanted-obs.Replicas)
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
