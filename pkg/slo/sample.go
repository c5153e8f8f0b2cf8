package slo

import (
	"math"
	"slices"
)

// mark is what one pod's counters showed last, noCount where unknown. It is an
// array so that it is stored as a short list.
type mark [markFields]float64

const (
	markPod        = iota // a hash of the name
	markReadyAfter        // 1 when the lead time of this pod was counted
	markSteps
	markPrompt
	markCached
	markGenerated
	markFinished
	markPreempted
	markFirsts  // first tokens
	markLow     // first tokens not above the lower end of the TTFT objective's bucket
	markHigh    // and not above its upper end
	markGaps    // gaps between tokens
	markGapSum  // seconds
	markWaiting // requests, not a counter
	markLoad    // the load that the last sample's misses are put down to
	markAt      // when this was looked at, in Unix seconds
	markRunning // requests, not a counter
	markFields
)

// engines follows the counters of the pods.
type engines struct {
	// TTFT is the objective, in seconds, that the marks counted first tokens against.
	TTFT  float64 `json:"ttft,omitempty"`
	Marks []mark  `json:"marks,omitempty"`
	// Leads are the last times from creation to Ready, in seconds, oldest first.
	Leads []float32 `json:"leads,omitempty"`
}

// sample is what the counters of one pod gained between two looks.
type sample struct {
	steps, prompt, cached, generated, finished, preempted float64
	firsts, gaps, gapSum                                  float64
	// low and high are the first tokens not above the ends of the TTFT objective's
	// bucket, in which it is far in.
	low, high, far float64
	// waiting is the requests that the engine held in its queue when the time began,
	// waited those that it held then and at the end, whichever is less.
	waiting, waited float64
	// running is the requests that the engine ran at the end, noCount when unknown;
	// full tells that it ran as many at the beginning and let others wait both
	// times, with room in the KV cache.
	running float64
	full    bool
	// seconds is the time in which this was gained.
	seconds float64
}

// PodHash is a pod's name as a number: FNV-1a; of two pods with the same hash the first counts.
func PodHash(name string) float64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return float64(h)
}

// total is a counter, noCount when it is unknown or absurd.
func total(r Reading) float64 {
	if r = r.Within(MaxTotal); r.Known() {
		return float64(r)
	}
	return noCount
}

// markOf reads a pod's page against a TTFT objective in seconds.
func markOf(p Pod, ttft float64) mark {
	t := p.Totals
	low, high, _ := t.TTFT.around(ttft)
	return mark{
		markPod: PodHash(p.Name), markSteps: total(t.Steps), markPrompt: total(t.PromptTokens),
		markCached: total(t.CachedTokens), markGenerated: total(t.GenerationTokens), markFinished: total(t.Finished),
		markPreempted: total(t.Preemptions), markFirsts: total(t.TTFT.Count), markLow: low, markHigh: high,
		markGaps: total(t.ITL.Count), markGapSum: total(t.ITL.Sum), markWaiting: total(p.Waiting),
		markRunning: total(p.Running),
	}
}

// around is the numbers of observations not above the ends of the bucket that a
// bound in seconds is in, and how far in it lies, from 0 at the lower end to 1;
// noCount when the histogram is not known.
func (h Histogram) around(bound float64) (low, high, far float64) {
	n := min(len(h.Bounds), len(h.Counts))
	all := total(h.Count)
	if n == 0 || all < 0 {
		return noCount, noCount, 0
	}
	from, before := 0.0, 0.0
	for i := range n {
		to, count := h.Bounds[i], min(h.Counts[i], all)
		if !(count >= before) || !(to > from) || count > MaxTotal {
			return noCount, noCount, 0 // not a cumulative histogram
		}
		if bound < to {
			return before, count, (bound - from) / (to - from)
		}
		from, before = to, count
	}
	return before, before, 0 // above all bounds
}

// late is the share of requests whose first token came after the bound. Within
// a bucket the share falls as it falls from end to end, which is geometric: most
// of what lies above 1 s lies near it.
func (d sample) late() float64 {
	if !(d.firsts > 0) || d.low < 0 || d.high < 0 {
		return 0
	}
	above, beyond := max(1-d.low/d.firsts, 0), max(1-d.high/d.firsts, 0)
	beyond = max(beyond, above*leastBeyond)
	return above * math.Pow(beyond/max(above, 1e-12), d.far)
}

// gain is what the counters gained since before; false after a restart, or
// when it is absurd.
func (m mark) gain(before mark) (sample, bool) {
	var d mark
	for i := markSteps; i <= markGapSum; i++ {
		switch {
		case m[i] < 0 || before[i] < 0:
			d[i] = noCount
		case m[i] < before[i] || m[i]-before[i] > maxGain:
			return sample{}, false
		default:
			d[i] = m[i] - before[i]
		}
	}
	return sample{
		steps: d[markSteps], prompt: d[markPrompt], cached: max(d[markCached], 0), generated: d[markGenerated],
		finished: d[markFinished], preempted: max(d[markPreempted], 0), firsts: d[markFirsts], low: d[markLow], high: d[markHigh],
		gaps: d[markGaps], gapSum: d[markGapSum], waiting: max(before[markWaiting], 0),
		waited: max(min(before[markWaiting], m[markWaiting]), 0),
	}.perToken(), true
}

