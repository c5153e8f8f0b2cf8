package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// wantRule names one rule of the chain that turns the need of a metric into a
// want. Each kind of metric uses a set of them.
type wantRule uint

const (
	oneIfBusy wantRule = 1 << iota
	holdUnlessKnown
	secondSample
	jumpLimit
	scaleUpLimit
	activationScale
	stabilization
	scaleDownLimit
	giveBackSlowly
	capUnschedulable
)

// The rules of each kind of metric. They are applied in the order of the chain.
const (
	demandRules     = scaleUpLimit | activationScale | scaleDownLimit
	latencyRules    = demandRules | stabilization
	percentileRules = latencyRules | secondSample
	engineRules     = percentileRules | jumpLimit
	backlogRules    = engineRules&^stabilization | giveBackSlowly
	sloRules        = latencyRules | jumpLimit | oneIfBusy | holdUnlessKnown | capUnschedulable
	// Those of demandRules were applied before.
	sloRulesWithoutEngine = oneIfBusy | holdUnlessKnown | capUnschedulable
)

// wantInput is what the rules of a want read.
type wantInput struct {
	spec   Spec
	obs    Observation
	metric Metric
	// replicas is the need of the metric alone, at least 0.
	replicas int32
	// holdDown is how long the largest want is kept.
	holdDown time.Duration
	// confirmed is the count that the last two samples of the engines, or percentiles over them, both ask for.
	// seenOutside is the count for the requests that queue-proxies, pickers and the activator see.
	confirmed, seenOutside int32
	// uncertain is the reason why the want of slo must not fall now; empty if it may.
	uncertain Reason
}

// shape applies the picked rules to a want, in the order of the chain. Each
// rule that changes the count adds a step to the want's trace.
//
// The limits on growth come before stabilization, which remembers their result:
// a peak that ended before its pods were Ready is remembered with no more than the
// limits allowed then. The limit on shrinking depends on the present pods and comes
// after stabilization, as in HPA: if stabilization remembered its result, every
// halving would wait for a stable window.
func (w *Want) shape(picked wantRule, a wantInput, ts TargetState) TargetState {
	for _, r := range [...]struct {
		rule  wantRule
		name  string
		apply func(wantInput, int32, TargetState) (outcome, TargetState)
	}{
		{oneIfBusy, "at least one if busy", raiseIfBusy},
		{holdUnlessKnown, "unknown load", holdUncertain},
		{secondSample, "second sample", awaitSecondSample},
		{jumpLimit, "jump limit", limitJump},
		{scaleUpLimit, "scale-up limit", limitGrowth},
		{activationScale, "activation scale", activate},
		{stabilization, "stabilization", stabilize},
		{giveBackSlowly, "give back slowly", giveBack},
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

// raiseIfBusy keeps one replica while a request is known to be in flight.
func raiseIfBusy(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{max(n, minOneIfBusy(a.obs)), InFlightRequests}, ts
}

// holdUncertain keeps the count from falling while the need is uncertain.
func holdUncertain(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	if a.uncertain == "" {
		return outcome{replicas: n}, ts
	}
	return outcome{max(n, a.obs.Replicas), a.uncertain}, ts
}

// awaitSecondSample limits growth to the count that the last two samples of the
// engines both ask for. One sample may be wrong; the next follows within 250 ms.
func awaitSecondSample(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{min(n, max(a.confirmed, a.obs.Replicas)), UnconfirmedJump}, ts
}

// jumpCount is the maximum of replicas that engines alone may ask for.
func jumpCount(obs Observation) float64 { return maxJumpFactor*readyPods(obs) + maxJumpExtra }

// limitJump limits growth that only engines ask for, for as long as they do. A pod may
// report 99,999 waiting requests or a KV cache of one token. Requests that the
// queue-proxies or an endpoint picker see as well may ask for more, because each
// replica that is needed has a request to serve.
//
// Worked: 1 Ready pod reports 500 waiting, the target is 5. While the
// queue-proxies see 3 requests in flight the want is 2*1+4 = 6; when they see
// 200 it is 40.
func limitJump(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	limit := max(toCount(jumpCount(a.obs)), a.seenOutside, a.obs.Replicas)
	return outcome{min(n, limit), JumpLimit}, ts
}

// limitGrowth limits growth by max-scale-up-rate. For an engine metric it never goes
// below the present replicas, though some may have become unready: with rate 2,
// 8 replicas and 2 Ready pods the want is at most 8, not 4. For a demand metric it
// does, as Knative's own limit does.
func limitGrowth(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	limit := toCount(maxPods(a.spec, a.obs))
	if !a.metric.demand() {
		limit = max(limit, a.obs.Replicas)
	}
	return outcome{min(n, limit), ScaleUpLimit}, ts
}

// activate raises a want above 0 to the activation scale.
func activate(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	if a.replicas == 0 && n == 0 {
		return outcome{replicas: n}, ts
	}
	return outcome{max(n, a.spec.ActivationScale), ActivationScale}, ts
}

// stabilize keeps the largest want of the hold-down time. An engine metric without a
// recent want (a new revision, a restart, missing data, a rollback) keeps the present
// replicas for that time: otherwise a rollout that starts with its predecessor's eight
// replicas would scale down before its traffic arrives. For slo the rule "unknown
// load" does this.
func stabilize(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
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

// limitShrinking limits shrinking by max-scale-down-rate.
func limitShrinking(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	return outcome{max(n, toCount(minPods(a.spec, a.obs))), ScaleDownLimit}, ts
}

// awaitNodes stops growth while pods find no node: more pods would wait for the
// same GPUs.
func awaitNodes(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	waits := float64(unschedulablePods(a.obs))
	if waits == 0 || waits < max(minUnschedulable, unschedulableShare*float64(a.obs.Ready)) {
		return outcome{replicas: n}, ts
	}
	return outcome{min(n, a.obs.Replicas), Unschedulable}, ts
}

// giveBack lowers a want step by step: by a tenth of the replicas per stable window, at least
// by one. A revision whose engines were idle for a stable window is lowered at once.
func giveBack(a wantInput, n int32, ts TargetState) (outcome, TargetState) {
	now, window := a.obs.Time, a.spec.StableWindow
	idle := !ts.Backlog.IdleSince.IsZero() && now.Sub(ts.Backlog.IdleSince) >= window
	switch {
	case n >= a.obs.Replicas:
		ts.Backlog.Lowered = now
	case idle:
	case now.Sub(ts.Backlog.Lowered).Abs() < window:
		n = a.obs.Replicas
	default:
		ts.Backlog.Lowered = now
		n = max(n, 1, a.obs.Replicas-max(1, toCount(giveBackShare*float64(a.obs.Replicas))))
	}
	return outcome{n, GivenBackSlowly}, ts
}

// binWidth is the granularity of the hold-down: the policy plans once per bin.
const binWidth = slo.BinWidth

// unschedulableReplicas is the number of wanted replicas for which no node is found.
func (w *Want) unschedulableReplicas(obs Observation) int32 {
	waits := unschedulablePods(obs)
	if waits == 0 {
		return 0
	}
	wanted := w.Replicas
	for _, s := range w.Trace {
		if s.Reason == Unschedulable {
			wanted = s.Before
		}
	}
	return waits + max(0, wanted-obs.Replicas)
}
