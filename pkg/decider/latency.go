package decider

import "math"

// maxLatency is the largest believable latency in milliseconds: 11 days.
const maxLatency = 1e9

// latencyWant scales Ready pods by the ratio of the 95th percentile to its
// target, as HPA would, and remembers the largest want of the stable window.
// Without completions nothing is known while requests wait; a revision at rest
// wants nothing. A want above the present replicas is one that the percentile without each
// pod's last sample asks for, too: one page that is wrong moves the percentile for one sample,
// and the histogram of the next one falls and begins anew.
func latencyWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	d, _ := t.Metric.Describe()
	l := d.latency(obs)
	p95 := l.P95.Within(maxLatency)
	w := newWant(t, Unknown(), 0)
	switch {
	case l.Known && l.Count > 0 && p95.Known():
		w = newWant(t, p95, latencyCount(spec, float64(p95)/t.Value, obs))
	case mostlyUnknown(obs), minOneIfBusy(obs) > 0, !l.Known && obs.Ready > 0:
		return unknownWant(t), ts
	}
	picked := percentileRules
	if !spec.Reachable {
		picked &^= stabilization
	}
	a := wantInput{spec: spec, obs: obs, metric: t.Metric, replicas: w.Asked, confirmed: obs.Replicas,
		holdDown: spec.StableWindow}
	if twice := l.confirmed(); twice.Known() {
		a.confirmed = latencyCount(spec, float64(twice)/t.Value, obs)
	}
	ts = w.shape(picked, a, ts)
	return w, ts
}

// confirmed is the smaller of the last two percentiles; unknown without two.
func (l Latency) confirmed() Reading {
	last := l.P95.Within(maxLatency)
	if !l.Previous.Kept {
		return last
	}
	if before := l.Previous.P95.Within(maxLatency); before.Known() {
		return min(last, before) // unknown if the last one is
	}
	return Unknown()
}

// latencyCount is the count for a ratio of latency to target. It does not grow
// while pods come, nor until the window covers them.
func latencyCount(spec Spec, ratio float64, obs Observation) int32 {
	ordered := max(1, obs.Replicas)
	if math.Abs(ratio-1) <= spec.Tolerance+epsilon || ratio > 1 && growing(spec, obs) {
		return ordered
	}
	n := max(1, toCount(math.Ceil(readyPods(obs)*min(ratio, latencyGrowth)*(1-epsilon))))
	if ratio > 1 {
		return max(n, ordered)
	}
	// A low latency does not show how near saturation is: one step at a time.
	return min(max(n, ordered-max(1, ordered/latencyStep)), ordered)
}

// growing reports whether a pod is coming or came within the stable window.
func growing(spec Spec, obs Observation) bool {
	for _, p := range obs.Pods {
		if coming(spec, p) || p.Phase == Ready && p.ReadyAfter > 0 && p.Age-p.ReadyAfter < spec.StableWindow {
			return true
		}
	}
	return false
}
