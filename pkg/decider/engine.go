package decider

import "math"

// engineWant is the want of an engine metric: the count of HPA's replica calculator,
// shaped by the rules of the chain.
func engineWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	d, _ := t.Metric.Describe()
	pods := survey(spec, &d, obs, lastSample)
	if pods.known == 0 {
		return unknownWant(t), ts
	}
	picked := engineRules
	if d.Kind == Backlog {
		picked = backlogRules
		ts.Backlog = ts.Backlog.observe(obs, t.Value, spec.StableWindow)
	}
	if !spec.Reachable {
		picked &^= stabilization
	}
	n := ts.count(pods, spec, t, obs)
	w := newWant(t, pods.observed(d), n)
	a := wantInput{spec: spec, obs: obs, metric: t.Metric, replicas: n, confirmed: n, holdDown: spec.StableWindow}
	if n > obs.Replicas {
		a.confirmed = ts.count(survey(spec, &d, obs, twoSamples), spec, t, obs)
		a.seenOutside = countSeenOutside(d, t, obs)
	}
	if d.Kind == Backlog && !ts.Backlog.measured() {
		a.seenOutside = 0 // nobody knows yet how many replicas these requests need
	}
	ts = w.shape(picked, a, ts)
	return w, ts
}

// count is the number of replicas for what a metric is over the pods; the present replicas
// if it is known of none.
func (ts TargetState) count(pods podSum, spec Spec, t Target, obs Observation) int32 {
	if pods.known == 0 {
		return obs.Replicas
	}
	if d, _ := t.Metric.Describe(); d.Kind == Backlog {
		return ts.Backlog.count(pods, spec, t, obs)
	}
	return pods.count(spec, t, obs)
}

// countSeenOutside is the count for the requests that queue-proxies, pickers and the
// activator see: one replica for each, or for as many as the target of a metric that counts requests.
func countSeenOutside(d Description, t Target, obs Observation) int32 {
	perReplica := 1.0
	if d.Unit == requests {
		perReplica = max(t.Value, perReplica)
	}
	seen, _ := requestsSeenOutside(obs)
	return toCount(math.Ceil(seen / perReplica * (1 - epsilon)))
}
