package slo

import (
	"math"
	"slices"
)

// missCurve learns which share of requests misses the latencies at which load. It keeps
// what requests met by what a replica had to do, as the model of a step has it; limits
// that were learned since make a load of that when it is read.
type missCurve struct {
	Outcomes outcomes `json:"outcomes,omitempty"`
	// All and Late are all first tokens and those that missed, faded by half in half an hour.
	All  float64 `json:"all,omitempty"`
	Late float64 `json:"late,omitempty"`
	// Shares is what each pod's last misses are put down to. The slice is replaced, never written.
	Shares []podShare `json:"shares,omitempty"`

	family *family // not stored: made when first asked for, and shared by copies
}

// podShare is a pod's PodHash and the share of an outcome.
type podShare [2]float64

// observe counts what the requests of a bin met, by what arrived in the bin and what the
// pod still had to do.
func (t *missCurve) observe(b *bin) {
	t.Outcomes = slices.Clone(t.Outcomes)
	visited := t.count(b)
	t.fade(&visited, b.promised/b.capacity.rate)
}

// count counts a bin's samples, and returns the steps of load under which some came.
// Misses that follow on worse ones are put down to the load that began them: a queue
// outlives its cause, and would otherwise teach that pods miss without any load.
func (t *missCurve) count(b *bin) (visited [loadSteps]bool) {
	shares := t.sharesOf(b.followed)
	t.Shares = shares
	if !(b.lastArrivals >= 0) || b.ready < 1 {
		return visited
	}
	promised := b.promised * binSeconds
	fleet := b.lastArrivals / (float64(b.ready) * promised)
	late := b.lateOutside()
	for _, d := range b.samples {
		seen, missed := d.misses(b)
		seen, missed = seen*d.ranks, missed*d.ranks
		if d.queueTooLong(b.ttft) {
			missed = seen
		}
		missed = max(missed, late*seen)
		t.countAll(seen, missed+b.hopeless*(seen-missed))
		if !b.reachesTTFT() { // only slow answers say something of the load
			missed = seen * d.slow(b)
		}
		share, last := fleet+d.waitingBefore*d.ranks/promised, find(shares, d.pod)
		if missed > episodeThreshold*seen {
			share = max(share, last[1])
		}
		last[1] = share
		if b.objective.Has(FeatureCurve) && late == 0 && t.Outcomes.add(share, seen, missed) {
			visited[stepOf(share*b.promised/b.capacity.rate)] = true
		}
	}
	return visited
}

// sharesOf is a copy of the shares of the pods that are followed, 0 where there is none yet.
func (t *missCurve) sharesOf(followed []float64) []podShare {
	shares := make([]podShare, 0, len(followed))
	for _, pod := range followed {
		shares = append(shares, podShare{pod, find(t.Shares, pod)[1]})
	}
	return shares
}

// find is a pod's entry, or a new one that is in no list.
func find(shares []podShare, pod float64) *podShare {
	for i := range shares {
		if shares[i][0] == pod {
			return &shares[i]
		}
	}
	return &podShare{pod}
}

// fade lets a bin pass, in which requests came under some steps of load. A share times k is a load.
func (t *missCurve) fade(visited *[loadSteps]bool, k float64) {
	t.All *= visitedFade
	t.Late *= visitedFade
	for i := range t.Outcomes {
		o := &t.Outcomes[i]
		left := fadeOf(visited[stepOf(o.share*k)], o.seen, o.missed)
		o.seen *= left
		o.missed *= left
	}
	t.Outcomes = slices.DeleteFunc(t.Outcomes, func(o outcome) bool { return o.seen < minSeen })
}

// fadeOf is what a bin leaves of what was seen.
func fadeOf(visited bool, seen, missed float64) float64 {
	if visited || missed > episodeThreshold*seen {
		return visitedFade
	}
	return unvisitedFade
}

// countAll is for what was met lately, under whatever load.
func (t *missCurve) countAll(seen, missed float64) {
	if seen > 0 {
		t.All += seen
		t.Late += min(max(missed, 0), seen)
	}
}

// attainment is the share of recent requests that met the objective.
func (t *missCurve) attainment() Reading {
	if t.All < 1 {
		return Unknown()
	}
	return Reading(1 - t.Late/t.All)
}

// estimate is the expected share of misses by load, which is k times the share of an outcome.
func (t *missCurve) estimate(k float64) curve {
	if t.family == nil {
		t.family = newFamily()
	}
	all := t.Outcomes.byLoad(k)
	var buffer [loadSteps]tally
	tallies := buffer[:0]
	for i, seen := range all.seen[:endLikelihood] {
		if seen > minSeen {
			tallies = append(tallies, tally{i, all.missed[i], seen - all.missed[i]})
		}
	}
	return t.family.mean(tallies)
}

