package decider

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// wantRule names one rule of the chain that turns what a signal asks for into
// a want. A set of them is what one kind of metric picks from the chain.
type wantRule uint

const (
	atLeastOneIfBusy wantRule = 1 << iota
	holdUnlessKnown
	secondSample
	jumpLimit
	scaleUpLimit
	activationScale
	startingCapacity
	stabilization
	scaleDownLimit
	capUnschedulable
)

// The rules of each kind of metric. Their order is the chain's, whatever a kind picks.
const (
	demandRules  = scaleUpLimit | activationScale | scaleDownLimit
	latencyRules = demandRules | stabilization
	engineRules  = latencyRules | secondSample | jumpLimit
	waitingRules = engineRules | startingCapacity
	sloRules     = latencyRules | jumpLimit | atLeastOneIfBusy | holdUnlessKnown | capUnschedulable
)

// asked is what the rules of a want work on.
type asked struct {
	spec   Spec
	obs    Observation
	metric Metric
	// replicas is what the signal alone asks for, at least 0.
	replicas int32
	// holdDown is how long the largest want is kept.
	holdDown time.Duration
	// confirmed is what the last two samples of the engines both ask for, and witnessed
	// what the requests ask for that others than the engines see.
	confirmed, witnessed int32
	// uncertain says why the want of slo must not fall now; empty when it may.
	uncertain Reason
}

// shape applies the picked rules to a want, in the order of the chain. Each
// rule that moves the count leaves a step in the want's trace.
//
// The limits on growth come before stabilization, which remembers their
// result: a peak that was over before the pods came is not remembered at more
// than was allowed then. The limit on shrinking depends on the pods there are
// now and comes after it, as in HPA: remembering its result would make every
// halving wait for a stable window of its own.
func (w *Want) shape(picked wantRule, a asked, ts TargetState) TargetState {
	for _, r := range [...]struct {
		rule  wantRule
		name  string
		apply func(asked, int32, TargetState) (outcome, TargetState)
	}{
		{atLeastOneIfBusy, "at least one if busy", keepOneIfBusy},
		{holdUnlessKnown, "unknown load", holdUncertain},
		{secondSample, "second sample", awaitSecondSample},
		{jumpLimit, "jump limit", limitJump},
		{scaleUpLimit, "scale-up limit", limitGrowth},
		{activationScale, "activation scale", activate},
		{startingCapacity, "starting capacity", awaitStarting},
		{stabilization, "stabilization", stabilize},
		{scaleDownLimit, "scale-down limit", limitShrinking},
		{capUnschedulable, "unschedulable pods", awaitNodes},
	} {
		if picked&r.rule == 0 {
			continue
		}
		var o outcome
		o, ts = r.apply(a, w.Replicas, ts)
		w.move(r.name, o)
	}
	return ts
}

// move applies a rule's outcome and leaves a step in the trace if the count changes.
func (w *Want) move(rule string, o outcome) {
	if o.replicas == w.Replicas {
		return
	}
	w.Trace = append(w.Trace, Step{Rule: rule, Before: w.Replicas, After: o.replicas, Reason: o.why})
	w.Replicas, w.Reason = o.replicas, o.why
}

// keepOneIfBusy keeps one replica while the revision is known to hold a request.
func keepOneIfBusy(a asked, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{max(n, busy(a.obs)), InFlightRequests}, ts
}

// holdUncertain lowers nothing on what is not known.
func holdUncertain(a asked, n int32, ts TargetState) (outcome, TargetState) {
	if a.uncertain == "" {
		return outcome{replicas: n}, ts
	}
	return outcome{max(n, a.obs.Replicas), a.uncertain}, ts
}

// awaitSecondSample grows no further than the last two samples of the engines
// both ask for. One metrics page may be wrong; the next follows within 250 ms.
func awaitSecondSample(a asked, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{min(n, max(a.confirmed, a.obs.Replicas)), UnconfirmedJump}, ts
}

// What engines alone may ask for at once, in replicas by Ready pod and beside
// them. Ready pods come a startup time after they were ordered, so this is the
// growth per startup time. Origin: the default scale-up policy of a
// HorizontalPodAutoscaler, which adds as many pods as there are, or 4 if that is
// more, per 15 s. On a simulated burst the limit costs num_requests_waiting=5
// 60.2 to 54.6 % within the objective, 3 seeds, not significant; other factors
// were not measured.
const maxJumpFactor, maxJumpExtra = 2, 4

