// Package engine models one replica of a vLLM-V1-like inference engine in
// simulated time: which requests a scheduler step takes, and how long the step
// lasts. It has no clock, goroutine or randomness; the same calls give the same
// result on every machine.
//
// A step, as vLLM's V1 scheduler makes it:
//
//	running first     one token for every decoding request, the next chunk for the prompt in progress
//	short of blocks   the last admitted request gives up all its blocks and goes back to the
//	                  head of the queue, to be computed again; nobody is admitted in this step
//	then waiting      first come first served, while the token budget, max_num_seqs and the
//	                  KV blocks of the whole prompt allow (scheduler_reserve_full_isl)
//
// and its time, with n decoding requests that hold KV tokens, and p prompt
// tokens of which chunk j follows ctx_j tokens of its own prompt:
//
//	T = max(a + b*n, c0 + c*(p+n)) + d*m*KV + e*sum(p_j*(ctx_j + p_j/2))
//
// The max is the roofline between reading the weights and computing; m
// is 1 in a step without prompts and [Profile].MixedKV in one with, where some
// attention kernels read the KV cache several times. A Profile holds the coefficients.
//
// # Prefix cache
//
// A request with a [Prefix] takes over the blocks that hold the beginning of its
// prompt, of other requests or left behind by them. As in vLLM, free blocks
// stand in a queue, last used last, of a request its end first; a new block is
// taken from the front, and its content is lost. The last token of a prompt is always
// computed. Of two equal blocks that are computed at the same time, one is kept.
//
// # Cost
//
// While no request comes, ends or is preempted, n is constant and KV grows by
// n per step, so that step times form an arithmetic series: any number of such
// steps is one multiplication. The same holds while one long prompt fills the
// budget step after step. The work therefore grows with requests, not with
// tokens. Times are whole picoseconds, so the short cut is not an
// approximation: tests compare it, to the picosecond, with an engine that
// makes every step.
package engine
