package slo

import "math"

// history answers questions about the closed bins of arrivals.
type history struct {
	bins []float32
	n    int
	// sum and known are those of the bins before the index.
	sum   [keptBins + 1]float64
	known [keptBins + 1]int32
}

func newHistory(bins []float32) (h history) {
	h.bins = bins[max(0, len(bins)-keptBins):]
	h.n = len(h.bins)
	for i, b := range h.bins {
		h.sum[i+1], h.known[i+1] = h.sum[i], h.known[i]
		if b >= 0 {
			h.sum[i+1] += float64(b)
			h.known[i+1]++
		}
	}
	return h
}

// level is requests per second expected next, as of the end of bin i: the mean
// over a minute, or half way to the mean over its second half when that is higher.
// A level is known with at least one known bin.
func (h *history) level(i int) (perSecond float64, known bool) {
	long, some := h.mean(i, levelBins)
	short, _ := h.mean(i, shortLevelBins)
	if short > long {
		long = (long + short) / 2
	}
	return long / binSeconds, some
}

// mean is the mean of the n bins up to i, unknown ones left out.
func (h *history) mean(i, n int) (perBin float64, known bool) {
	from, to := max(0, i+1-n), min(max(0, i+1), h.n)
	if from >= to || h.known[to] == h.known[from] {
		return 0, false
	}
	return (h.sum[to] - h.sum[from]) / float64(h.known[to]-h.known[from]), true
}

// growth fills in by what factors levels similar to the present one changed
// within these bins, and returns how many there are. What follows on a low level
// says little of what follows on a high one: after a burst comes no larger one.
func (h *history) growth(within int, factors *[growthBins]float64) int {
	last := h.n - 1
	present, _ := h.level(last)
	var similar [growthBins]float64
	n, similarLevels := 0, 0
	for i := max(last-growthBins+1, within); i <= last; i++ {
		then, known := h.level(i - within)
		now, also := h.mean(i, levelBins)
		if !known || !also || then <= 0 {
			continue
		}
		factors[n] = min(now/binSeconds/then, maxGrowth)
		if then < present*similarLevelRatio && then*similarLevelRatio > present {
			similar[similarLevels] = factors[n]
			similarLevels++
		}
		n++
	}
	switch {
	case n < minGrowthBins:
		factors[0] = earlyGrowth
		return 1
	case similarLevels >= minSimilarLevels:
		*factors = similar
		return similarLevels
	}
	return n
}

// trend is the mean per bin of ten minutes up to bin i: what ups and downs are
// measured against.
func (h *history) trend(i int) (perBin float64, known bool) { return h.mean(i, trendBins) }

// unseenPeaks is the factor by which a history shorter than an hour may fall short
// of the peaks to come: to the mean of the peaks so far and as many standard
// deviations more as there is history missing.
func (h *history) unseenPeaks() float64 {
	n, sum, squares, highest := 0.0, 0.0, 0.0, 0.0
	for end := h.n; end >= peakBins; end -= peakBins {
		peak := 0.0
		for _, b := range h.bins[end-peakBins : end] {
			peak = max(peak, float64(b))
		}
		n, sum, squares, highest = n+1, sum+peak, squares+peak*peak, max(highest, peak)
	}
	if n < 2 || highest == 0 {
		return 1
	}
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0) * n / (n - 1))
	expected := mean + unseenDeviations*max(0, 1-n/keptPeaks)*deviation
	return min(max(expected/highest, 1), maxUnseenPeaks)
}
