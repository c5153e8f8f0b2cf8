package slo

// The steps of closeBin, in their order. Each has its learners observe the bin, and puts their
// estimates into it.

// startOverOnAnotherEngine begins another engine with what is believed of any.
func (s *State) startOverOnAnotherEngine(in Input, b *bin) {
	ranks := ranksOf(in, s.Ranks)
	if ranks != s.Ranks {
		s.Skew = rankSkew{}
	}
	s.Ranks = ranks
	b.ranks = max(s.Ranks, 1)
	if before := *s; !s.sameEngine(in) {
		s.forgetEngine(before.dividedBy(b.objective))
	}
}

// readPods makes a sample of what each pod did, by the bound on first tokens so far.
func (s *State) readPods(in Input, b *bin) {
	b.ttft = s.Sampler.bound(b.objective, s.Lengths.estimate().Prompt)
	s.Sampler.read(in.Pods, s.Outputs.estimate(), b)
	s.Outputs.observe(b)
	b.complete(s.Outputs.estimate(), s.Lengths.estimate())
	s.Skew.observe(b)
	b.effectiveRanks = s.effectiveRanks()
}

// countRequests turns HTTP requests into the engines', and learns their lengths. The bound on
// first tokens follows the length of prompts.
func (s *State) countRequests(in Input, b *bin) {
	b.queuedGain = s.Counter.queuedGain(in.Queued)
	b.wakes = s.Counter.wakes(in.Ready)
	s.Ratio.observe(b)
	b.requestRatio, b.others = s.Ratio.estimate(), s.Ratio.others()
	b.queued *= Reading(s.ratio())
	b.queuedBefore = max(float64(b.queued)-b.queuedGain*s.ratio(), 0)
	s.Arrivals.observe(b)
	b.lastArrivals = b.arrivedLast(s.Arrivals.last())
	s.Lengths.observe(b)
	b.request, b.hangUps = s.Lengths.estimate(), s.Lengths.hangUps()
	b.ttft = s.Sampler.bound(b.objective, b.request.Prompt)
}

// timeSteps models a replica by the time of its steps.
func (s *State) timeSteps(b *bin) {
	s.StepTime.observe(b)
	b.replica = s.replica(b.objective)
}

// limitConcurrency learns how many requests run at once, and whether a queue refutes what the
// steps promise.
func (s *State) limitConcurrency(b *bin) {
	s.Concurrency.observe(b)
	b.limits.Concurrency = s.Concurrency.estimate(s.slots(b.objective))
	s.Queue.observe(b)
	if b.learns() {
		b.limits.QueueShare = s.Queue.estimate()
	}
}

// limitKVCache learns how much of the KV cache can be used.
func (s *State) limitKVCache(b *bin) {
	s.KVBackoff.observe(b)
	b.replica.kvTokens = s.KV * s.KVBackoff.estimate()
}

// countStartups learns how long pods start, and how many are missing.
func (s *State) countStartups(b *bin) {
	s.Startups.observe(b)
	b.startupTime = s.Startups.estimate(b.objective.StartupTime.Seconds())
	s.Missing.observe(b)
}

// weighMisses computes what a replica sustains, and learns which share of the requests missed at
// which load.
func (s *State) weighMisses(b *bin) {
	unlearned := limits{Concurrency: s.slots(b.objective)}
	b.capacity = b.replica.capacity(b.request, b.limits).times(b.effectiveRanks, b.ranks)
	b.promised = b.replica.capacity(b.request, unlearned).times(b.effectiveRanks, b.ranks).rate
	b.attainment = s.Misses.attainment()
	if s.StepTime.Samples >= 1 {
		b.unloaded = b.capacity.unloaded()
	}
	s.Misses.observe(b)
}

// makePlan plans with what the bin showed and all estimates.
func (s *State) makePlan(b *bin) {
	e := estimates{
		history: s.Arrivals.estimate(), request: b.request, capacity: b.capacity,
		curve:       s.Misses.estimate(b.promised / b.capacity.rate),
		startupTime: b.startupTime, missing: s.Missing.estimate(), hopeless: b.hopeless, ready: b.ready,
	}
	s.Plan = e.parts(b.objective)
	s.Plan.Attainment, s.Plan.RequestRatio = s.Misses.attainment(), Reading(b.requestRatio)
	s.Plan.RankSkew = Reading(s.Skew.estimate())
	s.Plan.FloorTTFT = Reading(max(b.unloaded.ttft-(b.ttft-b.objective.TTFT.Seconds()), 0))
	s.Plan.FloorITL = Reading(b.unloaded.itl)
}
