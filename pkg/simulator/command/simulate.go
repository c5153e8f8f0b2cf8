package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
)

// simulate compares the policies on the load.
func simulate(ctx context.Context, o options, out *output) error {
	c, err := newComparison(ctx, o, out)
	if err != nil {
		return err
	}
	r, err := c.run(ctx, out.stderr)
	if err != nil {
		return err
	}
	if err := out.file(o.json, r.WriteJSON); err != nil {
		return err
	}
	if err := out.file(o.html, r.WriteHTML); err != nil {
		return err
	}
	return r.WriteTable(out.text(o.json, o.html))
}

// comparison is what is to be simulated, checked.
type comparison struct {
	load     load
	size     size
	config   simulator.Config
	policies []candidate
	sweep    []candidate
	seeds    []uint64
	parallel int
	// abort is the share of requests whose clients hang up, within the first abortWithin of the answer.
	abort, abortWithin float64

	recorded *report.Recorded
	// details keeps the course of the first seed's runs.
	details bool
}

func newComparison(ctx context.Context, o options, out *output) (*comparison, error) {
	c := &comparison{config: o.config, parallel: o.parallel, details: o.html != "",
		abort: o.abort, abortWithin: o.abortWithin}
	specs, err := policies(o.policies)
	if err != nil {
		return nil, err
	}
	if c.policies, err = candidates(specs); err != nil {
		return nil, err
	}
	if o.sweep {
		if c.sweep, err = sweeps(c.policies); err != nil {
			return nil, err
		}
	}
	if c.config.Engine, err = profile(o.engine); err != nil {
		return nil, err
	}
	if o.changed("tokens-per-step") {
		c.config.Engine.TokensPerStep = o.tokensPerStep
	}
	if c.load, err = newLoad(o, stdin()); err != nil {
		return nil, err
	}
	for i := range o.seeds {
		c.seeds = append(c.seeds, o.seed+uint64(i))
	}
	if c.recorded, err = replayRecorded(o, out); err != nil {
		return nil, err
	}
	if c.size, err = c.load.announced(out).measure(ctx, o.seed, c.config.Engine.KVTokens); err != nil ||
		c.size.requests == 0 {
		err = emptyRange(ctx, o, err)
	}
	if err != nil {
		return nil, err
	}
	if c.size.span > simulator.Longest {
		return nil, fmt.Errorf("the load lasts %d days, and a run at most %d: take a part of it with --from and --to, or is its time in seconds?", int(c.size.span.Hours()/24), int(simulator.Longest.Hours()/24))
	}
	if c.size.requests*int64(o.seeds) <= heldRequests {
		c.load = c.load.inMemory(c.size)
	}
	c.remarks(out)
	c.config.Warmup = warmup(c.config.Warmup, c.size.span, o.changed("warmup"), out)
	c.config.Sample = sample(c.size.span)
	return c, nil
}

// warmup shortens the first part, that does not count, where it would leave too
// little of a short trace; what the user named is kept while anything is left.
func warmup(w, span time.Duration, named bool, out *output) time.Duration {
	if w <= span/3 || named && w < span {
		return w
	}
	shorter := (span / 6).Truncate(time.Second)
	if shorter < w {
		out.say("the load lasts %v only: its first %v do not count, instead of %v (--warmup)", span.Round(time.Second), shorter, w)
	}
	return min(shorter, w)
}

// sample is the time between two points of the curves: about 1,500 of them, every 10 s at most.
func sample(span time.Duration) time.Duration {
	return max(10*time.Second, (span / 1500).Truncate(10*time.Second))
}

