package command

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
)

// job is one run: a policy on one seed.
type job struct {
	candidate candidate
	config    simulator.Config
	seed      int // its place in comparison.seeds
}

// finished holds what came out, in the order of the jobs whatever ran first.
type finished struct {
	jobs    []job
	results []simulator.Result
	bounds  []oracle.Bound // by seed
}

// jobs lists the runs: every policy with every seed, then the sweep.
func (c *comparison) jobs() (jobs []job) {
	for i, p := range append(c.policies[:len(c.policies):len(c.policies)], c.sweep...) {
		for s, seed := range c.seeds {
			config := c.config
			config.Seed = seed
			if !c.details || i >= len(c.policies) || s > 0 {
				config.Sample = 0
			}
			jobs = append(jobs, job{p, config, s})
		}
	}
	return jobs
}

// all finds the oracle of every seed, and then makes the runs, several at a time.
func (c *comparison) all(ctx context.Context, stderr io.Writer) (finished, error) {
	f := finished{jobs: c.jobs(), bounds: make([]oracle.Bound, len(c.seeds))}
	f.results = make([]simulator.Result, len(f.jobs))
	p := newProgress(stderr, len(c.seeds)+len(f.jobs))
	defer p.done()
	err := c.parallelly(ctx, len(c.seeds), func(ctx context.Context, i int) (err error) {
		f.bounds[i], err = c.bound(ctx, c.seeds[i], func(at time.Duration) { p.at(i, c.share(at)) })
		p.at(i, 1)
		return err
	})
	if err != nil {
		return f, err
	}
	return f, c.parallelly(ctx, len(f.jobs), func(ctx context.Context, i int) (err error) {
		part := len(c.seeds) + i
		f.results[i], err = c.one(ctx, f.jobs[i], f.bounds[f.jobs[i].seed],
			func(at time.Duration) { p.at(part, c.share(at)) })
		if p.at(part, 1); err != nil {
			err = fmt.Errorf("policy %s, seed %d: %w", f.jobs[i].candidate.label, f.jobs[i].config.Seed, err)
		}
		return err
	})
}

func (c *comparison) share(at time.Duration) float64 { return float64(at) / float64(c.size.span+1) }

// parallelly calls do for 0..n-1 on as many cores as the user allows. The
// first error ends the others; it is returned.
func (c *comparison) parallelly(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	width := c.parallel
	if width == 0 {
		width = runtime.GOMAXPROCS(0)
	}
	for range min(width, n) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
