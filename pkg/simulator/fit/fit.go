package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Learned is a profile with the evidence for it.
type Learned struct {
	Profile engine.Profile
	// Start is where the search began: the name of a known profile, made Speed
	// times as slow, or a regression.
	Start string
	Speed float64
	// Fit is how well the profile gives the runs that it was learned from.
	Fit []Error
	// Unseen is how well each run is given by a profile learned from the others; empty for a single run.
	Unseen []Error
}

// Error compares a mean of a run with its simulation, in seconds.
type Error struct {
	Run, Metric         string
	Measured, Simulated float64
	// Median is the median over requests of the relative error, without its sign.
	Median float64
}

// Relative is Simulated/Measured - 1.
func (e Error) Relative() float64 { return e.Simulated/e.Measured - 1 }

// goodEnough is a mismatch of about 4 % a request, which no other start need beat.
const goodEnough = .005

// evaluations bounds the search from one start; it settles long before as a rule.
const evaluations = 1500

// Learn returns a profile for each engine of the source: runs of the same GPU,
// model and tensor parallelism belong together.
func Learn(ctx context.Context, source Source) ([]Learned, error) {
	runs, err := source.Runs()
	if err != nil {
		return nil, err
	}
	var all []Learned
	for _, group := range grouped(runs) {
		l, err := learn(ctx, group)
		if err != nil {
			return nil, err
		}
		if len(group) > 1 {
			if l.Unseen, err = leaveOneOut(ctx, group); err != nil {
				return nil, err
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// grouped splits runs by engine, in the order in which engines come.
func grouped(runs []Run) (groups [][]Run) {
	place := map[About]int{}
	for _, r := range runs {
		engine := r.About().engine()
		i, ok := place[engine]
		if !ok {
			i = len(groups)
			place[engine], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// leaveOneOut predicts each run from the others.
func leaveOneOut(ctx context.Context, runs []Run) (errs []Error, err error) {
	for i, r := range runs {
		l, err := learn(ctx, slices.Concat(runs[:i], runs[i+1:]))
		if err != nil {
			return nil, err
		}
		e, err := errorsOf(r, l.Profile)
		if err != nil {
			return nil, err
		}
		errs = append(errs, e...)
	}
	return errs, nil
}

func learn(ctx context.Context, runs []Run) (Learned, error) {
	var best corner
	var from start
	for i, s := range starts(runs) {
		if i > 0 && best.cost < goodEnough {
			break
		}
		c := search(func(at []float64) float64 { return s.cost(ctx, runs, at) }, 0.3)
		if i == 0 || c.cost < best.cost {
			best, from = c, s
		}
	}
	switch {
	case ctx.Err() != nil:
		return Learned{}, ctx.Err()
	case best.cost >= impossible:
		return Learned{}, errors.New("no profile serves the runs: a request does not fit into the KV cache that meta.json gives")
	}
	l := Learned{Profile: from.named(from.at(best.at), runs), Start: from.profile.Name, Speed: from.speed}
	for _, r := range runs {
		e, err := errorsOf(r, l.Profile)
		if err != nil {
			return Learned{}, err
		}
		l.Fit = append(l.Fit, e...)
	}
	return l, nil
}

// search minimizes a cost of all coefficients from a start, and again with half
// the first step: a simplex may collapse too early, and a new one from where it
// ended costs little.
func search(cost func([]float64) float64, step float64) corner {
	c := minimize(cost, make([]float64, coefficients), step, evaluations)
	return minimize(cost, c.at, step/2, evaluations)
}

// errorsOf compares a run with its simulation, metric by metric.
func errorsOf(r Run, p engine.Profile) (errs []Error, err error) {
	simulated, err := r.Simulate(p)
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"ttft", "tpot", "e2e"} {
		e := Error{Run: r.About().Run, Metric: name}
		var relative []float64
		n := 0.0
		for k, c := range r.Measured() {
			m, ok := metrics()[i](c)
			if !ok {
				continue
			}
			s, _ := metrics()[i](simulated[k])
			e.Measured, e.Simulated, n = e.Measured+m, e.Simulated+s, n+1
			if m > 0 {
				relative = append(relative, math.Abs(s/m-1))
			}
		}
		if len(relative) == 0 {
			continue // no request has it
		}
		slices.Sort(relative)
		e.Measured, e.Simulated, e.Median = e.Measured/n, e.Simulated/n, relative[len(relative)/2]
		errs = append(errs, e)
	}
	return errs, nil
}

// start is where a search begins: a known profile, made slower or faster.
type start struct {
	profile engine.Profile
	speed   float64
	cost0   float64
}

// coefficients are those that the search moves: a, b, c0, c, d and mixed_kv; e goes with c.
const coefficients = 6

// starts returns the regression, with a high and a low c0, and the two most promising known profiles.
func starts(runs []Run) []start {
	var all []start
	for _, p := range append(engine.Profiles(), neutral()) {
		s := start{profile: p}
		c := minimize(func(at []float64) float64 { return mismatch(runs, scaled(p, math.Exp(at[0]))) }, []float64{0}, 0.7, 60)
		s.speed, s.cost0 = math.Exp(c.at[0]), c.cost
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b start) int { return cmp.Compare(a.cost0, b.cost0) })
	all = all[:2]
	if p, ok := regressed(runs); ok {
		low := p
		low.ComputeBase /= 10
		all = append([]start{{profile: p, speed: 1}, {profile: low, speed: 1}}, all...)
	}
	return all
}

// neutral is an engine without a GPU's large fixed cost: a small model, or one on a CPU.
func neutral() engine.Profile {
	p := engine.Profiles()[0]
	p.Name, p.GPU, p.Model = "neutral", "", ""
	p.StepBase, p.PerSequence, p.ComputeBase, p.PerToken, p.PerKVToken, p.PerTokenPair, p.MixedKV = 5000, 500,
		3000, 60, .05, .003, 1
	return p
}

// scaled takes speed times as long for everything.
func scaled(p engine.Profile, speed float64) engine.Profile {
	p.StepBase, p.PerSequence, p.ComputeBase = p.StepBase*speed, p.PerSequence*speed, p.ComputeBase*speed
	p.PerToken, p.PerKVToken, p.PerTokenPair = p.PerToken*speed, p.PerKVToken*speed, p.PerTokenPair*speed
	return p
}

// at is the profile at a point of the search: logarithms of factors.
func (s start) at(x []float64) engine.Profile {
	p := scaled(s.profile, s.speed)
	if p.ComputeBase == 0 { // a factor would leave it
		p.ComputeBase = p.StepBase / 10
	}
	p.StepBase *= math.Exp(x[0])
	p.PerSequence *= math.Exp(x[1])
	p.ComputeBase *= math.Exp(x[2])
	p.PerToken *= math.Exp(x[3])
	p.PerTokenPair *= math.Exp(x[3])
	p.PerKVToken *= math.Exp(x[4])
	p.MixedKV = min(cmp.Or(p.MixedKV, 1)*math.Exp(x[5]), 10)
	return p
}

// cost is the mismatch, and the price of leaving the start.
func (s start) cost(ctx context.Context, runs []Run, x []float64) float64 {
	if ctx.Err() != nil {
		return impossible // the search then ends soon
	}
	moved := 0.0
	for _, v := range x {
		moved += v * v
	}
	return mismatch(runs, s.at(x)) + priorWeight*moved
}

// named completes a learned profile: the limits of the runs, and its origin.
func (s start) named(p engine.Profile, runs []Run) engine.Profile {
	a, requests := runs[0].About(), 0
	for _, r := range runs {
		requests += len(r.Measured())
	}
	p = runs[0].Limit(p)
	p.GPU, p.Model, p.TensorParallel = a.GPU, a.Model, a.TensorParallel
	p.Name = "fitted-" + a.Run
	p.Source = fmt.Sprintf("learned from %d requests in %d runs of %s on %s, beginning at %s",
		requests, len(runs), cmp.Or(a.Model, "an unknown model"), cmp.Or(a.GPU, "an unknown GPU"), s.profile.Name)
	return p
}
