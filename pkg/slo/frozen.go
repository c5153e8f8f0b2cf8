package slo

// A pod is frozen when its metrics endpoint answers and the counters on the page do not move, although
// requests run: an exporter hangs, or a proxy answers with an old page. Such a pod looks like one that no
// request reaches. What its engine did is unknown and not zero, so the pod gives no sample. The counters of
// a slow engine, and of one that counts requests when they end, do not move in every bin either. So a
// pod counts as frozen only when more requests ran than such an engine would have left uncounted.

// secondsPerCount is the seconds within which an engine counts a request that runs: an engine that counts
// its steps until the first token, others until the end. The result is never below the bound on
// the first token.
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
