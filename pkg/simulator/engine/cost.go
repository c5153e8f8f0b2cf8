package engine

import (
	"cmp"
	"math"
	"time"
)

// picos is simulated time in whole picoseconds: 106 days fit, and every
// published coefficient is a whole number of them, so sums are exact.
type picos int64

// Never is later than any time of a simulation.
const Never = time.Duration(math.MaxInt64)

const (
	perMicro = 1e6
	perNano  = 1000
	// never is a time that is not reached.
	never = picos(math.MaxInt64)
)

// Latest is the last arrival that is taken: 90 days, so that what is queued can still end.
const Latest = 90 * 24 * time.Hour

func fromDuration(d time.Duration) picos { return picos(d) * perNano }

func (t picos) duration() time.Duration { return time.Duration(t / perNano) }

// cost is the step-time model in picoseconds.
type cost struct {
	base, sequence, computeBase, token picos
	// kvToken is a step's that only decodes, kvMixed one's that also computes prompts.
	kvToken, kvMixed picos
	// halfPair is half of e, because p*(ctx + p/2) is p*(2*ctx + p)/2.
	halfPair picos
}

func newCost(p Profile) cost {
	round := func(us float64) picos { return picos(math.Round(us * perMicro)) }
	return cost{
		base: round(p.StepBase), sequence: round(p.PerSequence),
		computeBase: round(p.ComputeBase), token: round(p.PerToken),
		kvToken: round(p.PerKVToken), kvMixed: round(p.PerKVToken * cmp.Or(p.MixedKV, 1)),
		halfPair: round(p.PerTokenPair / 2),
	}
}

// step is the time of a step with n decoding requests that hold kv tokens, and
// prompt tokens whose pairs sum up p_j*(2*ctx_j + p_j).
func (c cost) step(n, kv, prompt, pairs int64) picos {
	read := c.base + c.sequence*picos(n)
	compute := c.computeBase + c.token*picos(n+prompt)
	return max(read, compute) + c.kv(prompt)*picos(kv) + c.halfPair*picos(pairs)
}

// kv is reading one token of the KV cache in a step with prompt tokens.
func (c cost) kv(prompt int64) picos {
	if prompt > 0 {
		return c.kvMixed
	}
	return c.kvToken
}

// series is a run of steps; each takes grow longer than the step before.
type series struct{ first, grow picos }

// span is the time of the first m steps.
func (s series) span(m int64) picos {
	return s.first*picos(m) + s.grow*picos(m*(m-1)/2)
}

// within is the number of steps, at most m, that end within d.
func (s series) within(d picos, m int64) int64 {
	if d < s.first {
		return 0
	}
	if longest := float64(m) * (float64(s.first) + float64(s.grow)*float64(m)); longest < 0.999*float64(d) {
		return m // mostly, and without a root
	}
	k := s.estimate(float64(d))
	if k > m+1 {
		return m // and span(m) may not even fit into picos
	}
	k = min(max(k, 1), m)
	for k > 1 && s.span(k) > d {
		k--
	}
	for k < m && s.span(k+1) <= d {
		k++
	}
	return k
}

// estimate solves span(m) = d in floating point; within corrects the last digit.
func (s series) estimate(d float64) int64 {
	if s.grow == 0 {
		return int64(d / float64(s.first))
	}
	half := float64(s.grow) / 2
	b := float64(s.first) - half
	return int64(2 * d / (b + math.Sqrt(b*b+4*half*d)))
}
