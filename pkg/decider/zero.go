package decider

import (
	"math"
	"time"
)

// idleToZero removes the last replica of a reachable revision without min-scale when
// nothing was open anywhere for a stable window, and leaves one at zero there until a
// request comes. What some metrics remember (slo the load of an hour) is a reason to keep
// several replicas, and none to pay for one that nobody asks; what max-scale does not allow
// keeps none either. Knative's own metrics decide alone.
func idleToZero(spec Spec, st State, obs Observation, d Decision) outcome {
	stay := outcome{replicas: d.Replicas}
	if !spec.Reachable || spec.MinReplicas > 0 || d.Replicas == 0 || !noDemand(d) || obs.Open != 0 ||
		minOneIfBusy(obs) > 0 {
		return stay
	}
	last := bounds(spec, d).replicas == 1 && obs.Replicas == 1 && !waitsForPods(obs)
	if obs.Replicas > 0 && !(last && st.idleFor(spec.StableWindow, obs.Time)) {
		return stay
	}
	return outcome{0, Idle}
}

// observeBlind notes since when it is not known whether a request waits for a revision at
// zero.
func (st State) observeBlind(obs Observation) State {
	switch {
	case obs.Replicas > 0 || obs.Open.Known():
		st.BlindSince = time.Time{}
	case st.BlindSince.IsZero():
		st.BlindSince = obs.Time
	}
	return st
}

// wakeBlind starts one replica of a revision at zero that nobody sees the requests of.
func wakeBlind(spec Spec, st State, obs Observation, d Decision) outcome {
	if !spec.Reachable || spec.MinReplicas > 0 || d.Replicas > 0 || st.BlindSince.IsZero() ||
		obs.Time.Sub(st.BlindSince) < maxBlind {
		return outcome{replicas: d.Replicas}
	}
	return outcome{1, OpenUnknown}
}

// keepLast keeps the last replica while a request is open anywhere, or may be.
func keepLast(spec Spec, obs Observation, d Decision) outcome {
	switch {
	case !spec.Reachable || spec.MinReplicas > 0 || d.Replicas > 0 || obs.Replicas == 0 || obs.Open == 0:
		return outcome{replicas: d.Replicas}
	case obs.Open > 0:
		return outcome{1, InFlightRequests}
	}
	return outcome{1, OpenUnknown}
}

// wakeUp applies wake. At zero its reason counts even if the memory of a metric wants the
// replica already: without a request that replica would not have come.
func (d *Decision) wakeUp(spec Spec, obs Observation) {
	apply := d.move
	if obs.Replicas == 0 && noDemand(*d) {
		apply = d.moveWhy
	}
	apply("requests wait", wake(spec, obs, *d))
}

// wake raises the count for the requests that wait, or are open in pods that drain, while
// no pod is Ready: to one replica, and where a target is in requests to what these need. It
// does not wait for an average: Open is what is seen now. The other metrics know nothing
// without a Ready pod.
func wake(spec Spec, obs Observation, d Decision) outcome {
	open := 0.0
	for _, r := range [...]Reading{obs.Queued, obs.Open} {
		if believable(r, maxQueued) {
			open = max(open, float64(r))
		}
	}
	if !spec.Reachable || obs.Ready > 0 || !(open > 0) {
		return outcome{replicas: d.Replicas}
	}
	need := 1.0
	for _, t := range spec.Targets {
		if t.Metric == Concurrency || t.Metric == Running || t.Metric == Waiting {
			need = max(need, math.Ceil(open/t.Value*(1-epsilon)))
		}
	}
	n := max(toCount(min(need, maxPods(spec, obs))), spec.ActivationScale)
	return outcome{max(d.Replicas, n), RequestsWait}
}

// capFailing adds no replica while no pod is Ready and one of them finds no node, crashes, or
// has been starting for longer than StartupDeadline: others would fare no better.
func capFailing(spec Spec, obs Observation, d Decision) outcome {
	if !spec.Reachable || obs.Ready > 0 || obs.Replicas == 0 {
		return outcome{replicas: d.Replicas}
	}
	for _, p := range obs.Pods {
		if p.Phase == Starting && p.Unschedulable {
			return outcome{min(d.Replicas, obs.Replicas), Unschedulable}
		}
		if p.Phase == Starting && (p.Failing || !coming(spec, p)) {
			return outcome{min(d.Replicas, obs.Replicas), StartFails}
		}
	}
	return outcome{replicas: d.Replicas}
}

// ReadyAfter is the shortest time in which a pod of the observation became Ready; 0 when not known.
func ReadyAfter(obs Observation) (shortest time.Duration) {
	for _, p := range obs.Pods {
		if p.ReadyAfter > 0 && (shortest == 0 || p.ReadyAfter < shortest) {
			shortest = p.ReadyAfter
		}
	}
	return shortest
}

// StartupTime is the time that a pod takes to become Ready: what was measured, where that is
// not 0, else what slo has learned or assumes (two minutes at first); 0 when not known.
func StartupTime(measured time.Duration, d Decision) time.Duration {
	if measured == 0 && d.SLO != nil && d.SLO.StartupTime.Known() && d.SLO.StartupTime > 0 {
		return time.Duration(float64(d.SLO.StartupTime) * float64(time.Second))
	}
	return measured
}
