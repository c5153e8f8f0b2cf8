// Package decider turns one observation of a revision into a replica count.
//
// It is the pure core of the product: values in, values out. It reads no clock,
// starts no goroutine, does no I/O and knows nothing of Kubernetes, so the
// cluster and the simulator run the very same code.
//
//	Spec (what the user asked for)  ─┐
//	State (what earlier calls left) ─┼─ Decide ─→ Decision (count, reason, trace)
//	Observation (what is known now) ─┘            State (for the next call)
//
// A decision is made in two steps. First every target of the spec yields a
// want, the replica count that this one signal asks for; the largest wins.
// Then an ordered list of small named rules may move that count, and each rule
// that does so leaves a line in the decision's trace.
package decider
