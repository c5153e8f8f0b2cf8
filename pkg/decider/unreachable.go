package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// observeBegun notes since when no request has begun in a revision without a route. Requests
// that an inference gateway sends past the queue-proxies show in the engines' first tokens.
// While it is unknown whether one has begun, one may have.
func (st State) observeBegun(spec Spec, obs Observation) State {
	if spec.Reachable {
		st.QuietSince, st.FirstTokens = time.Time{}, 0
		return st
	}
	tokens, rps := firstTokens(obs), newest(obs.RPS)
	begun := !rps.Known() || rps > 0 || requestsWait(obs) || tokens != st.FirstTokens
	st.FirstTokens = tokens
	switch {
	case begun:
		st.QuietSince = time.Time{}
	case st.QuietSince.IsZero():
		st.QuietSince = obs.Time
	}
	return st
}

// firstTokens is the first tokens that the engines have counted, as far as they are known; of an
// engine that does not count them the requests that it has finished.
func firstTokens(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if n := begun(p.Totals).Within(slo.MaxTotal); n.Known() {
			sum += n
		}
	}
	return sum
}

// requestsWait reports whether requests are known to wait in front of the engines.
func requestsWait(obs Observation) bool {
	return believable(obs.Queued, maxQueued) && obs.Queued > 0
}

// unreachable removes the pods of a revision without a route, and adds none. If no pod is
// Ready, all go at once; but while requests wait there is one, because a gateway may still
// use its previous routes and send requests here. Otherwise the count is, in this order:
//
//	no request in flight for a stable window    0
//	no request begun for a stable window        one pod, which serves what may still come. The
//	                                            others leave routing and end their requests
//	                                            (pkg/drain), so that one long answer does not
//	                                            keep the pods of all others
//	else                                        as it is
func unreachable(spec Spec, st State, obs Observation, d Decision) outcome {
	if spec.Reachable {
		return outcome{replicas: d.Replicas}
	}
	waits := requestsWait(obs)
	if obs.Ready == 0 && waits {
		return outcome{1, RequestsWait}
	}
	if !waits && (obs.Ready == 0 || st.idleFor(spec.StableWindow, obs.Time) && noDemand(d)) {
		return outcome{0, Unreachable}
	}
	if st.QuietSince.IsZero() || obs.Time.Sub(st.QuietSince) < spec.StableWindow {
		return outcome{obs.Replicas, InFlightRequests}
	}
	return lastAnswers(st, obs)
}

// lastAnswers is the count while the last answers of a revision without a route end: one, or
// the Ready pods that cannot drain. Of a pod without the readiness gate Kubernetes cuts the
// answers, and a pod that cannot be read may hold requests for good.
func lastAnswers(st State, obs Observation) outcome {
	ungated, known := int32(0), int32(0)
	for _, p := range obs.Pods {
		switch {
		case p.Phase != Ready:
		case p.Ungated:
			ungated++
		case !st.EngineSeen || believableRequests(p.Running).Known() && believableRequests(p.Waiting).Known():
			known++
		}
	}
	unknown := max(obs.Ready-ungated-known, 0) // with those that were not observed yet
	why := NoNewRequests
	switch {
	case ungated > 0:
		why = NoReadinessGate
	case unknown > 0:
		why = OpenUnknown
	}
	return outcome{min(max(ungated+unknown, 1), obs.Replicas), why}
}

// noDemand reports whether no known demand metric wants a replica.
func noDemand(d Decision) bool {
	for _, w := range d.Wants {
		if w.Metric.demand() && w.Replicas > 0 {
			return false
		}
	}
	return true
}
