package decider

// Decide returns the replica count of one revision at obs.Time, and the state for the
// next call. It is deterministic, and neither modifies nor keeps its arguments.
//
// An error means that spec or obs is malformed, and names the field; the state is then
// returned unchanged. A missing number is not an error: it is unknown, and the count
// does not fall because of it.
func Decide(spec Spec, st State, obs Observation) (Decision, State, error) {
	if err := validate(spec, obs); err != nil {
		return Decision{}, st, err
	}
	next := st.forTargets(spec, obs).observeWork(obs).observePods(spec, obs).observeBlind(obs).observeBegun(spec, obs)
	d := Decision{Wants: make([]Want, len(spec.Targets))}
	for i, t := range spec.Targets {
		if t.Metric == SLO {
			d.Objective = spec.SLO.WithDefaults()
			d.Wants[i], d.SLO, next.SLO, next.Targets[i] = sloWant(spec, st.SLO, obs, next.Targets[i])
		} else {
			d.Wants[i], next.Targets[i] = targetWant(spec, t, next.Targets[i], obs)
		}
		d.Panicking = d.Panicking || (t.Metric.demand() || t.Metric == SLO) && !next.Targets[i].PanicSince.IsZero()
	}
	d.markNeverKnown(spec, next, obs)
	d.largestWant(obs)
	d.ExcessBurst = excessBurst(spec, obs)

	// The rules, in order: each moves the count or leaves it.
	d.move("partial data", partialData(d, obs))
	d.moveWhy("unreachable", unreachable(spec, next, obs, d))
	d.move("idle", idleToZero(spec, next, obs, d))
	d.wakeUp(spec, obs)
	d.move("blind at zero", wakeBlind(spec, next, obs, d))
	delayed, window := scaleDownDelay(spec, next.Delay, obs.Time, d)
	d.move("scale-down delay", delayed)
	next.Delay = window
	d.move("lost pod", lostPod(spec, next, obs, d))
	d.move("failing start", capFailing(spec, obs, d))
	d.move("last replica", keepLast(spec, obs, d))
	d.move("bounds", bounds(spec, d)) // the user's min and max always win
	return d, next, nil
}

// targetWant is the want of one target, and its memory for the next call.
func targetWant(spec Spec, t Target, ts TargetState, obs Observation) (Want, TargetState) {
	switch t.Metric.kind() {
	case Demand:
		return demandWant(spec, t, ts, obs)
	case Percentile:
		return latencyWant(spec, t, ts, obs)
	default:
		return engineWant(spec, t, ts, obs)
	}
}

// largestWant makes the largest known want the count; of equal ones the first in the
// spec wins. Without a known want the present count stays.
func (d *Decision) largestWant(obs Observation) {
	d.Replicas, d.Reason = obs.Replicas, NoData
	most := int32(-1)
	for _, w := range d.Wants {
		if w.Replicas > most {
			most = w.Replicas
			d.Replicas, d.Reason, d.Metric = w.Replicas, w.Reason, w.Metric
		}
	}
}
