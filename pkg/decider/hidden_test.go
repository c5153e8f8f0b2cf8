package decider

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

var unknownHistogram = Histogram{Count: Unknown(), Sum: Unknown()}

// hidden is what an engine may not report, and how many times the replicas
// that the load fills the policy may then have.
var hidden = map[string]struct {
	hide  func(*Pod)
	times float64
}{
	"nothing":                     {func(*Pod) {}, 3.5},
	"steps":                       {func(p *Pod) { p.Totals.Steps = Unknown() }, 3.5},
	"finished":                    {func(p *Pod) { p.Totals.Finished = Unknown() }, 3.5},
	"prompt tokens":               {func(p *Pod) { p.Totals.PromptTokens = Unknown() }, 3.5},
	"tokens":                      {func(p *Pod) { p.Totals.PromptTokens, p.Totals.GenerationTokens = Unknown(), Unknown() }, 3.5},
	"KV capacity":                 {func(p *Pod) { p.Totals.KVCapacity = Unknown() }, 3.5},
	"first tokens":                {func(p *Pod) { p.Totals.TTFT = unknownHistogram }, 4},
	"what TGI leaves out":         {func(p *Pod) { p.Totals.Steps, p.Totals.TTFT = Unknown(), unknownHistogram }, 4},
	"gaps":                        {func(p *Pod) { p.Totals.ITL = unknownHistogram }, 10},
	"what Triton leaves out":      {func(p *Pod) { p.Totals.TTFT, p.Totals.ITL = unknownHistogram, unknownHistogram }, 10},
	"what an old one leaves out":  {func(p *Pod) { p.Waiting, p.Totals.TTFT, p.Totals.ITL = Unknown(), unknownHistogram, unknownHistogram }, 10},
	"all but what runs and waits": {func(p *Pod) { p.Totals = unknownTotals() }, 15},
	"all but what waits and ended": {func(p *Pod) {
		ended := p.Totals.Finished
		p.Totals, p.Running, p.KVCache = unknownTotals(), Unknown(), Unknown()
		p.Totals.Finished = ended
	}, 15},
}

// A load comes out of rest. Whatever the engine does not report, the queue is gone within
// twenty minutes, the replicas are not absurdly many, and they go when the load has
// been away for an hour.
func TestSLO_onEveryKindOfPage(t *testing.T) {
	for _, load := range []struct {
		name   string
		engine fleet
		rate   float64
	}{
		{"short answers", fleet{base: .02, work: .05, prompt: 20, output: 60, sequences: 4}, 6},
		{"usual ones", fleet{base: .011, work: .1, prompt: 1000, output: 200, sequences: 256}, 30},
		{"few places", fleet{base: .03, work: .1, prompt: 1000, output: 200, sequences: 8}, 6},
		{"long answers", fleet{base: .03, work: .2, prompt: 500, output: 3000, sequences: 256}, 10},
	} {
		for name, page := range hidden {
			t.Run(load.name+" without "+name, func(t *testing.T) {
				t.Parallel()
				f := newFleet()
				f.base, f.work, f.prompt, f.output = load.engine.base, load.engine.work, load.engine.prompt, load.engine.output
				f.sequences, f.concurrency, f.lead = load.engine.sequences, true, 10*time.Second
				d := driven{t: t, fleet: &f, hide: page.hide, mean: window.NewMean(time.Minute, 2*time.Second), every: 2 * time.Second}
				d.run(0, time.Minute)
				d.run(load.rate, 20*time.Minute)
				full, queue := load.rate/f.most(), 0.0
				for _, p := range f.pods {
					queue += p.waiting
				}
				if queue > 0 || float64(f.replicas) > page.times*full {
					t.Errorf("%d replicas, %.1f of which the load would fill, and %.0f wait", f.replicas, full, queue)
				}
				d.every = 10 * time.Second
				if d.run(0, 80*time.Minute); f.replicas != 1 {
					t.Errorf("%d replicas at rest", f.replicas)
				}
			})
		}
	}
}

// driven is a fleet that follows the decisions on what is left of its pages.
type driven struct {
	t     *testing.T
	fleet *fleet
	hide  func(*Pod)
	mean  *window.Mean
	every time.Duration
	state State
}

// run serves a rate for a time. The queue-proxies report a mean over the window.
func (d *driven) run(rate float64, long time.Duration) {
	spec := plainSpec()
	spec.Targets, spec.SLO = []Target{{Metric: SLO}}, Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: .99}
	f := d.fleet
	f.follow(f.replicas)
	f.begun = true
	for end := f.now + long; f.now < end; {
		f.advance(rate, d.every)
		obs := f.observe(rate)
		d.mean.Record(obs.Time, float64(obs.Concurrency.Stable))
		obs.Concurrency.Stable = Reading(d.mean.WindowAverage(obs.Time))
		for i := range obs.Pods {
			if obs.Pods[i].Totals.Known {
				d.hide(&obs.Pods[i])
			}
		}
		decision, state, err := Decide(spec, d.state, obs)
		if err != nil {
			d.t.Fatal(err)
		}
		d.state = state
		f.follow(decision.Replicas)
	}
}
