package slo

// A metrics endpoint can be served while its counters stand still: an exporter hangs, or a proxy answers
// with an old page. Its pod looks like one that no request reaches. What such a pod counts is unknown and
// not zero: it gives no sample. An engine that is slow, or that counts a request when it ends, has bins without a
// gain as well, so the requests that the gauges show have to be more than such an engine would still owe.

// secondsPerCount is in which time an engine counts something of a request that runs, in seconds. An engine
// that counts its steps does so until the first token, others in the end. Neither is taken to be less
// than the bound on the first token.
func secondsPerCount(t *Totals, ttft float64) float64 {
	mean := t.E2E.mean()
	if first := t.TTFT.mean(); t.Steps.Known() && first.Known() {
		mean = first
	}
	if !mean.Known() {
		return assumedCount
	}
	return max(float64(mean), ttft)
}

// mean is unknown without observations.
func (h Histogram) mean() Reading {
	if count, sum := total(h.Count), total(h.Sum); count >= 1 && sum >= 0 {
		return Reading(sum / count)
	}
	return Unknown()
}