// perToken makes gaps of requests' means: TGI and TensorRT-LLM observe one mean
// per request that ended, which stands for all of its tokens.
func (d sample) perToken() sample {
	further := d.generated - max(d.firsts, d.finished, 0) // a first token ends no gap
	if d.gaps > 0 && further > tokensPerGap*d.gaps {
		d.gapSum *= further / d.gaps
		d.gaps = further
	}
	return d
}

// completed estimates what the page does not tell from what it does: a request that
// began for one that ended, prompts of the mean length, a gap for a token, and as
// many steps as gaps of their mean length fit in, which is for an engine at work.
func (d sample) completed(l lengths) sample {
	begun := d.begun()
	if d.finished < 0 {
		d.finished = d.firsts
	}
	if d.prompt < 0 && begun >= 0 {
		d.prompt = begun * l.Prompt
	}
	if d.generated < 0 && d.gaps >= 0 {
		d.generated = d.gaps + max(begun, 0)
	}
	if d.steps < 0 && d.gapSum > 0 {
		d.steps = d.seconds * d.gaps / d.gapSum
	}
	return d
}

// begun is the requests that began, or ended where first tokens are not counted
// (TGI, Triton); below 0 when neither is known.
func (d sample) begun() float64 {
	if d.firsts < 0 {
		return d.finished
	}
	return d.firsts
}

// find returns the mark of a pod.
func (e engines) find(hash float64) (mark, bool) {
	for _, m := range e.Marks {
		if m[markPod] == hash {
			return m, true
		}
	}
	return mark{}, false
}

// look takes a sample of every pod that is followed and gives it to each, with
// the pod's mark to be noted in. Marks and Leads are replaced, never written.
// The mark of a pod that cannot be read waits for its next page.
func (e engines) look(pods []Pod, at, ttft float64, each func(sample, *mark)) engines {
	moved := e.TTFT != ttft
	marks := make([]mark, 0, min(len(pods), marksKept))
	for _, p := range pods {
		if len(marks) == marksKept {
			continue
		}
		before, seen := e.find(PodHash(p.Name))
		if !p.Totals.Known {
			if seen {
				marks = append(marks, before)
			}
			continue
		}
		now := markOf(p, ttft)
		now[markReadyAfter], now[markLoad], now[markAt] = before[markReadyAfter], before[markLoad], at
		if now[markReadyAfter] == 0 && p.ReadyAfter > 0 {
			now[markReadyAfter] = 1
			// A pod that was Ready again days after its creation tells of no start-up.
			if p.ReadyAfter <= longestLead {
				e.Leads = lead(e.Leads, p.ReadyAfter.Seconds())
			}
		}
		marks = append(marks, now)
		if moved {
			before[markLow], before[markHigh] = noCount, noCount
		}
		if d, ok := now.gain(before); seen && ok {
			_, _, d.far = p.Totals.TTFT.around(ttft)
			d.seconds = d.elapsed(max(at-before[markAt], 0.1))
			d.running, d.full = now[markRunning], now.full(before, p.KVCache)
			each(d, &marks[len(marks)-1])
		}
	}
	e.Marks, e.TTFT = marks, ttft
	return e
}

// elapsed is the time in which a sample was gained: that of the looks, or where
// an engine was busy all of it, that of its steps.
func (d sample) elapsed(looks float64) float64 {
	if !(d.gaps > 0 && d.steps > 0 && d.gapSum > alwaysBusy*looks) {
		return looks
	}
	return min(max(d.steps*d.gapSum/d.gaps, looks/pageDrift), looks*pageDrift)
}

func lead(leads []float32, seconds float64) []float32 {
	next := make([]float32, 0, leadsKept)
	next = append(next, leads[max(0, len(leads)-leadsKept+1):]...)
	return append(next, float32(seconds))
}

// lead is the time in seconds within which nine of ten pods became Ready, or
// what is assumed before any did.
func (e engines) lead(assumed float64) float64 {
	if len(e.Leads) == 0 {
		return assumed
	}
	var sorted [leadsKept]float32
	n := copy(sorted[:], e.Leads)
	slices.Sort(sorted[:n])
	seen := float64(sorted[n*9/10])
	if n <= fewLeads {
		middle := min(n/2, max(n-2, 0)) // of two the shorter
		seen = min(seen, fewMost*float64(sorted[middle]))
	}
	return min(max(seen, shortestLead.Seconds()), longestLead.Seconds())
}

// sound reports whether stored marks make sense.
func (e engines) sound() bool {
	for _, m := range e.Marks {
		for _, v := range m {
			if !(v >= noCount && v <= MaxTotal) {
				return false
			}
		}
	}
	for _, l := range e.Leads {
		if !(l > 0 && l < 1e6) {
			return false
		}
	}
	return len(e.Marks) <= marksKept && len(e.Leads) <= leadsKept
}