// run makes all runs and gathers them.
func (c *comparison) run(ctx context.Context, stderr io.Writer) (report.Report, error) {
	r := report.Report{Load: c.title(), Engine: c.config.Engine.Name, Settings: c.settings(),
		Goal: c.config.SLO.Goal, SLO: c.config.SLO, Warmup: c.config.Warmup, Recorded: c.recorded}
	runs, err := c.all(ctx, stderr)
	if err != nil {
		return r, err
	}
	r.Oracle = oracleOf(runs.bounds[0])
	for i, result := range runs.results {
		run := c.figures(runs, i)
		switch {
		case i >= len(c.policies)*len(c.seeds):
			r.Sweep = append(r.Sweep, run)
			continue
		case runs.jobs[i].seed == 0:
			r.Details = append(r.Details, report.Detail{Policy: run.Policy, Series: result.Series, Replicas: result.Replicas})
		}
		r.Runs = append(r.Runs, run)
	}
	return r, nil
}

func oracleOf(b oracle.Bound) report.Oracle {
	return report.Oracle{GPUHours: b.GPUHours, FluidGPUHours: b.FluidGPUHours, Replicas: b.Pods}
}

// figures makes the row of one run.
func (c *comparison) figures(f finished, i int) report.Run {
	j, result := f.jobs[i], f.results[i]
	b := f.bounds[j.seed]
	run := report.NewRun(j.candidate.label, j.config, result, oracleOf(b))
	run.Knob, run.SweepOf, run.Hindsight = j.candidate.knob, j.candidate.swept, j.candidate.make == nil
	run.Unsearched = run.Hindsight && c.size.requests > longLoad
	run.WastedGPUHours = oracle.WastedGPUHours(b.Pods, result.Replicas, oracle.Span{
		From: result.From, To: result.From + result.Span, GPUs: j.config.PodGPUs(),
	})
	return run
}

func (c *comparison) title() string {
	return fmt.Sprintf("%s: %d requests in %v, %.0f tokens in and %.0f out on average", c.load.title, c.size.requests,
		c.size.span.Round(time.Second), float64(c.size.input)/float64(c.size.requests),
		float64(c.size.output)/float64(c.size.requests))
}

// settings are what a reader has to know to understand the figures.
func (c *comparison) settings() []report.Setting {
	s := []report.Setting{
		{Name: "goal", Value: fmt.Sprintf("%g %%", 100*c.config.SLO.Goal)},
		{Name: "TTFT", Value: text(c.config.SLO.TTFT)}, {Name: "ITL", Value: text(c.config.SLO.ITL)},
		{Name: "lead time", Value: text(c.config.Lead)}, {Name: "warm-up", Value: text(c.config.Warmup)},
	}
	if c.config.SLO.TTFTPerToken > 0 {
		s = append(s, report.Setting{Name: "TTFT per prompt token", Value: text(c.config.SLO.TTFTPerToken)})
	}
	for _, o := range []struct {
		on          bool
		name, value string
	}{
		{c.config.GPUs > 0, "replicas that have GPUs", fmt.Sprint(c.config.GPUs)},
		{c.config.FailureEvery > 0, "a pod fails every", text(c.config.FailureEvery)},
		{c.config.Min != 1, "at least", fmt.Sprintf("%d replicas", c.config.Min)},
		{c.config.Max < simulator.NewConfig().Max, "at most", fmt.Sprintf("%d replicas", c.config.Max)},
		{c.config.Length > 0, "goes on until", text(c.config.Length)},
		{c.config.QueueTimeout != simulator.NewConfig().QueueTimeout, "a request waits at most", text(c.config.QueueTimeout)},
		{c.config.ContainerConcurrency > 0, "requests that a pod lets in", fmt.Sprint(c.config.ContainerConcurrency)},
		{c.config.ScrapeLoss > 0, "scrapes lost", fmt.Sprintf("%g %%", 100*c.config.ScrapeLoss)},
		{c.config.PrefixCache, "prefix cache", "on"},
	} {
		if o.on {
			s = append(s, report.Setting{Name: o.name, Value: o.value})
		}
	}
	return append(append(s, c.dirt()...), report.Setting{Name: "routing", Value: string(c.config.Routing)})
}

func text(d time.Duration) string {
	s := span(d)
	return s.String()
}
