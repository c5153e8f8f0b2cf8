package decider

import (
	"math"
	"time"
)

// demandWant is the want of Concurrency or RPS. It is Knative's scaling.autoscaler.Scale
// without the scale-down delay, which is a rule on the count (rules.go), and the excess
// burst capacity (burst.go). TestDemand_answersAsKPA walks both side by side.
func demandWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	stableLoad, panicLoad, ok := demandLoad(spec, t, obs)
	if !ok {
		return unknownWant(t), ts
	}
	w := demandCount(spec, obs, t, stableLoad)
	burst := demandCount(spec, obs, t, panicLoad)

	over := math.Ceil(panicLoad/t.Value)/readyPods(obs) >= spec.PanicThreshold
	ts = ts.panicMode(spec, obs.Time, over)
	if ts.PanicSince.IsZero() {
		return w, ts
	}
	// The stable average may be the larger one; provision for both.
	if burst.Replicas > w.Replicas {
		w = burst
		if w.Reason == DesiredWithinRange {
			w.Reason = Panicking
		}
	}
	w.Observed = Reading(max(stableLoad, panicLoad))
	w.move("panic", outcome{max(w.Replicas, ts.PanicPods), Panicking}) // no way down while in panic
	ts.PanicPods = w.Replicas
	return w, ts
}

// panicMode begins and extends the panic mode while the load is over the
// threshold, and ends it a stable window after it last was: by then the surge
// has made its way into the stable average.
func (ts TargetState) panicMode(spec Spec, now time.Time, over bool) TargetState {
	switch {
	case over:
		ts.PanicSince = now
	case !ts.PanicSince.IsZero() && ts.PanicSince.Add(spec.StableWindow).Before(now):
		ts.PanicSince, ts.PanicPods = time.Time{}, 0
	}
	return ts
}

// demandLoad is the load of both windows, or not ok while nothing was measured.
func demandLoad(spec Spec, t Target, obs Observation) (stable, burst float64, ok bool) {
	d, _ := t.Metric.Describe()
	load := d.Load(obs)
	if !believable(load.Stable, maxDemand) {
		return 0, 0, false
	}
	if !believable(load.Panic, maxDemand) {
		load.Panic = load.Stable
	}
	return float64(load.Stable), max(float64(load.Panic), earlyLoad(spec, t, obs)), true
}

// earlyLoad is the requests in the engines now, if they alone are enough for panic,
// otherwise 0. The queue-proxies average over one second and the panic window over
// six: with target 2 on one pod a burst of 12 is 2 there after the first second, and 12
// in the engines' own count. It is limited to the jump limit.
func earlyLoad(spec Spec, t Target, obs Observation) float64 {
	ready := readyPods(obs)
	if !spec.EarlyPanic || !spec.Reachable || t.Metric != Concurrency || !believable(obs.InFlight, ready*maxRequests) {
		return 0
	}
	if inFlight := float64(obs.InFlight); inFlight/t.Value/ready >= spec.PanicThreshold {
		return min(inFlight, jumpCount(obs)*t.Value)
	}
	return 0
}

// demandCount is the count for the load of one window, within the rate limits and
// raised to the activation scale.
func demandCount(spec Spec, obs Observation, t Target, load float64) Want {
	w := newWant(t, Reading(load), toCount(math.Ceil(load/t.Value)))
	w.shape(demandRules, wantInput{spec: spec, obs: obs, metric: t.Metric, replicas: w.Asked}, TargetState{})
	return w
}
