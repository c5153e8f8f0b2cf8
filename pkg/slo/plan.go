package slo

import "math"

// estimates is what a plan is made from: what each learner makes of its bins.
type estimates struct {
	history  history
	request  request
	capacity capacity
	curve    curve
	// startupTime is seconds, missing the replicas that are missing in the mean.
	startupTime, missing float64
	// hopeless is the share of requests that miss whatever the load, and are not in the curve.
	hopeless float64
	ready    int32
}

// planned is what a plan came to, in replicas before rounding.
type planned struct {
	// level is the present level in requests per second, known if there is one.
	level float64
	known bool
	// neededNext is for the level and its growth, neededReplayed for the past hour as
	// it was, neededScaled for the hour's ups and downs at today's level.
	neededNext, neededReplayed, neededScaled float64
	// growthFactor is the factor on the level that neededNext came to.
	growthFactor float64
}

// need is the replicas to have: enough for what comes next, and enough for the
// past hour to come again, in requests or, if that is less, in proportion.
func (p planned) need() float64 { return max(p.neededNext, min(p.neededReplayed, p.neededScaled)) }

// plan finds the fewest replicas with which the expected share of misses stays
// within share.
func (e *estimates) plan(o Objective, share float64) (p planned) {
	h := &e.history
	level, known := h.level(h.n - 1)
	if !known {
		return planned{growthFactor: 1}
	}
	p.level, p.known = level, true
	perBin, startupBins := e.capacity.rate*binSeconds, int(math.Ceil(e.startupTime/binSeconds))
	var next [growthBins]float64
	n := 1
	next[0] = 1
	if o.Has(FeatureGrowth) {
		n = h.growth(startupBins, &next)
	}
	for i := range n {
		next[i] *= level * binSeconds * o.Margin
	}
	p.neededNext = fewest(next[:n], perBin, &e.curve, share, false)
	p.growthFactor = p.neededNext * e.capacity.rate * e.curve.sustained(share) / max(level*o.Margin, 1e-9)
	if !o.Has(FeatureReplay) {
		return p
	}
	p.neededReplayed, p.neededScaled = h.replay(replay{o.Margin * h.unseenPeaks(), perBin, share, startupBins}, &e.curve)
	return p
}

// needed is the replicas of a plan with those that a colder prefix cache and missing
// replicas ask for.
func (e *estimates) needed(p planned) float64 {
	need := p.need() * e.dilution(p.need())
	if need > 0 {
		need += min(e.missing, max(1, need*maxSpareShare))
	}
	return need
}

// replay says how the past is replayed: its loads times margin, on replicas
// of perBin requests, with a share of misses, ordered startupBins ahead.
type replay struct {
	margin, perBin, share float64
	startupBins           int
}

// replay plans for the past hour to come again, as it was and in proportion.
func (h *history) replay(r replay, m *curve) (asItWas, scaled float64) {
	now, _ := h.trend(h.n - 1)
	level, _ := h.level(h.n - 1)
	now = max(now, level*binSeconds)
	var past, proportional [keptBins]float64
	for i, b := range h.bins {
		past[i] = max(float64(b), 0) * r.margin
		proportional[i] = past[i]
		if then, known := h.trend(max(i-r.startupBins, firstTrend)); known && then > 0 {
			proportional[i] *= now / then
		}
	}
	return fewest(past[:h.n], r.perBin, m, r.share, true), fewest(proportional[:h.n], r.perBin, m, r.share, true)
}

// dilution is how much more work a request takes on need replicas than on those
// there are, because a prefix is in fewer of the caches that it may come to.
// Prefixes that all requests share stay in all of them, those of one
// conversation in one; the square root is between the two.
func (e *estimates) dilution(need float64) float64 {
	hits := 1 - e.request.Computed
	if hits <= 0 || e.ready < 1 || need <= float64(e.ready) {
		return 1
	}
	fewer := hits * math.Sqrt(float64(e.ready)/need)
	return 1 + e.capacity.prompt*(hits-fewer)/e.request.Computed/e.capacity.work
}

// fewest is the least number of replicas, to a tenth, with which loads have at
// most that share of misses; with queues the loads come one after the other.
func fewest(loads []float64, perBin float64, m *curve, share float64, queues bool) float64 {
	highest := 0.0
	for _, l := range loads {
		highest = max(highest, l)
	}
	if highest == 0 {
		return 0
	}
	low, high := 0.0, highest/(perBin*m.sustained(share))+1
	for high-low > planPrecision && high-low > high*planRelativePrecision {
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