// jumpCount is the most replicas that engines alone may ask for.
func jumpCount(obs Observation) float64 { return maxJumpFactor*readyPods(obs) + maxJumpExtra }

// limitJump bounds growth that only engines ask for, however long. Requests that
// the queue-proxies or an endpoint picker see as well may ask for more: a pod may
// report 99,999 waiting requests, or a KV cache of one token, but a replica that is
// needed has a request to serve.
//
// Worked: 1 Ready pod reports 500 waiting, the target is 5. While the
// queue-proxies see 3 requests in flight the want is 2*1+4 = 6; when they see
// 200 it is 40.
func limitJump(a asked, n int32, ts TargetState) (outcome, TargetState) {
	most := max(toCount(jumpCount(a.obs)), a.witnessed, a.obs.Replicas)
	return outcome{min(n, most), JumpLimit}, ts
}

// limitGrowth bounds growth by max-scale-up-rate. The limit of an engine's
// metric never takes back what was ordered before pods became unready: with
// rate 2, 8 replicas and 2 Ready pods the want is at most 8, not 4. That of a
// demand metric is Knative's, which does.
func limitGrowth(a asked, n int32, ts TargetState) (outcome, TargetState) {
	most := toCount(mostPods(a.spec, a.obs))
	if !a.metric.demand() {
		most = max(most, a.obs.Replicas)
	}
	return outcome{min(n, most), ScaleUpLimit}, ts
}

// activate lifts a want of a signal that asks for any replica.
func activate(a asked, n int32, ts TargetState) (outcome, TargetState) {
	if a.replicas == 0 && n == 0 {
		return outcome{replicas: n}, ts
	}
	return outcome{max(n, a.spec.ActivationScale), ActivationScale}, ts
}

// awaitStarting keeps a slow model load from multiplying the ask. While the
// ordered pods load the queue only grows, so once a pod has been starting for
// longer than a stable window the want stays at what was ordered before, times
// the growth of the arrivals since: real demand may still ask for more. It
// caps what is asked for and never orders a scale-down.
//
// Worked: 4 replicas were ordered at 2 requests/s. With 3 requests/s now the
// want is at most ceil(4*3/2) = 6, however long the queue has become.
func awaitStarting(a asked, n int32, ts TargetState) (outcome, TargetState) {
	if !loadingLong(a.spec, a.obs) {
		ts.Ordered, ts.OrderedRPS = n, a.obs.RPS.Panic
		return outcome{replicas: n}, ts
	}
	most := toCount(math.Ceil(float64(ts.Ordered) * growth(ts.OrderedRPS, a.obs.RPS.Panic)))
	return outcome{min(n, max(most, a.obs.Replicas)), StartingCapacity}, ts
}

// stabilize keeps the largest want of the hold-down time. An engine metric
// without any (a new revision, a restart, an outage of the data, a rollback)
// holds the present replicas for that time: otherwise a rollout that begins at
// its predecessor's eight replicas would scale down before its traffic comes.
// For slo the rule for unknown load does that.
func stabilize(a asked, n int32, ts TargetState) (outcome, TargetState) {
	recent := ts.Recent.Resize(a.holdDown)
	switch {
	case a.metric == SLO && recent.IsEmpty(a.obs.Time):
		recent = window.NewMax(a.holdDown, binWidth)
	case recent.IsEmpty(a.obs.Time):
		recent = window.NewMax(a.holdDown, time.Second).Record(a.obs.Time, a.obs.Replicas)
	}
	ts.Recent = recent.Record(a.obs.Time, n)
	return outcome{max(n, ts.Recent.Current()), ScaleDownStabilized}, ts
}

// limitShrinking bounds shrinking by max-scale-down-rate.
func limitShrinking(a asked, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{max(n, toCount(leastPods(a.spec, a.obs))), ScaleDownLimit}, ts
}

// awaitNodes stops asking for more while pods find no node: more pods would
// only queue for the same GPUs.
func awaitNodes(a asked, n int32, ts TargetState) (outcome, TargetState) {
	waits := float64(unplaced(a.obs))
	if waits == 0 || waits < max(minUnplaced, unplacedShare*float64(a.obs.Ready)) {
		return outcome{replicas: n}, ts
	}
	return outcome{min(n, a.obs.Replicas), Unschedulable}, ts
}
