package decider

import (
	"math"
	"slices"
)

// marksKept bounds the pods whose counters are followed; of a larger fleet the
// rest is taken to be alike.
const marksKept = 48

// maxTotal is the largest believable counter.
const maxTotal = 1e15

// maxGain is more than any counter gains between two looks.
const maxGain = 1e10

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
	markInTime  // first tokens within the TTFT objective
	markGaps    // gaps between tokens
	markGapSum  // seconds
	markWaiting // requests, not a counter
	markLoad    // the load that the last sample's misses are put down to
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
	firsts, inTime, gaps, gapSum                          float64
	// waiting is the requests that the engine held in its queue when the time began.
	waiting float64
}

// podHash is FNV-1a; of two pods with the same hash the first counts.
func podHash(name string) float64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return float64(h)
}

// total is a counter, noCount when it is unknown or absurd.
func total(r Reading) float64 {
	if r = within(r, maxTotal); r.Known() {
		return float64(r)
	}
	return noCount
}

// markOf reads a pod's page against a TTFT objective in seconds.
func markOf(p Pod, ttft float64) mark {
	t := p.Totals
	return mark{
		markPod: podHash(p.Name), markSteps: total(t.Steps), markPrompt: total(t.PromptTokens),
		markCached: total(t.CachedTokens), markGenerated: total(t.GenerationTokens), markFinished: total(t.Finished),
		markPreempted: total(t.Preemptions), markFirsts: total(t.TTFT.Count), markInTime: t.TTFT.below(ttft),
		markGaps: total(t.ITL.Count), markGapSum: total(t.ITL.Sum), markWaiting: total(reading(p, Waiting)),
	}
}

// below is the number of observations not above a bound in seconds, drawn
// evenly through its bucket; noCount when the histogram is not known.
func (h Histogram) below(bound float64) float64 {
	n := min(len(h.Bounds), len(h.Counts))
	all := total(h.Count)
	if n == 0 || all < 0 {
		return noCount
	}
	from, before := 0.0, 0.0
	for i := range n {
		to, count := h.Bounds[i], h.Counts[i]
		if !(count >= before) || !(to >= from) || count > maxTotal {
			return noCount // not a cumulative histogram
		}
		if bound < to && !math.IsInf(to, 1) {
			return min(before+(count-before)*(bound-from)/(to-from), all)
		}
		from, before = min(to, math.MaxFloat64), count
	}
	return min(before, all)
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
		finished: d[markFinished], preempted: max(d[markPreempted], 0), firsts: d[markFirsts], inTime: d[markInTime],
		gaps: d[markGaps], gapSum: d[markGapSum], waiting: max(before[markWaiting], 0),
	}, true
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
func (e engines) look(pods []Pod, ttft float64, each func(sample, *mark)) engines {
	moved := e.TTFT != ttft
	marks := make([]mark, 0, min(len(pods), marksKept))
	for _, p := range pods {
		if p.Phase != Ready || !p.Totals.Known || len(marks) == marksKept {
			continue
		}
		now := markOf(p, ttft)
		before, seen := e.find(now[markPod])
		now[markReadyAfter], now[markLoad] = before[markReadyAfter], before[markLoad]
		if now[markReadyAfter] == 0 && p.ReadyAfter > 0 {
			now[markReadyAfter] = 1
			e.Leads = lead(e.Leads, p.ReadyAfter.Seconds())
		}
		marks = append(marks, now)
		if moved {
			before[markInTime] = noCount
		}
		if d, ok := now.gain(before); seen && ok {
			each(d, &marks[len(marks)-1])
		}
	}
	e.Marks, e.TTFT = marks, ttft
	return e
}

// leadsKept is how many start-ups are remembered.
const leadsKept = 20

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
	seen := float64(sorted[(n*9)/10])
	return min(max(seen, shortestLead.Seconds()), longestLead.Seconds())
}

// sound reports whether stored marks make sense.
func (e engines) sound() bool {
	for _, m := range e.Marks {
		for _, v := range m {
			if !(v >= noCount && v <= maxTotal) {
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
