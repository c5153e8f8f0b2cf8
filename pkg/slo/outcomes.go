package slo

import "math"

// outcomes counts first tokens by the load under which they came: how many, and
// how many of them missed the objective. Both fade.
type outcomes struct {
	Seen   [loadSteps]float64 `json:"seen"`
	Missed [loadSteps]float64 `json:"missed"`
	// All and Late are the same of all loads, faded by half in half an hour.
	All  float64 `json:"all,omitempty"`
	Late float64 `json:"late,omitempty"`

	family *family // not stored: made when first asked for, and shared by copies
}

func (t *outcomes) scale(k float64) {
	for i := range t.Seen {
		t.Seen[i] *= k
		t.Missed[i] *= k
	}
}

// times is what was seen when each load was as many times as high. What was, or
// would be, beyond the last step is left out: how far beyond is not known.
func (t outcomes) times(k float64) outcomes {
	moved := t
	moved.Seen, moved.Missed = [loadSteps]float64{}, [loadSteps]float64{}
	for i, seen := range t.Seen[:loadSteps-1] {
		if load := (float64(i) + 0.5) * loadStep * k; stepOf(load) < loadSteps-1 {
			moved.add(load, seen, t.Missed[i])
		}
	}
	return moved
}

func stepOf(load float64) int { return int(min(load/loadStep, loadSteps-1)) }

// fade lets a bin pass, in which requests came under some steps of load.
func (t *outcomes) fade(visited *[loadSteps]bool) {
	t.All *= outcomesFade
	t.Late *= outcomesFade
	for i, now := range visited {
		k := elsewhereFade
		if now || t.Missed[i] > episode*t.Seen[i] {
			k = outcomesFade
		}
		t.Seen[i] *= k
		t.Missed[i] *= k
	}
}

// add counts requests under a load, if there are any.
func (t *outcomes) add(load, seen, missed float64) bool {
	if !(seen > 0 && load >= 0) {
		return false
	}
	i := stepOf(load)
	t.Seen[i] += seen
	t.Missed[i] += min(max(missed, 0), seen)
	return true
}

// count is for what was met of late, under whatever load.
func (t *outcomes) count(seen, missed float64) {
	if seen > 0 {
		t.All += seen
		t.Late += min(max(missed, 0), seen)
	}
}

// attainment is the share of the requests of late that met the objective.
func (t outcomes) attainment() Reading {
	if t.All < 1 {
		return Unknown()
	}
	return Reading(1 - t.Late/t.All)
}

func (t outcomes) sound() bool {
	for i := range t.Seen {
		if !(t.Seen[i] >= 0 && t.Seen[i] < MaxTotal && t.Missed[i] >= 0 && t.Missed[i] <= t.Seen[i]) {
			return false
		}
	}
	return t.All >= 0 && t.All < MaxTotal && t.Late >= 0 && t.Late <= t.All
}

// looked is a pod's sample, and its mark to note in.
type looked struct {
	sample
	mark *mark
}

// judge counts what the requests of the last bin met, by the load of the bin
// and what the pod still had to do. Misses that follow on worse ones are put
// down to the load that began them: a queue outlives its cause, and would
// otherwise teach that pods miss without any load.
func (s *State) judge(o Objective, c capacity, in Input, samples []looked) {
	visited := s.count(o, c, in, samples)
	s.Outcomes.fade(&visited)
}

// count counts them, and tells the steps of load under which some came.
func (s *State) count(o Objective, c capacity, in Input, samples []looked) (visited [loadSteps]bool) {
	bins := s.Load.Bins
	if len(bins) == 0 || bins[len(bins)-1] < 0 || in.Ready < 1 {
		return visited
	}
	perPod := c.rate * binSeconds
	fleet := float64(bins[len(bins)-1]) / (float64(in.Ready) * perPod)
	late := s.heldTooLong(o, c, in)
	for _, d := range samples {
		seen, missed := d.misses(o, c)
		if late || d.waitedTooLong(s.ttft(o)) {
			missed = seen
		}
		s.Outcomes.count(seen, missed)
		load := fleet + d.waiting/perPod
		if missed > episode*seen {
			load = max(load, d.mark[markLoad])
		}
		d.mark[markLoad] = load
		if o.Has(PartCurve) && !late && s.Outcomes.add(load, seen, missed) {
			visited[stepOf(load)] = true
		}
	}
	return visited
}

// heldTooLong reports whether what waits outside of the engines waits for longer
// than a first token may take. The engines count from when a request reaches them,
// so that behind an endpoint picker all would look well however long it holds them.
func (s *State) heldTooLong(o Objective, c capacity, in Input) bool {
	q := in.Queued
	return q.Known() && float64(q) > s.ttft(o)*c.rate*float64(in.Ready)
}

// waitedTooLong reports whether the engine's queue was twice what it begins within
// a bound. Some count a first token's time from when its request left that queue
// (llm-d's simulator does), and then all look well. Unlike what is held outside,
// that queue is part of the load under which they came.
func (d sample) waitedTooLong(bound float64) bool {
	return d.firsts > 0 && d.queued(2*bound)
}

// misses is the requests of a sample and how many of them missed:
// the share that had its first token too late, or whose further tokens were
// too slow on average.
func (d sample) misses(o Objective, c capacity) (seen, missed float64) {
	if !(d.firsts > 0) {
		return 0, 0
	}
	return d.firsts, d.firsts * max(d.late(), d.slow(o.ITL.Seconds(), c))
}

// slow is the share of requests whose mean time between tokens was above a
// bound, which the pod's mean over the sample does not tell: a short answer
// meets more or fewer prompts than that, in the manner of Poisson and with
// lengths that vary as much as they are long. A bound that the engine cannot
// meet without any load judges nothing.
func (d sample) slow(bound float64, c capacity) float64 {
	if !(d.gaps > 0 && d.gapSum >= 0) || c.base >= bound {
		return 0
	}
	mean, output := d.gapSum/d.gaps, max(c.output, 1)
	met := d.firsts / max(d.seconds, 0.1) * output * mean // prompts during one answer
	spread := max(c.prompt*math.Sqrt(2*met)/output, bound/40)
	return 1 / (1 + math.Exp(1.7*(bound-mean)/spread)) // nearly the normal distribution
}
