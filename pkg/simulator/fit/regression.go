package fit

import (
	"cmp"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// A request that decodes makes one token in every step, so its steps are
// counted by its tokens, and how full the engine was meanwhile follows from
// everybody's first and last token:
//
//	last - first = (output-1)*(a + b*n + d*KV) + c*prompt tokens computed meanwhile
//
// with the means of n and KV over that time. Least squares over all requests
// gives coefficients for the search to begin at, without any known profile.
// Preempted requests break the rule, and the maximum of the step time is left
// out: that is what the search is for.

// moment is a change of the engine's fill: at a first or a last token.
type moment struct {
	at          time.Duration
	n           float64 // decoding requests that come or go
	kv, growing float64 // KV tokens that come or go, and how fast they grow a second
	prompt      float64 // tokens of a prompt just computed
}

// integrals are sums over time since the run began, in seconds.
type integrals struct {
	at            []time.Duration
	n, kv, prompt []float64
	fill          []moment // the state from at[i] on
}

// integrate sweeps over the run.
func integrate(completions []engine.Completion) integrals {
	var moments []moment
	for _, c := range completions {
		grow := float64(c.Output-1) / max((c.LastToken-c.FirstToken).Seconds(), 1e-9)
		if c.Output == 1 {
			grow = 0
		}
		moments = append(moments,
			moment{at: c.FirstToken, n: 1, kv: float64(c.Prompt), growing: grow, prompt: float64(c.Prompt)},
			moment{at: c.LastToken, n: -1, kv: -float64(c.Prompt + c.Output - 1), growing: -grow})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	var s integrals
	var state moment
	var n, kv, prompt float64
	for _, m := range moments {
		passed := (m.at - state.at).Seconds()
		n += state.n * passed
		kv += (state.kv + state.growing*passed/2) * passed
		prompt += m.prompt
		state = moment{at: m.at, n: state.n + m.n, kv: max(state.kv+state.growing*passed+m.kv, 0),
			growing: state.growing + m.growing}
		s.at, s.n, s.kv, s.prompt, s.fill = append(s.at, m.at), append(s.n, n), append(s.kv, kv),
			append(s.prompt, prompt), append(s.fill, state)
	}
	return s
}

// until is the integrals at a first or last token of the run.
func (s integrals) until(t time.Duration) (n, kv, prompt float64) {
	i, found := slices.BinarySearch(s.at, t)
	for found && i+1 < len(s.at) && s.at[i+1] == t {
		i++
	}
	if !found {
		return 0, 0, 0
	}
	return s.n[i], s.kv[i], s.prompt[i]
}

// regressed is a profile by least squares; false where the runs are too few for it.
func regressed(runs []Run) (engine.Profile, bool) {
	var normal [4][5]float64
	rows := 0
	for _, r := range runs {
		s := integrate(r.Measured())
		for _, c := range r.Measured() {
			took := (c.LastToken - c.FirstToken).Seconds()
			if c.Output < 8 || took <= 0 {
				continue
			}
			n0, kv0, p0 := s.until(c.FirstToken)
			n1, kv1, p1 := s.until(c.LastToken)
			steps := float64(c.Output - 1)
			add(&normal, [5]float64{steps, steps * (n1 - n0) / took, steps * (kv1 - kv0) / took, p1 - p0, took * 1e6}, took*1e6)
			rows++
		}
	}
	if rows < 20 {
		return engine.Profile{}, false
	}
	x := nonNegative(normal)
	p := neutral()
	p.Name = "regression"
	p.StepBase, p.PerSequence, p.PerKVToken, p.PerToken = max(x[0], 10), max(x[1], .1), max(x[2], 1e-5), max(x[3], .1)
	p.ComputeBase, p.PerTokenPair = p.StepBase/2, p.PerToken*5e-5
	return p, p.Validate() == nil
}

// add adds a row, weighted so that all count equally, to the normal equations.
func add(normal *[4][5]float64, row [5]float64, size float64) {
	for i := range 4 {
		for j := range 5 {
			normal[i][j] += row[i] * row[j] / (size * size)
		}
	}
}

// nonNegative solves the normal equations under x >= 0, one coordinate after
// the other; it is slow where columns are similar, and exact enough to begin a search.
func nonNegative(normal [4][5]float64) (x [4]float64) {
	for range 20_000 {
		for i := range x {
			if normal[i][i] == 0 {
				continue
			}
			rest := normal[i][4]
			for j := range x {
				if j != i {
					rest -= normal[i][j] * x[j]
				}
			}
			x[i] = max(rest/normal[i][i], 0)
		}
	}
	return x
}
