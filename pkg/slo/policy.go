package slo

import (
	"math"
	"time"
)

// Next returns what the objective needs at in.Time, and the state for the next
// call. It neither changes nor keeps its arguments.
func Next(o Objective, old *State, in Input) (Need, *State) {
	o = o.WithDefaults()
	s := old.continued(in.Time)
	s.noteEngines(in)
	if arrived := s.Counter.advance(in); arrived != nil || s.Plan.Limit == "" {
		s.closeBin(o, in, arrived)
	}
	in = s.inEngineRequests(in)
	n := Need{Parts: s.Plan, NoEngine: s.NoEngine, StartupTime: s.startupTime()}
	n.Parts.Backlog = waiting(in)
	n.Replicas, n.Partial = needNow(o, s.Plan, in, s.unlearned(o, in))
	n.Settled = in.Time.Sub(s.Began) >= max(minHistory, n.StartupTime)
	return n, &s
}

// closeBin learns from the bins that ended and plans anew.
func (s *State) closeBin(o Objective, in Input, arrived []float32) {
	b := newBin(o, in, arrived)
	s.Ranks = ranksOf(in, s.Ranks)
	b.ranks = max(s.Ranks, 1)

	// 1. Another engine begins with what is believed of any.
	if before := *s; !s.sameEngine(in) {
		s.forgetEngine(before.dividedBy(o))
	}

	// 2. What each pod did since it was read last.
	b.ttft = s.Sampler.bound(o, s.Lengths.estimate().Prompt)
	s.Sampler.read(in.Pods, b)
	s.Outputs.observe(b)
	b.complete(s.Outputs.estimate(), s.Lengths.estimate())

	// 3. How many requests come for the engines, and how long they are.
	b.queuedGain = s.Counter.queuedGain(in.Queued)
	b.wakes = s.Counter.wakes(in.Ready)
	s.Ratio.observe(b)
	b.requestRatio, b.others = s.Ratio.estimate(), s.Ratio.others()
	b.queued *= Reading(s.ratio())
	s.Arrivals.observe(b)
	b.lastArrivals = b.arrivedLast(s.Arrivals.last())
	s.Lengths.observe(b)
	b.request, b.hangUps = s.Lengths.estimate(), s.Lengths.hangUps()
	b.ttft = s.Sampler.bound(o, b.request.Prompt)

	// 4. How long a step takes.
	s.StepTime.observe(b)
	factor, _ := s.StepTime.estimate()
	b.replica = replica{step: stepTime{o.Prior, factor}, itl: o.ITL.Seconds(), kvTokens: s.KV * s.KVBackoff.estimate()}

	// 5. How many requests run at once, and whether a queue refutes what the steps promise.
	s.Concurrency.observe(b)
	b.limits.Concurrency = s.Concurrency.estimate(o.rankConcurrency(b.ranks))
	s.Queue.observe(b)
	if b.learns() {
		b.limits.QueueShare = s.Queue.estimate()
	}

	// 6. How much of the KV cache can be used.
	s.KVBackoff.observe(b)
	b.replica.kvTokens = s.KV * s.KVBackoff.estimate()

	// 7. How long pods start, and how many are missing.
	s.Startups.observe(b)
	b.startupTime = s.Startups.estimate(o.StartupTime.Seconds())
	s.Missing.observe(b)

	// 8. What a replica sustains, and which share of the requests missed at which load.
	b.capacity = b.replica.capacity(b.request, b.limits).times(b.ranks)
	b.promised = b.replica.capacity(b.request, limits{Concurrency: o.rankConcurrency(b.ranks)}).times(b.ranks).rate
	b.attainment = s.Misses.attainment()
	if s.StepTime.Samples >= 1 {
		b.unloaded = b.capacity.unloaded()
	}
	s.Misses.observe(b)

	// 9. The plan.
	s.makePlan(o, b)
}

// makePlan plans with what a closed bin showed and all estimates.
func (s *State) makePlan(o Objective, b *bin) {
	e := estimates{
		history: s.Arrivals.estimate(), request: b.request, capacity: b.capacity,
		curve:       s.Misses.estimate(b.promised / b.capacity.rate),
		startupTime: b.startupTime, missing: s.Missing.estimate(), hopeless: b.hopeless, ready: b.ready,
	}
	s.Plan = e.parts(o)
	s.Plan.Attainment, s.Plan.RequestRatio = s.Misses.attainment(), Reading(b.requestRatio)
	s.Plan.FloorTTFT = Reading(max(b.unloaded.ttft-(b.ttft-o.TTFT.Seconds()), 0))
	s.Plan.FloorITL = Reading(b.unloaded.itl)
}

// ratio is the engine requests per HTTP request, 1 while that is not known.
func (s *State) ratio() float64 {
	if r := s.Ratio.estimate(); !math.IsNaN(r) {
		return r
	}
	return 1
}

// inEngineRequests is the input with what others than the engines count in engine requests.
// Requests that never reach an engine are hardly ever in flight.
func (s *State) inEngineRequests(in Input) Input {
	r := s.ratio()
	in.Queued *= Reading(r)
	in.InFlight *= Reading(max(r, 1))
	return in
}

// startupTime is the time from a pod's creation to Ready that the plan counts on.
func (s *State) startupTime() time.Duration {
	return time.Duration(float64(s.Plan.StartupTime) * float64(time.Second))
}

// unlearned reports whether the engines report too little to learn what a replica
// can do, or have not reported enough yet, and no queue has shown it.
func (s *State) unlearned(o Objective, in Input) bool {
	return o.Has(FeatureLearning) && s.StepTime.Samples < 1 && s.Queue.estimate() == 0 && in.Time.Sub(s.Began) > minHistory
}
