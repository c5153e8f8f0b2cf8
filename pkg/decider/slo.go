package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// sloWant is the want of the metric SLO: the policy's need, shaped by the rules, or, as
// long as no engine was ever seen, that of the metric concurrency.
func sloWant(spec Spec, old *slo.State, obs Observation, ts TargetState) (Want, *SLOParts, *slo.State, TargetState) {
	o := spec.SLO.WithDefaults()
	need, next := slo.Next(o, old, sloInput(obs))
	if need.NoEngine {
		w, parts, ts := sloWithoutEngine(spec, obs, need.Parts, ts)
		return w, &parts, next, ts
	}
	ts = ts.engineCame()
	a := wantInput{spec: spec, obs: obs, metric: SLO, holdDown: max(minHoldDown, holdDownStartups*need.StartupTime)}
	a.seenOutside = sloCountSeenOutside(need, obs)
	picked := sloRules
	if !o.Has(slo.FeatureHoldDown) {
		picked &^= stabilization
	}
	t := Target{Metric: SLO, Value: o.Goal * 100}
	if math.IsNaN(need.Replicas) && minOneIfBusy(obs) == 0 {
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
	need.Parts.Unmet = w.unschedulableReplicas(obs)
	return w, &need.Parts, next, ts
}

// sloInput is the part of an observation that the policy reads.
func sloInput(obs Observation) slo.Input {
	in := slo.Input{
		Time: obs.Time, Replicas: obs.Replicas, Ready: obs.Ready, Unschedulable: unschedulablePods(obs),
		Arrivals: obs.Arrivals, RPS: newest(obs.RPS), InFlight: Reading(inFlight(obs.Concurrency.Stable)),
		Queued: queued(obs),
		Pods:   make([]slo.Pod, 0, len(obs.Pods)),
	}
	for i := range obs.Pods {
		if p := &obs.Pods[i]; p.Phase == Ready {
			in.Pods = append(in.Pods, slo.Pod{
				Name: p.Name, ReadyAfter: p.ReadyAfter, Totals: &p.Totals,
				Running: believableRequests(p.Running), Waiting: believableRequests(p.Last().queue()),
				Deferred: believableRequests(p.Deferred), KVCache: believablePercent(p.KVCache),
			})
		}
	}
	return in
}

// uncertain returns the reason why the want must not fall, empty if it may: data is
// missing, most engines cannot be read, or history is too short.
func uncertain(need slo.Need, obs Observation) Reason {
	switch {
	case need.Partial, mostlyUnknown(obs):
		return PartialData
	case !need.Settled:
		return ScaleDownStabilized
	}
	return ""
}

// sloCountSeenOutside is one replica for each request that queue-proxies, pickers and
// the activator see. While the queue-proxies report no concurrency, the arrivals of
// one bin are taken to be in flight.
func sloCountSeenOutside(need slo.Need, obs Observation) int32 {
	seen, known := requestsSeenOutside(obs)
	if !known && need.Parts.Demand.Known() {
		seen += float64(need.Parts.Demand) * binWidth.Seconds()
	}
	return toCount(math.Ceil(seen))
}
