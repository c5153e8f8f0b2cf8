package decider

import "time"

// noteKnown remembers whether a metric of the engines was ever known, and since when it
// has not been although pods were Ready.
func (ts TargetState) noteKnown(w Want, obs Observation) TargetState {
	switch {
	case w.Replicas >= 0:
		ts.Known, ts.UnknownSince = true, time.Time{}
	case !ts.Known && obs.Ready > 0 && ts.UnknownSince.IsZero():
		ts.UnknownSince = obs.Time
	}
	return ts
}

// neverKnown reports whether a metric of the engines was never known, for a stable
// window with Ready pods: the engine does not report it, or cannot be read. An unknown
// metric that was known before is another matter: it will be again.
func (ts TargetState) neverKnown(spec Spec, obs Observation) bool {
	return !ts.Known && !ts.UnknownSince.IsZero() && ts.Metric.ofEngine() &&
		obs.Time.Sub(ts.UnknownSince) >= spec.StableWindow
}

// markNeverKnown gives the wants of metrics that were never known a reason of their own:
// they do not keep the count from falling. Where no target has any other metric, requests
// in flight decide, as for slo without an engine.
func (d *Decision) markNeverKnown(spec Spec, next State, obs Observation) {
	all := true
	for i := range d.Wants {
		next.Targets[i] = next.Targets[i].noteKnown(d.Wants[i], obs)
		if d.Wants[i].Replicas < 0 && next.Targets[i].neverKnown(spec, obs) {
			d.Wants[i].Reason = NeverKnown
			continue
		}
		all = false
	}
	if all {
		d.Wants[0], next.Targets[0] = d.Wants[0].withoutEngine(spec, next.Targets[0], obs)
	}
}

// withoutEngine is the want of a revision all of whose metrics were never known. It
// stays unknown while the queue-proxies report nothing either.
func (w Want) withoutEngine(spec Spec, ts TargetState, obs Observation) (Want, TargetState) {
	by, ts := wantWithoutEngine(spec, ts, obs)
	if by.Replicas < 0 {
		return w, ts
	}
	w.Asked, w.Replicas, w.Trace, w.Reason = by.Asked, by.Replicas, by.Trace, by.Reason
	if len(w.Trace) == 0 {
		w.Reason = NoEngineMetrics
	}
	w.move("at least one if busy", outcome{max(w.Replicas, minOneIfBusy(obs)), InFlightRequests})
	return w, ts
}
