// Package simulator runs the decider on a simulated clock. So far it holds the
// ground that this stands on:
//
//	simulator/engine  one vLLM-V1-like replica
//	simulator/trace   requests from files, rate curves and generators
//	Fidelity          the replica against recorded runs of a real vLLM
//
// It reads no clock and starts no goroutine; random numbers come from streams
// that a seed and the name of a subsystem fix.
package simulator
