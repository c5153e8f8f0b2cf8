package slo

import "math"

// missCurve learns which share of requests misses the latencies at which load. It
// counts first tokens by the load under which they came.
type missCurve struct {
	// Limits are those of a replica whose rate is a load of 1 in Seen, Missed and Loads. What
	// was measured, the rate of a replica, is so kept: when other limits are
	// learned, observe converts the loads.
	Limits limits `json:"limits,omitzero"`
	// Seen counts first tokens by step of load, Missed those that missed the objective. Both fade.
	Seen   [loadSteps]float64 `json:"seen"`
	Missed [loadSteps]float64 `json:"missed"`
	// All and Late are the same of all loads, faded by half in half an hour.
	All  float64 `json:"all,omitempty"`
	Late float64 `json:"late,omitempty"`
	// Loads is the load that each pod's last misses are put down to. The slice is
	// replaced, never written.
	Loads []podLoad `json:"loads,omitempty"`

	family *family // not stored: made when first asked for, and shared by copies
}

// podLoad is a pod's PodHash and a load.
type podLoad [2]float64

// observe counts what the requests of a bin met, by the load of the bin and what the
// pod still had to do.
func (t *missCurve) observe(b *bin) {
	t.convert(b)
	visited := t.count(b)
	t.fade(&visited)
}

// convert expresses what was seen in loads of the present limits: when a replica turns
// out to sustain c' instead of c, what was seen at load x belongs to x*c/c'.
func (t *missCurve) convert(b *bin) {
	before := t.Limits
	t.Limits = b.limits
	if before == (limits{}) || before == b.limits {
		return
	}
	k := b.replica.capacity(b.request, before).rate / b.replica.capacity(b.request, b.limits).rate
	t.Seen, t.Missed = t.rescaled(k)
	loads := make([]podLoad, len(t.Loads))
	for i, l := range t.Loads {
		loads[i] = podLoad{l[0], l[1] * k}
	}
	t.Loads = loads
}

// rescaled returns the counts as if every load had been k times higher. Samples at or
// moved beyond the last step are dropped: their true load is unknown.
func (t *missCurve) rescaled(k float64) (seen, missed [loadSteps]float64) {
	for i, n := range t.Seen[:loadSteps-1] {
		if to := stepOf((float64(i) + 0.5) * loadStep * k); to < loadSteps-1 && n > 0 {
			seen[to] += n
			missed[to] += t.Missed[i]
		}
	}
	return seen, missed
}

func stepOf(load float64) int { return int(min(load/loadStep, loadSteps-1)) }

// count counts a bin's samples, and returns the steps of load under which some came.
// Misses that follow on worse ones are put down to the load that began them: a queue
// outlives its cause, and would otherwise teach that pods miss without any load.
func (t *missCurve) count(b *bin) (visited [loadSteps]bool) {
	loads := t.loadsOf(b.followed)
	t.Loads = loads
	if !(b.lastArrivals >= 0) || b.ready < 1 {
		return visited
	}
	perPod := b.capacity.rate * binSeconds
	fleet := b.lastArrivals / (float64(b.ready) * perPod)
	late := queuedTooLong(b)
	for _, d := range b.samples {
		seen, missed := d.misses(b)
		seen, missed = seen*d.ranks, missed*d.ranks
		if late || d.queueTooLong(b.ttft) {
			missed = seen
		}
		t.countAll(seen, missed)
		load, last := fleet+d.waitingBefore*d.ranks/perPod, find(loads, d.pod)
		if missed > episodeThreshold*seen {
			load = max(load, last[1])
		}
		last[1] = load
		if b.objective.Has(FeatureCurve) && !late && t.add(load, seen, missed) {
			visited[stepOf(load)] = true
		}
	}
	return visited
}

// loadsOf is a copy of the loads of the pods that are followed, 0 where there is none yet.
func (t *missCurve) loadsOf(followed []float64) []podLoad {
	loads := make([]podLoad, 0, len(followed))
	for _, pod := range followed {
		loads = append(loads, podLoad{pod, find(t.Loads, pod)[1]})
	}
	return loads
}

// find is a pod's entry, or a new one that is in no list.
func find(loads []podLoad, pod float64) *podLoad {
	for i := range loads {
		if loads[i][0] == pod {
			return &loads[i]
		}
	}
	return &podLoad{pod}
}

