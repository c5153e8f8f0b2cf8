package decider

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// binWidth is the granularity of the hold-down: the policy plans once per bin.
const binWidth = slo.BinWidth

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
	a := wantInput{spec: spec, obs: obs, metric: SLO, holdDown: max(minHoldDown, 2*need.StartupTime)}
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
				Running: believableRequests(p.Running), Waiting: believableRequests(p.Waiting),
				KVCache: believablePercent(p.KVCache),
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

// minOneIfBusy is 1 while a request is known to be in flight, else 0.
func minOneIfBusy(obs Observation) int32 {
	if waitingOrQueued(obs) > 0 || newest(obs.Concurrency) > 0 {
		return 1
	}
	for _, p := range obs.Pods {
		if p.Phase == Ready && believableRequests(p.Running) > 0 {
			return 1
		}
	}
	return 0
}

// mostlyUnknown reports whether the counters of more than half of the Ready pods are unknown.
func mostlyUnknown(obs Observation) bool {
	known := int32(0)
	for _, p := range obs.Pods {
		if p.Phase == Ready && p.Totals.Known {
			known++
		}
	}
	return known*2 < obs.Ready
}

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

// unschedulablePods is the number of pods for which no node was found.
func unschedulablePods(obs Observation) (n int32) {
	for _, p := range obs.Pods {
		if p.Phase == Starting && p.Unschedulable {
			n++
		}
	}
	return n
}

// maxQueued is the largest believable number of queued requests.
const maxQueued = 1e8

// waitingOrQueued is the known requests in the engines' queues and in front of them;
// unknown numbers count as 0.
func waitingOrQueued(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if w := believableRequests(p.Waiting); p.Phase == Ready && w.Known() {
			sum += w
		}
	}
	if q := queued(obs); q.Known() {
		sum += q
	}
	return sum
}

// queued is the requests that wait in front of the engines.
func queued(obs Observation) Reading {
	if !believable(obs.Queued, maxQueued) {
		return Unknown()
	}
	return max(obs.Queued, 0)
}
