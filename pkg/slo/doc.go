// Package slo answers how many replicas hold a user's latencies. It is a leaf:
// values in, values out, the standard library only. It knows no want, no rule and
// nothing of Kubernetes; pkg/decider makes its Input and applies the rules.
//
//	Objective (the latencies, the goal) ─┐
//	State     (what earlier calls left)  ─┼─ Next ─→ Need (replicas, parts), State
//	Input     (what is known now)        ─┘
//
// Once per bin of 10 s the policy learns and plans; policy.go lists the steps, and steps.go
// has each. What each pod's counters gained becomes a sample (podcounters.go, sample.go)
// unless they stand still (frozen.go), and the bin (bin.go) goes to one learner after the
// other. A learner observes a bin, gives its estimate, and says whether a stored memory is
// valid; none sees another's memory, only the estimates in the bin:
//
//	arrivals.go          requests per bin, an hour of them; history.go answers questions about them
//	lengths.go           the mean request
//	steptime.go          what a step takes
//	concurrencylimit.go  how many requests an engine runs at once
//	queueevidence.go     what replicas did under a queue, where the model promises much more
//	kvbackoff.go         how much of the KV cache can be used
//	startuptimes.go      how long pods take from creation to Ready
//	missingreplicas.go   pods that fail again and again
//	outcomes.go          how many first tokens missed the objective, by what a replica had to do
//	phases.go            which time in the queue makes a request late
//	misscurve.go         which share of requests misses the latencies at which load
//
// From the estimates, and from nothing else, come
//
//	capacity.go          the requests/s that one replica sustains
//	curve.go             the expected share of misses by load
//	plan.go              the fewest replicas with which the share of misses is within the goal
//	need.go              the plan with the parts that it came from
//	now.go               what waits now, which is added at every call
//
// state.go is the memory, tuning.go every number.
//
// Replicas is the larger of what the level of arrivals needs, with how similar levels
// grew within a startup time, and what the past hour would have needed, as it was
// or in proportion to today's level, whichever is less. The replicas that queues
// occupy, one per pod at most, come on top. docs/slo-policy.md explains the policy with
// an example in numbers, docs/adr/0005-slo-policy.md the decision.
package slo
