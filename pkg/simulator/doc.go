// Package simulator is to run the decider on a simulated clock. So far it
// holds the ground that this stands on:
//
//	simulator/engine  one vLLM-V1-like replica
//	simulator/trace   requests from files, rate curves and generators
//	Fidelity          the replica against recorded runs of a real vLLM
//
// Nothing reads a clock or starts a goroutine, and random numbers come from
// trace.Stream, which a seed and the name of a subsystem fix, so that a run
// is repeatable.
//
// # A fleet
//
// A fleet holds one engine.Engine per replica. An engine lags behind on
// purpose: nothing that can be seen from outside happens before Next, so a
// router keeps a heap of replicas by Next, advances those that are due,
// submits the request, and puts that replica back. Advancing all of them at
// every request would make the cost grow with the fleet. A scrape asks
// Counters, which makes the steps up to that moment; where steps are cut does
// not change what they do.
//
// # Fidelity
//
// Two constants stand between published kernel times and recorded runs; see
// engine's profiles.go. Arrivals are those of the client, put on the engine's
// clock by the quickest of them. Not modelled are the prefix cache (a request
// thrown out computes all its tokens again), asynchronous scheduling, the
// padding of CUDA graphs, and the first steps of a cold engine.
package simulator
