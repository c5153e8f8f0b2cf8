package slo

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// podCounters is what one pod's metrics endpoint reported last, unknownCount where
// unknown. It is stored as a short list.
type podCounters struct {
	pod         float64 // PodHash
	startupSeen float64 // 1 when the startup time of this pod was counted
	// Counters since the engine began.
	steps, prompt, cached, generated, finished, preempted float64
	firsts, firstTokensBelowLower, firstTokensBelowUpper  float64
	gaps, gapSum, ended, endedSum, firstSum               float64
	gapsBelowLower, gapsBelowUpper                        float64
	// phased is the requests whose queue time was counted, phasedLate those of them that it made late.
	phased, phasedLate float64
	waiting, running   float64 // requests, not counters
	at                 float64 // when the pod was read, in Unix seconds
	// uncounted is the number of requests that should have been counted since a counter moved last.
	uncounted float64
	// rank is the fullest of several ranks.
	rank rankCounters
}

// firstCounter and endCounter are the part of fields that only grows.
const firstCounter, endCounter = 2, 20

// fields are all of them, in the order in which they are stored.
func (c *podCounters) fields() [31]*float64 {
	return [...]*float64{
		&c.pod, &c.startupSeen, &c.steps, &c.prompt, &c.cached, &c.generated, &c.finished, &c.preempted,
		&c.firsts, &c.firstTokensBelowLower, &c.firstTokensBelowUpper, &c.gaps, &c.gapSum, &c.ended, &c.endedSum, &c.firstSum,
		&c.gapsBelowLower, &c.gapsBelowUpper,
		&c.phased, &c.phasedLate,
		&c.waiting, &c.running, &c.at, &c.uncounted,
		&c.rank.id, &c.rank.tokens, &c.rank.running, &c.rank.waiting, &c.rank.given, &c.rank.all, &c.rank.requests,
	}
}

