package decider

import (
	"errors"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// stateVersion changes with the meaning of SLOState.
const stateVersion = 1

// SLOState is what the SLO policy remembers. It holds no more than an hour of
// bins and the counters of marksKept pods: below 16 KiB as JSON.
type SLOState struct {
	Version int `json:"v"`
	// Began is the first decision of this state, Last the latest.
	Began time.Time `json:"began"`
	Last  time.Time `json:"last"`
	// Looked is when the engines' counters were looked at.
	Looked  time.Time `json:"looked"`
	Load    arrivals  `json:"load"`
	Engines engines   `json:"engines"`
	Fit     fit       `json:"fit"`
	Lengths lengths   `json:"lengths"`
	// Outcomes is what the misses were by load.
	Outcomes outcomes `json:"outcomes"`
	// KV is the size of one replica's KV cache in tokens, 0 when not known.
	KV float64 `json:"kv,omitempty"`
	// Plan is that of the last closed bin, with the parts that it came from.
	Plan SLOParts `json:"plan"`
	// Hold has the needs of the hold-down time, Overdue since when requests wait too long.
	Hold    window.Max `json:"hold,omitzero"`
	Overdue time.Time  `json:"overdue,omitzero"`
	Surge   time.Time  `json:"surge,omitzero"`

	checked bool // not stored: what comes from a store is checked once
}

// SLOParts are the numbers behind a want of the metric SLO.
type SLOParts struct {
	// Mu is the requests per second that one replica carries within the goal;
	// Limit names what limits it: compute, ITL, KV or sequences.
	Mu    Reading `json:"mu"`
	Limit string  `json:"limit,omitempty"`
	// Demand is requests per second, Work the engine seconds of one request.
	Demand Reading `json:"demand"`
	Work   Reading `json:"work"`
	// Backlog is the requests that wait and that more replicas can take.
	Backlog Reading `json:"backlog"`
	// LeadTime is seconds from a pod's creation to Ready.
	LeadTime Reading `json:"leadTime"`
	// Envelope is the factor for what may come within the lead time.
	Envelope Reading `json:"envelope"`
	// Trim is the share of a replica's full rate that is used within the goal, learned from the misses.
	Trim Reading `json:"trim"`
	// Floor is the share of misses that no number of replicas would help.
	Floor Reading `json:"floor"`
	// Need is the replicas before rounding and memory.
	Need Reading `json:"need"`
	// NeedLevel and NeedPast are its two parts: for what comes next, and for the past hour to come again.
	NeedLevel Reading `json:"needLevel"`
	NeedPast  Reading `json:"needPast"`
	// ConcurrencyTarget is what autoscaling.knative.dev/target would have to be for Knative's own autoscaler.
	ConcurrencyTarget Reading `json:"concurrencyTarget"`
	// Attainment is the share of late requests, faded over half an hour, that met both latencies.
	Attainment Reading `json:"attainment"`
	// Unmet is the replicas that are wanted and have no place in the cluster.
	Unmet int32 `json:"unmet"`
}

func newSLOState(now time.Time) SLOState {
	return SLOState{Version: stateVersion, Began: now, Last: now, Looked: now, Load: newArrivals(now), Lengths: newLengths(), checked: true}
}

// Valid returns why a stored state cannot be used; Decide then begins anew. A
// nil state is one of nothing and valid.
func (s *SLOState) Valid() error {
	switch {
	case s == nil:
		return nil
	case s.Version != stateVersion:
		return errors.New("state of the SLO policy: another version; it begins anew")
	case !s.Load.sound(), !s.Engines.sound(), !s.Fit.sound(), !s.Lengths.sound(), !s.Outcomes.sound(),
		!(s.KV >= 0 && s.KV < 1e15):
		return errors.New("state of the SLO policy: numbers out of range; it begins anew")
	}
	return nil
}

// continued is a copy of the state to go on with at now.
func (s *SLOState) continued(now time.Time) SLOState {
	if s == nil || !s.checked && s.Valid() != nil || s.Last.Sub(now) > time.Minute {
		return newSLOState(now)
	}
	next := *s
	next.checked = true
	return next
}

// The times of the policy.
const (
	leastGuard = time.Minute
	leastHold  = 5 * time.Minute
	// drain is the time within which a backlog should be gone.
	drain = time.Minute
)

// sloWant is the want of the metric SLO.
func sloWant(spec Spec, old *SLOState, obs Observation) (Want, *SLOParts, *SLOState) {
	o := spec.SLO.withDefaults()
	next := old.continued(obs.Time)
	s := &next
	var closed bool
	s.Load, closed = s.Load.advance(obs, obs.RPS.Panic)
	s.Last = obs.Time
	if closed || s.Plan.Limit == "" {
		s.closeBin(o, obs)
	}
	w := Want{Metric: SLO, Observed: s.Plan.Attainment * 100, Target: o.Goal * 100, Asked: -1, Replicas: -1, Reason: NoData}
	told := s.Plan
	parts := &told
	if !parts.Need.Known() {
		return w, parts, s
	}
	need := float64(parts.Need)
	parts.Backlog = waiting(obs)
	if o.has(PartBacklog) {
		need += s.occupied(obs)
	}
	w.Asked = toCount(math.Ceil(need - 0.05))
	w.Replicas, w.Reason = w.Asked, DesiredWithinRange
	w = s.hold(o, w, obs)
	return w, parts, s
}

// full is the requests per second of one replica at a load of 1.
func (s *SLOState) full() float64 { return float64(s.Plan.Mu) / max(float64(s.Plan.Trim), 1e-9) }

// hold keeps the largest want of the hold-down time. After a start without any
// history the present count is held.
func (s *SLOState) hold(o Objective, w Want, obs Observation) Want {
	lead := time.Duration(float64(s.Plan.LeadTime) * float64(time.Second))
	if obs.Time.Sub(s.Began) < max(leastGuard, lead) && w.Replicas < obs.Replicas {
		w.Replicas, w.Reason = obs.Replicas, ScaleDownStabilized
	}
	if !o.has(PartHold) {
		return w
	}
	recent := s.Hold.Resize(max(leastHold, 2*lead))
	if recent.IsEmpty(obs.Time) {
		recent = window.NewMax(max(leastHold, 2*lead), binWidth)
	}
	s.Hold = recent.Record(obs.Time, w.Replicas)
	if most := s.Hold.Current(); most > w.Replicas {
		w.Replicas, w.Reason = most, ScaleDownStabilized
	}
	return w
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
	if q := within(obs.Queued, maxRequests*1000); q.Known() {
		replicas += float64(q) / most
	}
	return replicas
}

// waiting is the requests that wait in the Ready pods' queues and outside of
// them, as far as they are known.
func waiting(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if w := reading(p, Waiting); p.Phase == Ready && w.Known() {
			sum += w
		}
	}
	if q := within(obs.Queued, maxRequests*1000); q.Known() {
		sum += q
	}
	return sum
}

