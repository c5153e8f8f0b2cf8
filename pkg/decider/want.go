package decider

import "math"

// outcome is the result of a rule: the count after it, and the reason if it changed.
type outcome struct {
	replicas int32
	why      Reason
}

// move applies a rule's outcome and adds a step to the trace if the count changes.
func (d *Decision) move(rule string, o outcome) {
	if o.replicas == d.Replicas {
		return
	}
	d.record(rule, o)
}

// moveWhy is move for a rule whose reason counts even if it does not change the count:
// that the pods of a revision were removed matters more than why it was idle.
func (d *Decision) moveWhy(rule string, o outcome) {
	if o.why == "" {
		return
	}
	d.record(rule, o)
}

func (d *Decision) record(rule string, o outcome) {
	d.Trace = append(d.Trace, Step{Rule: rule, Before: d.Replicas, After: o.replicas, Reason: o.why})
	d.Replicas, d.Reason = o.replicas, o.why
}

// newWant is the need of a metric before any rule.
func newWant(t Target, observed Reading, n int32) Want {
	return Want{Metric: t.Metric, Observed: observed, Target: t.Value, Asked: n, Replicas: n, Reason: DesiredWithinRange}
}

func unknownWant(t Target) Want {
	return Want{Metric: t.Metric, Observed: Unknown(), Target: t.Value, Asked: -1, Replicas: -1, Reason: NoData}
}

// move applies a rule's outcome and adds a step to the trace if the count changes.
func (w *Want) move(rule string, o outcome) {
	if o.replicas == w.Replicas {
		return
	}
	w.Trace = append(w.Trace, Step{Rule: rule, Before: w.Replicas, After: o.replicas, Reason: o.why})
	w.Replicas, w.Reason = o.replicas, o.why
}

// toCount turns a computed number of replicas into a count; int32 of a float
// out of range is not defined, so it is clamped first.
func toCount(f float64) int32 {
	return int32(min(max(f, 0), math.MaxInt32))
}

// epsilon is the relative error that summing floats may leave: 3.0000000001
// replicas are 3, not 4.
const epsilon = 1e-9
