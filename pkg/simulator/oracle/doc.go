// Package oracle computes what hindsight would have cost: the least GPU-hours
// that could have met an SLO on a trace, with the schedule of replicas that
// does it. No policy can be cheaper, so a policy's GPU-hours over the bound are
// its regret.
//
// # The work of a request
//
// A step of the engine takes max(a + b*n, c0 + c*(p+n)) + d*KV + e*pairs (see
// simulator/engine), so it takes at least either side of the max, and a request
// of i prompt and o output tokens adds to one side and the other
//
//	weights  (o-1)*b           + d*(o-1)*(i+o/2) + e*i*i/2
//	compute  (o-1)*c + i*c     + d*(o-1)*(i+o/2) + e*i*i/2
//
// of a replica's time, besides the base of each step, a or c0. Decoding at
// the SLO's ITL makes at least 1/ITL steps a second, which leaves the share
// 1 - a/ITL or 1 - c0/ITL of the time for the requests. Two more limits have
// the same form, with every step at least as long as an empty one, t:
//
//	KV cache  (o-1)*t*(i+o/2) / the tokens of the cache
//	seqs      (o-1)*t / max_num_seqs
//
// Each of the four alone is a lower bound; the one that asks for most is used.
// What the API server adds, KV blocks, uneven loads, and that a step which also
// computes prompts may read the KV cache several times, are left out.
//
// # The bounds
//
// The fluid bound is the sum of the work over the share. The bound proper knows
// that replicas are whole and that starting one costs the GPU time of its
// start-up, which begins early enough for it to be Ready in time; stopping is
// free. In bins of time, work comes with its request, and has to be done when
// the SLO says so: that of the prompt by TTFT, the rest by TTFT + (o-1)*ITL.
// The cheapest number of replicas of each bin is a dynamic program over
// replicas and backlog. Everything is rounded down in sums over time (work
// that came, and work that is due), which keeps it a lower bound and lets no
// error grow.
//
// For a goal below 1 the schedule leaves out the most expensive requests, but
// never costs less than all the work that is due: a fleet serves a request
// that is too late as well. They are the most work that can be left out, but
// leaving out cheaper requests at a peak might save more replicas; so for
// goals below 1 the bound is that of a very good choice and not quite a proof.
package oracle