func (t *missCurve) valid() bool {
	for _, s := range t.Shares {
		if !(s[0] >= 0 && s[0] < MaxTotal && s[1] >= 0 && s[1] < MaxTotal) {
			return false
		}
	}
	return t.All >= 0 && t.All < MaxTotal && t.Late >= 0 && t.Late <= t.All && len(t.Shares) <= maxFollowedPods &&
		t.Outcomes.valid()
}

// lateOutside is the share of a bin's requests that wait outside of the engines for longer than a first
// token may take, if the queue grew or shrank evenly. An engine counts from when a request reaches the engine,
// and does not report the time in an endpoint picker or in front of containerConcurrency.
func (b *bin) lateOutside() float64 {
	if !b.queued.Known() {
		return 0
	}
	tolerable, now := b.ttft*b.throughput(), float64(b.queued)
	shortest, longest := min(now, b.queuedBefore), max(now, b.queuedBefore)
	switch {
	case longest <= tolerable:
		return 0
	case shortest >= tolerable:
		return 1
	}
	return 1 - (tolerable-shortest)/(longest-shortest)
}

// throughput is the requests per second that the Ready pods begin while others wait: what they began, at most what
// the model of a step promises, and at least the share of the promise below which the model would be refuted.
func (b *bin) throughput() float64 {
	most := b.capacity.rate * float64(b.ready)
	return min(max(b.begunPerSecond(), refutedThreshold*most), most)
}

// queueTooLong reports whether the engine's queue was twice what it begins within
// a bound. Some count a first token's time from when its request left that queue
// (llm-d's simulator does), and then all look well. Unlike what waits outside,
// that queue is part of the load under which they came.
func (d sample) queueTooLong(bound float64) bool {
	return d.begun() > 0 && d.queueLasted(tolerableQueue*bound)
}

// misses is the requests of a sample and how many of them missed:
// the share that had its first token too late, or whose further tokens were
// too slow on average.
func (d sample) misses(b *bin) (seen, missed float64) {
	begun := d.begun()
	if !(begun > 0) || d.firsts < 0 && !(d.waiting >= 0 && d.gaps > 0) {
		return 0, 0
	}
	if b.byPhases {
		seen := max(d.phased, 0)
		return seen, max(d.phasedLate, seen*d.slow(b))
	}
	return begun, begun * max(d.lateFirstTokens(b.ttft), d.slow(b))
}

// slow is the share of requests whose mean time between tokens was above the
// objective. The pod's mean over the sample is not enough: a short answer
// meets more or fewer prompts than that, in the manner of Poisson and with
// lengths that vary as much as they are long. A bound that the engine cannot
// meet without any load judges nothing.
//
// Clients that hang up leave short answers. Such an answer is slow when more prompts come in the
// time that it may take than the engine computes in what is left of that time, and at most as often as
// an output is slow; an answer of half the tokens of an output, at most twice as often. An answer of a
// single token has no time between tokens.
func (d sample) slow(b *bin) float64 {
	if !(d.gaps > 0 && d.gapSum >= 0) || b.capacity.base >= b.objective.ITL.Seconds() {
		return 0
	}
	slow := 0.0
	for _, g := range d.groups() {
		slow += g.requests * d.slowIn(g, b)
	}
	return slow
}

// slowIn is that share of the requests of a group of ranks.
func (d sample) slowIn(g rankGroup, b *bin) float64 {
	bound, c, h := b.objective.ITL.Seconds(), b.capacity, b.hangUps
	mean, rate := g.gap*d.gapSum/d.gaps, g.load*max(d.begun(), 0)/max(d.seconds, minSeconds)
	share := func(tokens, secondsPerToken float64) float64 {
		met := rate * tokens * secondsPerToken // prompts during the answer
		spread := max(c.prompt*math.Sqrt(2*met)/tokens, bound/itlSpreadDivisor)
		return 1 / (1 + math.Exp(normalSlope*(bound-mean)/spread)) // nearly the normal distribution
	}
	if h.share == 0 {
		return share(max(c.output, 1), mean)
	}
	most := d.slowGaps()
	slow, free := (1-h.share)*share(h.whole, mean), max(1-rate*c.prompt, minFreeTime)
	for i := range hangUpPoints {
		if further := h.at((float64(i)+0.5)/hangUpPoints) - 1; further >= 1 {
			slow += h.share / hangUpPoints * min(share(further, bound/(free*free)), most*max(d.judgedTokens/further, 1))
		}
	}
	return slow
}

// forgetEngine keeps little of what was seen on another engine. A load, which is k times a share,
// is relative to what a replica sustains, so it says something of the next engine, too.
func (t *missCurve) forgetEngine(k float64) {
	var kept outcomes
	for _, o := range t.Outcomes {
		kept.add(o.share*k, o.seen*inheritedWeight, o.missed*inheritedWeight)
	}
	t.Outcomes = kept
}
