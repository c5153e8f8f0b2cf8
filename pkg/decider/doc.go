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
//
// The want of Concurrency or RPS is exactly Knative's: stable and panic window,
// rate limits, activation scale. The want of an engine metric is, in order:
//
//	count             what HPA's replica calculator asks for: sum over Ready pods / target;
//	                  unknown and starting pods full on the way down, idle on the way up
//	scale-up limit    at most ceil(MaxScaleUpRate * Ready), never below the present replicas
//	activation scale  lifts a want above 0
//	starting capacity Waiting only: a queue that grows while pods load asks for no more
//	stabilization     the largest want of the past StableWindow
//	scale-down limit  at least floor(Ready / MaxScaleDownRate)
//
// The rules on the largest want are partial data, unreachable, scale-down delay
// and, last, bounds. Unknown is never zero: without any known signal the count
// is held. testdata/scenarios tells each of them as a story.
package decider