// MarshalJSON writes a list of the fields.
func (c podCounters) MarshalJSON() ([]byte, error) {
	var list [31]float64
	for i, f := range c.fields() {
		list[i] = *f
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads such a list; one of another length is an error.
func (c *podCounters) UnmarshalJSON(b []byte) error {
	var list []float64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	fields := c.fields()
	if len(list) != len(fields) {
		return fmt.Errorf("counters of a pod: %d numbers, want %d", len(list), len(fields))
	}
	for i, f := range fields {
		*f = list[i]
	}
	return nil
}

// PodHash is a pod's name as a number: FNV-1a; of two pods with the same hash the first counts.
func PodHash(name string) float64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return float64(h)
}

// countersOf reads a pod against a TTFT objective in seconds and the times in the queue that
// make a request late.
func countersOf(p Pod, ttft, itl float64, ph *phases) podCounters {
	t := p.Totals
	phased, phasedLate := ph.count(t.QueueTime)
	lower, upper, _ := t.TTFT.around(ttft)
	gapsLower, gapsUpper, _ := t.ITL.around(itl)
	return podCounters{
		pod: PodHash(p.Name), steps: total(t.Steps), prompt: total(t.PromptTokens), cached: total(t.CachedTokens),
		generated: total(t.GenerationTokens), finished: total(t.Finished), preempted: total(t.Preemptions),
		firsts: total(t.TTFT.Count), firstTokensBelowLower: lower, firstTokensBelowUpper: upper,
		gaps: total(t.ITL.Count), gapSum: total(t.ITL.Sum), ended: total(t.E2E.Count), endedSum: total(t.E2E.Sum),
		firstSum: total(t.TTFT.Sum), gapsBelowLower: gapsLower, gapsBelowUpper: gapsUpper,
		phased: phased, phasedLate: phasedLate,
		waiting: total(p.Waiting), running: total(p.Running),
		rank: t.Fullest.rankCounters(),
	}
}

// around is the numbers of observations not above the edges of the bucket that a
// bound in seconds is in, and its position in the bucket, from 0 at the lower edge to
// 1; unknownCount when the histogram is not known.
func (h Histogram) around(bound float64) (lower, upper, position float64) {
	n := min(len(h.Bounds), len(h.Counts))
	all := total(h.Count)
	if n == 0 || all < 0 {
		return unknownCount, unknownCount, 0
	}
	from, before := 0.0, 0.0
	for i := range n {
		to, count := h.Bounds[i], min(h.Counts[i], all)
		if !(count >= before) || !(to > from) || count > MaxTotal {
			return unknownCount, unknownCount, 0 // not a cumulative histogram
		}
		if bound < to {
			return before, count, (bound - from) / (to - from)
		}
		from, before = to, count
	}
	return before, before, 0 // above all bounds
}

// gain is what the counters gained since before; false after a restart, or
// when a gain is absurd.
func (c podCounters) gain(before podCounters) (sample, bool) {
	gained := c
	now, was := gained.fields(), before.fields()
	for i := firstCounter; i < endCounter; i++ {
		switch {
		case *now[i] < 0 || *was[i] < 0:
			*now[i] = unknownCount
		case *now[i] < *was[i] || *now[i]-*was[i] > maxGain:
			return sample{}, false
		default:
			*now[i] -= *was[i]
		}
	}
	return sample{
		pod: c.pod, steps: gained.steps, prompt: gained.prompt, cached: max(gained.cached, 0), generated: gained.generated,
		finished: gained.finished, preempted: max(gained.preempted, 0), firsts: gained.firsts,
		firstTokensBelowLower: gained.firstTokensBelowLower, firstTokensBelowUpper: gained.firstTokensBelowUpper,
		gaps: gained.gaps, gapSum: gained.gapSum, ended: gained.ended, endedSum: gained.endedSum, firstSum: gained.firstSum,
		gapsBelowLower: gained.gapsBelowLower, gapsBelowUpper: gained.gapsBelowUpper,
		phased: gained.phased, phasedLate: gained.phasedLate, waitingBefore: max(before.waiting, 0),
		waiting: c.waiting, waitingThroughout: max(min(before.waiting, c.waiting), 0),
		runningBefore: before.running, running: c.running,
	}, true
}

// uncountedSince is the number of requests that a working engine should have counted since a counter moved
// last: by Little's law the requests that ran, times the seconds, by secondsPerCount. It is 0
// if a counter has moved, or no counter is known.
func (c podCounters) uncountedSince(before podCounters, secondsPerCount float64) float64 {
	now, was, known := c.fields(), before.fields(), false
	for i := firstCounter; i < endCounter; i++ {
		if *now[i] < 0 || *was[i] < 0 {
			continue
		}
		if *now[i] != *was[i] {
			return 0
		}
		known = true
	}
	if !known {
		return 0
	}
	ran := (max(before.running, 0) + max(c.running, 0)) / 2 * max(c.at-before.at, 0)
	return min(before.uncounted+ran/secondsPerCount, MaxTotal)
}

// frozen reports whether the counters stand still for longer than an engine that works can explain.
func (c podCounters) frozen() bool { return c.uncounted >= minUncounted }

// steadyWithQueue reports whether a pod, or the fullest of its ranks, ran as many requests as before, and let
// others wait both times, with kv percent of the KV cache in use.
func (c podCounters) steadyWithQueue(before podCounters, kv Reading) bool {
	if d, b := c.rank, before.rank; d.same(b) && d.running >= 0 && b.running >= 0 {
		c.running, before.running, c.waiting, before.waiting = d.running, b.running, d.waiting, b.waiting
	}
	room := min(roomyKV, fullKV*c.running/(c.running+1))
	return c.running >= 1 && c.running == before.running && c.waiting >= 1 && before.waiting >= 1 && float64(kv) < room
}

// sampler follows the counters of the pods, which makes samples of them.
type sampler struct {
	// TTFT is the bound in seconds that first tokens were counted against.
	TTFT float64 `json:"ttft,omitempty"`
	// ITL is the bound in seconds that gaps were counted against: the objective's, times the tokens of a gap.
	ITL float64 `json:"itl,omitempty"`
	// Phases says which times in the queue make a request late.
	Phases phases `json:"phases,omitzero"`
	// Pods are the counters last read. The slice is replaced, never written.
	Pods []podCounters `json:"pods,omitempty"`
}

func (s *sampler) find(hash float64) (podCounters, bool) {
	for _, c := range s.Pods {
		if c.pod == hash {
			return c, true
		}
	}
	return podCounters{}, false
}

// read samples every pod that is followed into a bin, and notes what it read. The
// counters of a pod that cannot be read are kept for its next reading.
func (s *sampler) read(pods []Pod, tokensPerOutput float64, b *bin) {
	at := float64(b.end.UnixMilli()) / 1000
	itl := s.gapBound(b.objective.ITL.Seconds(), tokensPerOutput)
	moved, itlMoved, shares := s.TTFT != b.ttft, s.ITL != itl, s.Phases.Late
	s.Phases.observe(b.objective, b.ttft, pods)
	b.hopeless, b.byPhases = s.Phases.Hopeless, s.Phases.known()
	otherShares := !slices.Equal(shares, s.Phases.Late)
	read := make([]podCounters, 0, min(len(pods), maxFollowedPods))
	for _, p := range pods {
		if len(read) == maxFollowedPods {
			break
		}
		before, seen := s.find(PodHash(p.Name))
		if !p.Totals.Known {
			if seen {
				read = append(read, before)
			}
			continue
		}
		now := countersOf(p, b.ttft, itl, &s.Phases)
		now.startupSeen, now.at = before.startupSeen, at
		if now.startupSeen == 0 && p.ReadyAfter > 0 {
			now.startupSeen = 1
			// A pod that was Ready again days after its creation reports no startup.
			if p.ReadyAfter <= maxStartupTime {
				b.startups = append(b.startups, p.ReadyAfter.Seconds())
			}
		}
		if moved {
			before.firstTokensBelowLower, before.firstTokensBelowUpper = unknownCount, unknownCount
		}
		if itlMoved {
			before.gapsBelowLower, before.gapsBelowUpper = unknownCount, unknownCount
		}
		if otherShares {
			before.phased, before.phasedLate = unknownCount, unknownCount
		}
		if seen {
			now.uncounted = now.uncountedSince(before, secondsPerCount(p.Totals, b.ttft))
			begun := max(now.firsts, now.finished) - max(before.firsts, before.finished)
			now.rank = now.rank.since(before.rank, now.prompt-before.prompt, begun)
		}
		read = append(read, now)
		d, ok := now.gain(before)
		switch {
		case !seen || !ok:
		case now.frozen():
			b.frozen++
		default:
			_, _, d.bucketPosition = p.Totals.TTFT.around(b.ttft)
			_, _, d.gapPosition = p.Totals.ITL.around(itl)
			d.judgedTokens = itl / b.objective.ITL.Seconds()
			b.samples = append(b.samples, d.between(before, now, p))
		}
	}
	for _, c := range read {
		b.followed = append(b.followed, c.pod)
	}
	s.Pods, s.TTFT, s.ITL = read, b.ttft, itl
}

// between completes what a pod did between two readings.
func (d sample) between(before, now podCounters, p Pod) sample {
	d.interval, d.steadyWithQueue = max(now.at-before.at, minSeconds), now.steadyWithQueue(before, p.KVCache)
	d.seconds = d.interval
	return d.believed().perRank(p.ranks()).withFullest(before.rank, now.rank)
}

// bound is what first tokens are counted against, in seconds, with a mean prompt.
// It moves with the prompt only when that has changed much, for the counts
// against two bounds cannot be compared.
func (s *sampler) bound(o Objective, prompt float64) float64 {
	bound := o.TTFT.Seconds() + o.TTFTPerToken.Seconds()*prompt
	if s.TTFT > 0 && math.Abs(bound/s.TTFT-1) < sameBound && o.TTFTPerToken > 0 {
		return s.TTFT
	}
	return bound
}

// gapBound is the bound in seconds on gaps of several tokens. Like the bound on first tokens, it moves only when the
// tokens have changed much.
func (s *sampler) gapBound(itl, tokens float64) float64 {
	bound := itl * tokens
	if tokens > 1 && s.ITL > itl && math.Abs(bound/s.ITL-1) < sameBound {
		return s.ITL
	}
	return bound
}

func (s *sampler) valid() bool {
	for _, c := range s.Pods {
		for _, f := range c.fields() {
			if !(*f >= unknownCount && *f <= MaxTotal) {
				return false
			}
		}
	}
	return len(s.Pods) <= maxFollowedPods && s.Phases.valid() && s.TTFT >= 0 && s.TTFT < 1e9 && s.ITL >= 0 && s.ITL < 1e9
}
