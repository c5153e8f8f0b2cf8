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
// What a signal asks for becomes a want by one ordered chain of rules (chain.go),
// from which each kind of metric picks:
//
//	                      demand  engine  slo
//	at least one if busy                   x   a request is in flight
//	unknown load                           x   the want does not fall while data is missing
//	second sample                    x         two samples in a row ask for the growth
//	jump limit                       x     x   at most 2*Ready+4 if only engines ask for it
//	scale-up limit           x       x     x   at most ceil(MaxScaleUpRate * Ready)
//	activation scale         x       x     x   raises a want above 0
//	stabilization                    x     x   the largest want of the hold-down time; not Waiting
//	give back slowly              Waiting      down by a tenth per stable window (backlog.go)
//	scale-down limit         x       x     x   at least floor(Ready / MaxScaleDownRate)
//	unschedulable pods                     x   no growth while pods find no node
//
// Each rule that moves the count leaves a step in the want's trace. The
// hold-down time is StableWindow, for slo the larger of five minutes and two
// startup times.
//
// The want of Concurrency or RPS is exactly Knative's: stable and panic window,
// and in panic the largest count since it began. An engine metric asks for what
// HPA's replica calculator does: sum over Ready pods / target; unknown and
// starting pods count as at their target on the way down and as idle on the way up. Waiting
// is a backlog, and asks for what works the backlog off (backlog.go).
//
// The want of TTFTP95 or ITLP95 scales the Ready pods by the ratio of the percentile,
// made of all pods' histograms over the stable window, to its target: up by
// a doubling at most, and not while pods are coming; down by a tenth per window.
//
// The want of SLO comes from pkg/slo, which learns the capacity of a replica and plans
// for the latencies. As long as no engine metrics were read there is no plan: the
// revision gets the replicas of Knative's default, 70 requests in flight each
// (noengine.go).
//
// The rules on the largest want are partial data, unreachable, idle, requests wait,
// blind at zero, scale-down delay, lost pod, failing start, last replica and, last, bounds.
// Unknown is never zero: without any known metric the count stays. testdata/scenarios has a story for each rule.
//
// The files in the order to read them; none uses a definition of a later one, and
// hack/archcheck finds circles:
//
//	observation.go, believable.go             what is known now, and which readings are believed
//	metric.go, types.go, defaults.go, validate.go  metrics, Spec and Decision
//	pods.go, requests.go, tuning.go           what is asked of an observation, and every number
//	want.go, podsum.go, backlog.go, state.go  what a rule returns, a metric over the pods, the memory
//	chain.go                                  the rules of a want
//	demand.go, engine.go, latency.go          the want of each kind of metric
//	noengine.go, slo.go, neverknown.go        the want of slo, and of metrics without a value
//	idle.go, unreachable.go, rules.go,        the rules of the count, and the activator
//	zero.go, burst.go
//	decide.go                                 Decide: the wants, then the rules in order
//	words.go, reach.go, slostring.go, string.go, parts.go, explain.go  a decision in words and JSON
package decider
