// Package slo answers how many replicas hold a user's latencies. It is a leaf:
// values in, values out, the standard library only. It knows no want, no rule and
// nothing of Kubernetes; pkg/decider makes its Input and applies the rules.
//
//	Objective (the latencies, the goal) ─┐
//	State     (what earlier calls left)  ─┼─ Next ─→ Need (replicas, parts), State
//	Input     (what is known now)        ─┘
//
// Once per bin of 10 s the policy learns and plans; policy.go lists the steps. Each
// of these has a file:
//
//	arrivals.go          requests per bin, an hour of them; history.go asks them questions
//	sample.go            what each pod's counters gained in a bin; startup times
//	capacity.go          lengths of requests, step time, and the requests/s of one replica
//	concurrencylimit.go  how many requests an engine runs at once
//	queueevidence.go     what replicas did under a queue, where the model promises much more
//	outcomes.go          which share of requests missed the latencies at which load
//	misscurve.go         the expected share of misses by load, from the outcomes
//	plan.go              the fewest replicas with which the share of misses is within the goal
//	state.go             the memory, and what changes when the model or a limit does
//	tuning.go            numbers that more than one file uses
//
// Replicas is the larger of what the level of arrivals needs, with how levels like
// it grew within a startup time, and what the past hour would have needed, as it was
// or in proportion to today's level, whichever is less. To it come the replicas that
// queues occupy, one per pod at most. docs/slo-policy.md explains the policy with
// an example in numbers, docs/adr/0005-slo-policy.md the decision.
package slo
