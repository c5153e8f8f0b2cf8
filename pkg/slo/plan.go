package slo

import "math"

// planned is what a plan came to, in replicas before rounding.
type planned struct {
	// now is the present level in requests per second, known if there is one.
	now   float64
	known bool

	// level is for the load of the last minute and its envelope, past for the
	// past hour as it was, alike for the hour's ups and downs at today's level.
	level, past, alike float64
	// envelope is the factor on the level that the first came to.
	envelope float64
}

// need is the replicas to have: enough for what comes next, and enough for the
// past hour to come again, in requests or, if that is less, in proportion.
func (p planned) need() float64 { return max(p.level, min(p.past, p.alike)) }

// plan finds the fewest replicas with which the expected share of misses stays
// within share.
func (s *State) plan(o Objective, c capacity, m *curve, share float64) (p planned) {
	h := s.Load.history()
	now, known := h.level(h.n - 1)
	if !known {
		return planned{envelope: 1}
	}
	p.now, p.known = now, true
	perBin, lead := c.rate*binSeconds, s.leadBins(o)
	var next [envelopeBins]float64
	n := 1
	next[0] = 1
	if o.Has(PartEnvelope) {
		n = h.growth(lead, &next)
	}
	for i := range n {
		next[i] *= now * binSeconds * o.Margin
	}
	p.level = fewest(next[:n], perBin, m, share, false)
	p.envelope = p.level * c.rate * m.sustained(share) / max(now*o.Margin, 1e-9)
	if !o.Has(PartReplay) {
		return p
	}
	p.past, p.alike = h.replay(replayed{o.Margin * h.unseen(), perBin, share, lead}, m)
	return p
}

// replayed says how the past is replayed: its loads times margin, on replicas
// of perBin requests, with a share of misses, ordered lead bins ahead.
type replayed struct {
	margin, perBin, share float64
	lead                  int
}

// replay plans for the past hour to come again, as it was and in proportion.
func (h *history) replay(r replayed, m *curve) (asItWas, alike float64) {
	now, _ := h.trend(h.n - 1)
	level, _ := h.level(h.n - 1)
	now = max(now, level*binSeconds)
	var past, like [binsKept]float64
	for i, b := range h.bins {
		past[i] = max(float64(b), 0) * r.margin
		like[i] = past[i]
		if then, known := h.trend(max(i-r.lead, earliest)); known && then > 0 {
			like[i] *= now / then
		}
	}
	return fewest(past[:h.n], r.perBin, m, r.share, true), fewest(like[:h.n], r.perBin, m, r.share, true)
}

func (s *State) leadBins(o Objective) int {
	return int(math.Ceil(s.Engines.lead(o.LeadTime.Seconds()) / binSeconds))
}

// dilution is how much more work a request takes on need replicas than on those
// there are, because a prefix is in fewer of the caches that it may come to.
// Prefixes that all requests share stay in all of them, those of one
// conversation in one; the square root is between the two.
func (s *State) dilution(c capacity, need float64, ready int32) float64 {
	hits := 1 - s.Lengths.Computed
	if hits <= 0 || ready < 1 || need <= float64(ready) {
		return 1
	}
	fewer := hits * math.Sqrt(float64(ready)/need)
	return 1 + c.prompt*(hits-fewer)/s.Lengths.Computed/c.work
}

// fewest is the least number of replicas, to a tenth, with which loads have at
// most that share of misses; queues tells that they come one after the other.
func fewest(loads []float64, perBin float64, m *curve, share float64, queues bool) float64 {
	most := 0.0
	for _, l := range loads {
		most = max(most, l)
	}
	if most == 0 {
		return 0
	}
	low, high := 0.0, most/(perBin*m.sustained(share))+1
	for high-low > 0.1 && high-low > high*0.005 {
		if n := (low + high) / 2; missed(loads, perBin*n, m, queues) <= share {
			high = n
		} else {
			low = n
		}
	}
	return high
}

// missed is the expected share of misses of loads at a capacity per bin. What
// a bin cannot do is left to the next, if they queue.
func missed(loads []float64, capacity float64, m *curve, queues bool) float64 {
	all, sum, left := 0.0, 0.0, 0.0
	for _, l := range loads {
		all += l
		sum += l * m.at((l+left)/capacity)
		if queues {
			left = max(0, left+l-capacity)
		}
	}
	return sum / max(all, 1e-12)
}
