package slo

import "math"

// history answers questions about the closed bins of arrivals.
type history struct {
	bins []float32
	n    int
	// sum and known are those of the bins before the index.
	sum   [binsKept + 1]float64
	known [binsKept + 1]int32
}

func (a arrivals) history() (h history) {
	h.bins = a.Bins[max(0, len(a.Bins)-binsKept):]
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
// over a minute, or nearer to that over its second half when that is more. It
// is not known without a known bin.
func (h *history) level(i int) (perSecond float64, known bool) {
	long, some := h.mean(i, 6)
	short, _ := h.mean(i, 3)
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

// growth fills in by what factors levels like the present one came to change
// within lead bins, and returns how many there are. What follows on a low level
// says little of what follows on a high one: after a burst comes no larger one.
func (h *history) growth(lead int, factors *[envelopeBins]float64) int {
	last := h.n - 1
	present, _ := h.level(last)
	var like [envelopeBins]float64
	n, alike := 0, 0
	for i := max(last-envelopeBins+1, lead); i <= last; i++ {
		then, known := h.level(i - lead)
		now, also := h.mean(i, 6)
		if !known || !also || then <= 0 {
			continue
		}
		factors[n] = min(now/binSeconds/then, envelopeMost)
		if then < present*likeLevel && then*likeLevel > present {
			like[alike] = factors[n]
			alike++
		}
		n++
	}
	switch {
	case n < envelopeLeast:
		factors[0] = envelopeEarly
		return 1
	case alike >= likeLeast:
		*factors = like
		return alike
	}
	return n
}

// trend is the mean per bin of ten minutes up to bin i: what ups and downs are
// measured against.
func (h *history) trend(i int) (perBin float64, known bool) { return h.mean(i, 60) }

// unseen is the factor by which a history shorter than an hour may fall short
// of the peaks to come: to the mean of the peaks so far and as many standard
// deviations more as there is history missing.
func (h *history) unseen() float64 {
	n, sum, squares, most := 0.0, 0.0, 0.0, 0.0
	for end := h.n; end >= peakBins; end -= peakBins {
		peak := 0.0
		for _, b := range h.bins[end-peakBins : end] {
			peak = max(peak, float64(b))
		}
		n, sum, squares, most = n+1, sum+peak, squares+peak*peak, max(most, peak)
	}
	if n < 2 || most == 0 {
		return 1
	}
	mean := sum / n
	deviation := math.Sqrt(max(squares/n-mean*mean, 0) * n / (n - 1))
	expected := mean + unseenDeviations*max(0, 1-n/peaksKept)*deviation
	return min(max(expected/most, 1), unseenMost)
}
