package slo

import (
	"math"
	"slices"
)

// phases learns which times in an engine's queue make a request late, from what prompts of
// its length need besides. The histogram of first tokens cannot say that where prompts
// differ so much that some take as long as others may: a late short prompt could have been
// spared by another replica, a long one not, or the objective forgives it.
type phases struct {
	// Bounds are those of the queue times in seconds, Late the share of the requests that are
	// late whose queue time is not above a bound, but above the one before; the last is
	// above all. Empty while first tokens can be judged by their own histogram.
	Bounds []float64 `json:"bounds,omitempty"`
	Late   []float64 `json:"late,omitempty"`
	// Hopeless is the share of requests that are late without any queue.
	Hopeless float64 `json:"hopeless,omitempty"`
}

// observe takes the phases of the requests of all pods, since their engines began.
func (p *phases) observe(o Objective, ttft float64, pods []Pod) {
	var prompts, prefills Histogram
	var bounds []float64
	for i := range pods {
		t := pods[i].Totals
		if !t.Known || !t.QueueTime.usable() || !t.PrefillTime.usable() || !t.PromptLengths.usable() {
			continue
		}
		bounds = t.QueueTime.Bounds
		prompts.sum(t.PromptLengths)
		prefills.sum(t.PrefillTime)
	}
	if len(bounds) == 0 || !(prefills.Count >= minPhases && prompts.Count >= minPhases) {
		return // as it was known before
	}
	slack, alone := slacks(o, ttft, &prompts, &prefills)
	if alone < 1-o.Goal {
		*p = phases{}
		return
	}
	p.set(bounds, slack)
}

// slacks are, for prompts of growing length, the seconds that they may wait without being
// late; alone is the share of the prompts that take longer than ttft without any queue.
// Prompts of one rank in length are taken to be those of the same rank in time.
func slacks(o Objective, ttft float64, prompts, prefills *Histogram) (slack [phaseRanks]float64, alone float64) {
	for i := range slack {
		rank := (float64(i) + 0.5) / phaseRanks
		prefill := prefills.quantile(rank)
		slack[i] = o.TTFT.Seconds() + o.TTFTPerToken.Seconds()*prompts.quantile(rank) - prefill
		if prefill > ttft {
			alone += 1.0 / phaseRanks
		}
	}
	return slack, alone
}

// set makes shares of what is left to prompts. They stay while they would hardly
// change, for counts by two of them cannot be compared.
func (p *phases) set(bounds []float64, slack [phaseRanks]float64) {
	late, hopeless, lower := make([]float64, len(bounds)+1), 0.0, 0.0
	for _, s := range slack {
		if s <= 0 {
			hopeless += 1.0 / phaseRanks
		}
	}
	for i := range late {
		upper := math.Inf(1)
		if i < len(bounds) {
			upper = bounds[i]
		}
		for _, s := range slack {
			switch {
			case s <= 0 || s >= upper:
			case s <= lower || math.IsInf(upper, 1):
				late[i] += 1.0 / phaseRanks
			default:
				late[i] += (upper - s) / (upper - lower) / phaseRanks
			}
		}
		lower = upper
	}
	p.Hopeless = hopeless
	if slices.Equal(p.Bounds, bounds) && len(p.Late) == len(late) {
		moved := 0.0
		for i := range late {
			moved = max(moved, math.Abs(late[i]-p.Late[i]))
		}
		if moved < samePhases {
			return
		}
	}
	p.Bounds, p.Late = bounds, late
}

// known reports whether queue times are what first tokens are judged by.
func (p *phases) known() bool { return len(p.Late) > 0 }

// count is the requests that a histogram of queue times saw, and how many of them were
// late for their time in the queue; unknownCount where that is not known.
func (p *phases) count(h Histogram) (seen, late float64) {
	if !p.known() || !h.usable() || !slices.Equal(h.Bounds, p.Bounds) {
		return unknownCount, unknownCount
	}
	before := 0.0
	for i, n := range h.Counts {
		late += p.Late[i] * (n - before)
		before = n
	}
	all := float64(h.Count)
	return all, late + p.Late[len(h.Counts)]*(all-before)
}

func (p *phases) valid() bool {
	for i, share := range p.Late {
		if !(share >= 0 && share <= 1.001) || i < len(p.Bounds) && !finite(p.Bounds[i]) {
			return false
		}
	}
	return p.Hopeless >= 0 && p.Hopeless <= 1.001 && len(p.Bounds) <= maxBuckets &&
		(len(p.Late) == 0 || len(p.Late) == len(p.Bounds)+1)
}

// usable reports whether a histogram has buckets with counts that only grow.
func (h Histogram) usable() bool {
	if len(h.Bounds) == 0 || len(h.Bounds) > maxBuckets || len(h.Counts) != len(h.Bounds) || total(h.Count) < 0 {
		return false
	}
	before, lower := 0.0, 0.0
	for i, n := range h.Counts {
		if !(n >= before && n <= float64(h.Count) && h.Bounds[i] > lower) {
			return false
		}
		before, lower = n, h.Bounds[i]
	}
	return true
}

// sum adds a histogram with the same bounds; one with others is left out.
func (h *Histogram) sum(a Histogram) {
	if h.Bounds == nil {
		h.Bounds, h.Counts = a.Bounds, make([]float64, len(a.Counts))
	}
	if !slices.Equal(h.Bounds, a.Bounds) {
		return
	}
	for i, n := range a.Counts {
		h.Counts[i] += n
	}
	h.Count += a.Count
}

// quantile is the value that a share of the observations does not exceed. Within a bucket
// their logarithms are spread evenly; what is above all bounds is taken to be at the last.
func (h *Histogram) quantile(share float64) float64 {
	want, before := share*float64(h.Count), 0.0
	for i, n := range h.Counts {
		if n < want {
			before = n
			continue
		}
		upper := h.Bounds[i]
		lower := upper / 2
		if i > 0 {
			lower = h.Bounds[i-1]
		}
		return lower * math.Pow(upper/lower, (want-before)/(n-before))
	}
	return h.Bounds[len(h.Bounds)-1]
}
