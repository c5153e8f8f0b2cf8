package decider

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// maxDemand is the largest believable number of requests, or requests per
// second, at one revision.
const maxDemand = slo.MaxDemand

// demandWant is the want of Concurrency or RPS. It is Knative's
// scaling.autoscaler.Scale without the scale-down delay, which is a rule on
// the count (see rules.go), and the excess burst capacity, which this
// autoscaler does not use. TestDemand_answersAsKPA walks both side by side.
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

// maxPods is the largest count of one decision. A slow rate still grows by one:
// 1.1 with 2 Ready pods gives ceil(2.2) = 3.
func maxPods(spec Spec, obs Observation) float64 {
	return math.Ceil(spec.MaxScaleUpRate * readyPods(obs))
}

// minPods is the smallest count of one decision: rate 2 with 5 Ready pods gives
// floor(2.5) = 2. An unreachable revision may go to 0 at once.
func minPods(spec Spec, obs Observation) float64 {
	if !spec.Reachable {
		return 0
	}
	return math.Floor(readyPods(obs) / spec.MaxScaleDownRate)
}

// readyPods is the number of Ready pods to compute with: at least 1.
func readyPods(obs Observation) float64 { return float64(max(1, obs.Ready)) }

// believable reports whether r is known and between 0 and limit. Numbers come from
// programs of others: a queue of 1e12 requests is an error, not a queue. Averages may
// round to slightly below 0.
func believable(r Reading, limit float64) bool {
	return r.Known() && r >= -0.001 && float64(r) <= limit
}

// newWant is the need of a metric before any rule.
func newWant(t Target, observed Reading, n int32) Want {
	return Want{Metric: t.Metric, Observed: observed, Target: t.Value, Asked: n, Replicas: n, Reason: DesiredWithinRange}
}

func unknownWant(t Target) Want {
	return Want{Metric: t.Metric, Observed: Unknown(), Target: t.Value, Asked: -1, Replicas: -1, Reason: NoData}
}