// closeBin learns from the bins that ended and plans anew.
func (s *SLOState) closeBin(o Objective, obs Observation) {
	var buffer [marksKept]looked
	samples := buffer[:0]
	ttft := o.TTFT.Seconds() + o.TTFTPerToken.Seconds()*s.Lengths.Prompt
	if s.Engines.TTFT > 0 && math.Abs(ttft/s.Engines.TTFT-1) < 0.2 {
		ttft = s.Engines.TTFT
	}
	seconds := max(obs.Time.Sub(s.Looked).Seconds(), 0.1)
	s.Looked = obs.Time
	s.Engines = s.Engines.look(obs.Pods, ttft, func(d sample, m *mark) { samples = append(samples, looked{d, m}) })
	s.KV = kvTokens(obs, s.KV)
	s.learn(o, samples, seconds)
	c := s.capacity(o, s.KV)
	s.judge(o, obs, c, samples)
	s.Plan = s.parts(o, c)
}

// looked is a pod's sample, and its mark to note in.
type looked struct {
	sample
	mark *mark
}

// episode is the share of misses from which they are part of an episode.
const episode = 0.05

// judge counts what the requests of the last bin met, by the load of the bin
// and what the pod still had to do. Misses that follow on worse ones are put
// down to the load that began them: a queue outlives its cause, and would
// otherwise teach that pods miss without any load.
func (s *SLOState) judge(o Objective, obs Observation, c capacity, samples []looked) {
	s.Outcomes.fade()
	bins := s.Load.Bins
	if len(bins) == 0 || bins[len(bins)-1] < 0 || obs.Ready < 1 {
		return
	}
	perPod := c.rate * binSeconds
	fleet := float64(bins[len(bins)-1]) / (float64(obs.Ready) * perPod)
	for _, d := range samples {
		seen, missed := d.misses(o.ITL.Seconds())
		load := fleet + d.waiting/perPod
		if missed > episode*seen {
			load = max(load, d.mark[markLoad])
		}
		d.mark[markLoad] = load
		if o.has(PartCurve) {
			s.Outcomes.add(load, seen, missed)
		}
	}
}

// misses is the requests of a sample and how many of them missed: the share
// that had its first token too late, or the pod's tokens being too slow.
func (d sample) misses(itl float64) (seen, missed float64) {
	if !(d.firsts > 0) {
		return 0, 0
	}
	late, slow := 0.0, 0.0
	if d.inTime >= 0 {
		late = max(1-d.inTime/d.firsts, 0)
	}
	if d.gaps > 0 && d.gapSum >= 0 {
		slow = min(max((d.gapSum/d.gaps/itl-0.95)/0.1, 0), 1)
	}
	return d.firsts, d.firsts * max(late, slow)
}

// parts plans and says what it came from.
func (s *SLOState) parts(o Objective, c capacity) SLOParts {
	m := s.Outcomes.curve()
	share := m.allowed(o.Goal)
	plan := s.plan(o, c, &m, share)
	trim := m.sustained(share)
	mu := c.rate * trim
	p := SLOParts{
		Mu: Reading(mu), Limit: c.limit, Work: Reading(c.work), Demand: Unknown(), Need: Unknown(),
		NeedLevel: Unknown(), NeedPast: Unknown(), Backlog: Unknown(), Envelope: Unknown(),
		LeadTime: Reading(s.Engines.lead(o.LeadTime.Seconds())), Trim: Reading(trim), Floor: Reading(m.floor),
		ConcurrencyTarget: Reading(c.running(s.Lengths, mu)), Attainment: s.Outcomes.attainment(),
	}
	if now, known := s.Load.level(len(s.Load.Bins) - 1); known {
		p.Demand, p.Need = Reading(now), Reading(plan.need())
		p.NeedLevel, p.NeedPast = Reading(plan.level), Reading(min(plan.past, plan.alike))
		p.Envelope = Reading(plan.envelope)
	}
	return p
}

// kvTokens is the least KV cache of the Ready pods, or what was known before.
func kvTokens(obs Observation, before float64) float64 {
	least := math.Inf(1)
	for _, p := range obs.Pods {
		if kv := within(p.Totals.KVCapacity, 1e12); p.Phase == Ready && p.Totals.Known && kv > 0 {
			least = min(least, float64(kv))
		}
	}
	if math.IsInf(least, 1) {
		return before
	}
	return least
}