// fade lets a bin pass, in which requests came under some steps of load.
func (t *missCurve) fade(visited *[loadSteps]bool) {
	t.All *= visitedFade
	t.Late *= visitedFade
	for i, now := range visited {
		k := unvisitedFade
		if now || t.Missed[i] > episodeThreshold*t.Seen[i] {
			k = visitedFade
		}
		t.Seen[i] *= k
		t.Missed[i] *= k
	}
}

// add counts requests under a load, if there are any.
func (t *missCurve) add(load, seen, missed float64) bool {
	if !(seen > 0 && load >= 0) {
		return false
	}
	i := stepOf(load)
	t.Seen[i] += seen
	t.Missed[i] += min(max(missed, 0), seen)
	return true
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

// estimate is the expected share of misses by load.
func (t *missCurve) estimate() curve {
	if t.family == nil {
		t.family = newFamily()
	}
	var buffer [loadSteps]tally
	tallies := buffer[:0]
	for i, seen := range t.Seen[:endLikelihood] {
		if seen > minSeen {
			tallies = append(tallies, tally{i, t.Missed[i], seen - t.Missed[i]})
		}
	}
	return t.family.mean(tallies)
}

func (t *missCurve) valid() bool {
	for i := range t.Seen {
		if !(t.Seen[i] >= 0 && t.Seen[i] < MaxTotal && t.Missed[i] >= 0 && t.Missed[i] <= t.Seen[i]) {
			return false
		}
	}
	for _, l := range t.Loads {
		if !(l[0] >= 0 && l[0] < MaxTotal && l[1] >= 0 && l[1] < MaxTotal) {
			return false
		}
	}
	return t.All >= 0 && t.All < MaxTotal && t.Late >= 0 && t.Late <= t.All && len(t.Loads) <= maxFollowedPods &&
		t.Limits.valid()
}

// queuedTooLong reports whether what waits outside of the engines waits for longer
// than a first token may take. The engines count from when a request reaches them,
// so that behind an endpoint picker all would look well however long it holds them.
func queuedTooLong(b *bin) bool {
	q := b.queued
	return q.Known() && float64(q) > b.ttft*b.capacity.rate*float64(b.ready)
}

// queueTooLong reports whether the engine's queue was twice what it begins within
// a bound. Some count a first token's time from when its request left that queue
// (llm-d's simulator does), and then all look well. Unlike what waits outside,
// that queue is part of the load under which they came.
func (d sample) queueTooLong(bound float64) bool {
	return d.begun() > 0 && d.queueLasted(2*bound)
}

// misses is the requests of a sample and how many of them missed:
// the share that had its first token too late, or whose further tokens were
// too slow on average.
func (d sample) misses(b *bin) (seen, missed float64) {
	begun := d.begun()
	if !(begun > 0) || d.firsts < 0 && !(d.waiting >= 0 && d.gaps > 0) {
		return 0, 0
	}
	return begun, begun * max(d.lateFirstTokens(b.ttft), d.slow(b.objective.ITL.Seconds(), b.capacity))
}

// slow is the share of requests whose mean time between tokens was above a
// bound. The pod's mean over the sample is not enough: a short answer
// meets more or fewer prompts than that, in the manner of Poisson and with
// lengths that vary as much as they are long. A bound that the engine cannot
// meet without any load judges nothing.
func (d sample) slow(bound float64, c capacity) float64 {
	if !(d.gaps > 0 && d.gapSum >= 0) || c.base >= bound {
		return 0
	}
	mean, output := d.gapSum/d.gaps, max(c.output, 1)
	met := max(d.begun(), 0) / max(d.seconds, 0.1) * output * mean // prompts during one answer
	spread := max(c.prompt*math.Sqrt(2*met)/output, bound/itlSpreadDivisor)
	return 1 / (1 + math.Exp(normalSlope*(bound-mean)/spread)) // nearly the normal distribution
}

// forgetEngine keeps little of what was seen on another engine. Load is relative to what
// a replica sustains, so it says something of the next engine, too; its limits are unknown.
func (t *missCurve) forgetEngine() {
	t.Limits = limits{}
	for i := range t.Seen {
		t.Seen[i] *= inheritedWeight
		t.Missed[i] *= inheritedWeight
	}
}
