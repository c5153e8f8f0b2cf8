// Package simulator runs a policy on a simulated fleet: the very decider of the
// cluster, or a rival of it, sees what a collector would see, and its replica
// counts are paid for in cold starts, queues and GPU-hours.
//
//	Run               a trace, a policy, a Result
//	Fleet             the same in pieces: Submit, Advance, Observe, Scale, Point
//	simulator/engine  one vLLM-V1-like replica
//	simulator/trace   requests from files, rate curves and generators
//	Fidelity          the replica against recorded runs of a real vLLM
//
// Nothing reads a clock (but for the processor time of a run) or starts a
// goroutine, and random numbers come from trace.Stream, which a seed and the
// name of a subsystem fix: lead, failure and scrape. The same arguments give the same Result.
//
// # A request
//
//	router            the Ready pod with the fewest requests in flight; equal ones take turns. With
//	                  prefix-aware routing the pod that was sent the longest beginning of the prompt,
//	                  unless it has 4 requests (or a quarter) more than the idlest
//	queue             first come, first served, while no pod is Ready or all are at their container
//	                  concurrency; refused after QueueTimeout
//	engine            see there; one that the KV cache could never hold is refused, and so is one
//	                  with which it does not begin within QueueTimeout
//	pod failure       what it had is sent to another pod, once; with a second failure it is lost.
//	                  The time to the first token counts from the first arrival
//
// # A pod
//
// Unschedulable while there is no GPU, Loading for a lognormal time, Ready, Draining
// once it was chosen to go (then it takes nothing and ends with its last request;
// it is never Ready again), Gone. It costs from its GPU to its end. Too many pods
// go as Kubernetes and least-request have it: without a GPU, loading, fewest
// requests. A failed pod is replaced at once. At the beginning all pods are Ready;
// how many, says Config.Initial or the busiest of the first five minutes.
//
// A fleet with Config.Min 0 may have no pod; then a policy's Surroundings say when it is
// asked besides, which Ready pods go, and whether draining ones are seen and come back.
//
// # What a policy sees
//
// Metrics endpoints are read every Scrape, each pod at its own phase, some lost;
// after three the pod is unknown. Concurrency and arrivals are the queue-proxies'
// and the activator's, once a second, without loss. What is not so tidy by choice
// (PromptsPerRequest, OtherRequests, MetricsDelay, Hide) is so for every policy.
//
// # Cost
//
// An engine lags behind on purpose: nothing that can be seen from outside
// happens before its Next. The fleet keeps pods in a heap by Next and, at every
// arrival, advances those that are due; the least busy pod is the head of a list. A
// request so costs the same on any fleet, with any number of tokens. Memory does
// not grow with requests: latencies are kept in log-scaled buckets within 1 %.
// A scrape asks Counters, which makes the steps up to that moment; where steps
// are cut does not change what they do.
//
// # Fidelity
//
// Two constants stand between published kernel times and recorded runs; see
// engine's profiles.go. Arrivals are those of the client, put on the engine's
// clock by the quickest of them. Not modelled are asynchronous scheduling,
// the padding of CUDA graphs, the first steps of a cold engine, and a prefix cache
// without hashes: a request without prompt hashes computes all its
// tokens again when it was thrown out, and what engines generate is never found again.
package simulator
