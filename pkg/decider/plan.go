package decider

import (
	"math"
	"slices"
)

// planned is what a plan came to, in replicas before rounding.
type planned struct {
	// level is for the load of the last minute and its envelope, past for the
	// past hour as it was, alike for the hour's ups and downs at today's level.
	level, past, alike float64
}

// need is the replicas to have: enough for what comes next, and enough for the
// past hour to come again, in requests or, if that is less, in proportion.
func (p planned) need() float64 { return max(p.level, min(p.past, p.alike)) }

// plan finds the fewest replicas with which the expected share of misses stays
// within share.
func (s *SLOState) plan(o Objective, c capacity, m *curve, share float64) planned {
	bins := s.Load.Bins
	now, known := s.Load.level(len(bins) - 1)
	if !known {
		return planned{}
	}
	envelope := 1.0
	leadBins := int(math.Ceil(s.Engines.lead(o.LeadTime.Seconds()) / binSeconds))
	if o.has(PartEnvelope) {
		envelope = s.Load.envelope(leadBins)
	}
	p := planned{level: o.Margin * now * envelope / (c.rate * m.sustained(share))}
	if !o.has(PartReplay) {
		return p
	}
	var past, alike [binsKept]float64
	for i, b := range bins {
		past[i], alike[i] = max(float64(b), 0)*o.Margin, 0
		if then, ok := s.Load.level(i - leadBins); ok && then > 0 {
			alike[i] = past[i] * now / then
		} else {
			alike[i] = past[i]
		}
	}
	perBin := c.rate * binSeconds
	p.past = fewest(past[:len(bins)], perBin, m, share)
	p.alike = fewest(alike[:len(bins)], perBin, m, share)
	return p
}

// fewest is the least number of replicas, to a tenth, with which loads that
// come one after the other have at most that share of misses.
func fewest(loads []float64, perBin float64, m *curve, share float64) float64 {
	most := 0.0
	for _, l := range loads {
		most = max(most, l)
	}
	if most == 0 {
		return 0
	}
	low, high := 0.0, most/(perBin*m.sustained(share))+1
	for high-low > 0.1 && high-low > high*0.005 {
		if n := (low + high) / 2; missed(loads, perBin*n, m) <= share {
			high = n
		} else {
			low = n
		}
	}
	return high
}

// missed is the expected share of misses of loads at a capacity per bin. What
// a bin cannot do is left to the next.
func missed(loads []float64, capacity float64, m *curve) float64 {
	all, sum, left := 0.0, 0.0, 0.0
	for _, l := range loads {
		all += l
		sum += l * m.at((l+left)/capacity)
		left = max(0, left+l-capacity)
	}
	return sum / max(all, 1e-12)
}

// median sorts v and returns its middle, the lower one of two; 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[(len(v)-1)/2]
}
