package decider

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

const (
	// binWidth is the granularity of the hold-down: the policy plans once per bin.
	binWidth = slo.BinWidth
	// minHoldDown is the least time that the largest want is kept. Values from 3 to 10
	// min cost within 1 % of each other (docs/slo-policy.md).
	minHoldDown = 5 * time.Minute
	// rounding is the part of a replica that is not worth one more.
	rounding = 0.05
)

// sloWant is the want of the metric SLO: what the policy needs, or while no engine
// was ever seen what Knative's default would have, shaped by the rules.
func sloWant(spec Spec, old *slo.State, obs Observation, ts TargetState) (Want, *SLOParts, *slo.State, TargetState) {
	o := spec.SLO.WithDefaults()
	need, next := slo.Next(o, old, sloInput(obs))
	a := asked{spec: spec, obs: obs, metric: SLO, holdDown: max(minHoldDown, 2*need.StartupTime)}
	a.witnessed = sloWitnessed(need, obs)
	picked := sloRules
	if !o.Has(slo.FeatureHoldDown) {
		picked &^= stabilization
	}
	if need.NoEngine {
		picked &^= jumpLimit // the want comes from the queue-proxies alone
		need.Replicas, need.Partial = bareNeed(spec, obs), false
		need.Parts = bareParts(need.Parts, need.Replicas, o.FallbackConcurrency)
	}
	t := Target{Metric: SLO, Value: o.Goal * 100}
	if math.IsNaN(need.Replicas) && busy(obs) == 0 {
		w := unknownWant(t)
		w.Observed = need.Parts.Attainment * 100
		return w, &need.Parts, next, ts
	}
	if math.IsNaN(need.Replicas) {
		need.Replicas, need.Partial = float64(obs.Replicas), true
	}
	w := newWant(t, need.Parts.Attainment*100, toCount(math.Ceil(need.Replicas-rounding)))
	if need.Partial {
		w.Reason = PartialData
	}
	a.replicas, a.uncertain = w.Asked, uncertain(need, obs)
	ts = w.shape(picked, a, ts)
	need.Parts.Unmet = w.unmet(obs)
	return w, &need.Parts, next, ts
}

// sloInput is what the policy reads of an observation.
func sloInput(obs Observation) slo.Input {
	in := slo.Input{
		Time: obs.Time, Replicas: obs.Replicas, Ready: obs.Ready, Unschedulable: unplaced(obs),
		Arrivals: obs.Arrivals, RPS: newest(obs.RPS), InFlight: Reading(inFlight(obs.Concurrency.Stable)), Queued: outside(obs),
		Pods: make([]slo.Pod, 0, len(obs.Pods)),
	}
	for i := range obs.Pods {
		if p := &obs.Pods[i]; p.Phase == Ready {
			in.Pods = append(in.Pods, slo.Pod{
				Name: p.Name, ReadyAfter: p.ReadyAfter, Totals: &p.Totals,
				Running: reading(*p, Running), Waiting: reading(*p, Waiting), KVCache: reading(*p, KVCache),
			})
		}
	}
	return in
}

// uncertain says why the want must not fall: it is made from too little, most
// engines that have a metrics endpoint cannot be read, or history is missing.
func uncertain(need slo.Need, obs Observation) Reason {
	switch {
	case need.Partial, !need.NoEngine && blind(obs):
		return PartialData
	case !need.Settled:
		return ScaleDownStabilized
	}
	return ""
}

// sloWitnessed is the most replicas for the requests that others than the engines
// see: one each. While the queue-proxies report no concurrency those in flight
// are taken to be the arrivals of one bin.
func sloWitnessed(need slo.Need, obs Observation) int32 {
	seen, known := witnessed(obs)
	if !known && need.Parts.Demand.Known() {
		seen += float64(need.Parts.Demand) * binWidth.Seconds()
	}
	return toCount(math.Ceil(seen))
}

// busy is 1 while the revision is known to hold a request.
func busy(obs Observation) int32 {
	if waiting(obs) > 0 || newest(obs.Concurrency) > 0 {
		return 1
	}
	for _, p := range obs.Pods {
		if p.Phase == Ready && reading(p, Running) > 0 {
			return 1
		}
	}
	return 0
}

// blind reports whether more than half of the Ready pods' counters are unknown.
func blind(obs Observation) bool {
	known := int32(0)
	for _, p := range obs.Pods {
		if p.Phase == Ready && p.Totals.Known {
			known++
		}
	}
	return known*2 < obs.Ready
}

// Pods without a node are waited for up to this many, or this share of the Ready ones.
const (
	minUnplaced   = 4
	unplacedShare = 0.25
)

// unmet is the replicas that are wanted and have no node.
func (w *Want) unmet(obs Observation) int32 {
	waits := unplaced(obs)
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

// unplaced is the pods that found no node.
func unplaced(obs Observation) (n int32) {
	for _, p := range obs.Pods {
		if p.Phase == Starting && p.Unschedulable {
			n++
		}
	}
	return n
}

// mostQueued is the largest believable number of requests outside of the engines.
const mostQueued = 1e8

// waiting is the requests that wait in the Ready pods' queues and outside of
// them, as far as they are known.
func waiting(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if w := reading(p, Waiting); p.Phase == Ready && w.Known() {
			sum += w
		}
	}
	if q := outside(obs); q.Known() {
		sum += q
	}
	return sum
}

// outside is the requests that wait outside of the engines.
func outside(obs Observation) Reading {
	if !believable(obs.Queued, mostQueued) {
		return Unknown()
	}
	return max(obs.Queued, 0)
}
