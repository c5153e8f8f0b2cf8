package simulator

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// staticPolicy always wants the same.
type staticPolicy int32

func (p staticPolicy) Period() time.Duration { return 2 * time.Second }

func (p staticPolicy) Want(decider.Observation) (Want, error) { return Want{Replicas: int32(p)}, nil }

// walkingPolicy wants anything, and looks at what it is shown.
type walkingPolicy struct {
	t       *testing.T
	r       *rand.Rand
	arrived decider.Reading
	totals  map[string]decider.Totals
	counts  map[string][]float64
}

func newWalk(t *testing.T, seed uint64) *walkingPolicy {
	return &walkingPolicy{t: t, r: trace.Stream(seed, "walk"), totals: map[string]decider.Totals{}, counts: map[string][]float64{}}
}

func (p *walkingPolicy) Period() time.Duration { return 3 * time.Second }

func (p *walkingPolicy) Want(o decider.Observation) (Want, error) {
	if o.Arrivals < p.arrived || o.Queued < 0 || o.Concurrency.Stable < 0 || int(o.Ready) > len(o.Pods) {
		p.t.Fatalf("an observation that cannot be: %+v", o)
	}
	p.arrived = o.Arrivals
	for _, pod := range o.Pods {
		p.look(pod)
	}
	if p.r.IntN(10) > 0 {
		return Want{Replicas: o.Replicas}, nil
	}
	return Want{Replicas: 1 + p.r.Int32N(9), Why: "a whim"}, nil
}

// look checks that counters only grow, and that what was shown before is still as it was.
func (p *walkingPolicy) look(pod decider.Pod) {
	before := p.totals[pod.Name]
	if before.Known && pod.Totals.Known {
		if pod.Totals.Steps < before.Steps || pod.Totals.Finished < before.Finished || pod.Totals.E2E.Count < before.E2E.Count {
			p.t.Fatalf("%s went back from %+v to %+v", pod.Name, before, pod.Totals)
		}
		if kept := p.counts[pod.Name]; kept[len(kept)-1] != before.E2E.Counts[len(kept)-1] {
			p.t.Fatalf("%s: what a policy was shown has changed", pod.Name)
		}
	}
	if h := pod.Totals.E2E; pod.Totals.Known {
		if decider.Reading(h.Counts[len(h.Counts)-1]) > h.Count || h.Count != pod.Totals.Finished {
			p.t.Fatalf("%s: %+v of %v finished", pod.Name, h, pod.Totals.Finished)
		}
		p.totals[pod.Name], p.counts[pod.Name] = pod.Totals, append([]float64(nil), h.Counts...)
	}
}

// synthetic is a load of our own making.
func synthetic(t testing.TB, kind string, o trace.Options) trace.Requests {
	t.Helper()
	requests, err := trace.Synthetic(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

// conversations are requests whose prompts grow out of one another.
func conversations(n int, seed uint64) trace.Requests {
	return func(yield func(trace.Request, error) bool) {
		r := trace.Stream(seed, "conversations")
		at := time.Duration(0)
		for range n {
			at += time.Duration(r.ExpFloat64() * 3e8)
			talk, turns := r.Int64N(50), 1+r.IntN(8)
			q := trace.Request{Arrival: at, Input: turns*512 + r.IntN(512), Output: 1 + r.IntN(300), BlockTokens: 512}
			for turn := range turns {
				q.Blocks = append(q.Blocks, talk<<8+int64(turn))
			}
			if !yield(q, nil) {
				return
			}
		}
	}
}

// hostile is a fleet where everything goes wrong that can, another one for every seed.
func hostile(seed uint64) Config {
	cfg := NewConfig()
	r := trace.Stream(seed, "hostile")
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	cfg.Seed, cfg.Warmup = seed, upTo(4*time.Minute)
	cfg.Lead, cfg.LeadCV = upTo(80*time.Second)*time.Duration(r.IntN(2)), 2*r.Float64()
	cfg.Scrape, cfg.ScrapeLoss, cfg.FailureEvery = time.Second+upTo(5*time.Second), r.Float64(), time.Minute+upTo(5*time.Minute)
	cfg.GPUs, cfg.ContainerConcurrency, cfg.QueueTimeout = r.Int32N(8), r.IntN(30), upTo(40*time.Second)
	cfg.PrefixCache, cfg.Initial = r.IntN(2) == 0, r.Int32N(3)
	cfg.Sample, cfg.Max = upTo(20*time.Second), 2+r.Int32N(20)
	if r.IntN(2) == 0 {
		cfg.Routing = PrefixAware
	}
	cfg.Engine = engine.Profiles()[r.IntN(len(engine.Profiles()))]
	return cfg
}

func (r Result) text(t *testing.T) string {
	t.Helper()
	r.CPU = 0
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestRun_hostile: requests are conserved, and a run is its arguments' alone.
func TestRun_hostile(t *testing.T) {
	var refused, lost, ended int64
	for seed := range uint64(40) {
		var text [2]string
		for i := range text {
			r, err := Run(hostile(seed), conversations(3000, seed), newWalk(t, seed))
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			text[i] = r.text(t)
			refused, lost, ended = refused+r.Refused, lost+r.Lost, ended+r.Requests-r.Unfinished
			if r.Met > r.Requests-r.Refused-r.Lost-r.Unfinished || r.GPUHours < r.LoadingGPUHours || r.Requests < 300 {
				t.Errorf("seed %d: %+v", seed, r)
			}
		}
		if text[0] != text[1] {
			t.Fatalf("seed %d: two runs differ:\n%s\n%s", seed, text[0], text[1])
		}
	}
	if refused < 100 || lost < 20 || ended < 10_000 {
		t.Errorf("%d refused, %d lost, %d ended; the fleet was not hostile", refused, lost, ended)
	}
}

// TestRun_oneEngine: a fleet of one pod is its engine.
func TestRun_oneEngine(t *testing.T) {
	cfg := NewConfig()
	cfg.Warmup, cfg.Initial, cfg.Max = 0, 1, 1
	r, err := Run(cfg, synthetic(t, "ramp", trace.Options{Seed: 3, To: 8 * time.Minute}), staticPolicy(1))
	if err != nil {
		t.Fatal(err)
	}
	met, n, ttft := int64(0), int64(0), newSketch()
	e, _ := engine.New(cfg.Engine, func(c engine.Completion) {
		ttft.add(c.TTFT())
		if n++; c.TTFT() <= cfg.SLO.TTFT && c.TPOT() <= cfg.SLO.ITL {
			met++
		}
	})
	last := time.Duration(0)
	for q, err := range synthetic(t, "ramp", trace.Options{Seed: 3, To: 8 * time.Minute}) {
		if err != nil || e.Submit(engine.Request{Arrival: q.Arrival, Prompt: q.Input, Output: q.Output}) != nil {
			t.Fatal(err)
		}
		last = q.Arrival
	}
	e.Drain()
	if r.Requests != n || r.Met != met || r.P99TTFT != ttft.percentile(.99) || r.Unfinished != 0 {
		t.Errorf("%+v, want %d of %d met and a p99 TTFT of %v", r, met, n, ttft.percentile(.99))
	}
	if want := last.Hours(); r.GPUHours < want-1e-6 || r.GPUHours > want+1e-6 || r.Span != last {
		t.Errorf("%v GPU-hours over %v, want %v", r.GPUHours, r.Span, want)
	}
}

// switchPolicy wants one count until a time and then another.
type switchPolicy struct {
	at            time.Duration
	before, after int32
}

func (p switchPolicy) Period() time.Duration { return time.Second }

func (p switchPolicy) Want(o decider.Observation) (Want, error) {
	if o.Time.Sub(epoch()) < p.at {
		return Want{Replicas: p.before}, nil
	}
	return Want{Replicas: p.after}, nil
}

// steady is equal requests at equal distances.
func steady(every time.Duration, n int) trace.Requests {
	return func(yield func(trace.Request, error) bool) {
		for i := range n {
			if !yield(trace.Request{Arrival: every * time.Duration(i), Input: 100, Output: 20}, nil) {
				return
			}
		}
	}
}

func TestRun_costs(t *testing.T) {
	cfg := NewConfig()
	cfg.Warmup, cfg.LeadCV, cfg.Initial = 10*time.Minute, 0, 2
	cfg.Engine.TensorParallel = 2
	// 60 minutes of two pods, and from minute 30 of five, which load for 2 of them.
	r, err := Run(cfg, steady(time.Second, 3601), switchPolicy{30 * time.Minute, 2, 5})
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b float64) bool { return a-b < 1e-3 && b-a < 1e-3 }
	if want := 2. * (2*50 + 3*30) / 60; !near(r.GPUHours, want) || !near(r.LoadingGPUHours, 2*3*2/60.) {
		t.Errorf("%v GPU-hours, %v of them loading; want %v and 0.2", r.GPUHours, r.LoadingGPUHours, want)
	}
	if r.ScaleOperations != 1 || r.Reversals != 0 || r.From != cfg.Warmup || r.Span != 50*time.Minute || r.Requests != 3001 {
		t.Errorf("%+v", r)
	}
	want := []Change{{10 * time.Minute, 2}, {30 * time.Minute, 5}}
	if len(r.Replicas) != 2 || r.Replicas[0] != want[0] || r.Replicas[1] != want[1] {
		t.Errorf("time line %v, want %v", r.Replicas, want)
	}
	if len(r.Series) != 360 || r.Series[359].Ready != 5 || r.Series[185].Ready != 2 || r.Series[185].Pods != 5 || r.Series[200].Requests != 10 {
		t.Errorf("%d points: %+v, %+v", len(r.Series), r.Series[185], r.Series[359])
	}
}

func TestRun_shortTrace(t *testing.T) {
	r, err := Run(NewConfig(), steady(time.Second, 30), staticPolicy(1))
	if err != nil || r.Requests != 30 || r.Met != 30 || r.From != 0 || r.Span != 29*time.Second {
		t.Errorf("%+v, %v; a trace shorter than the warm-up counts as a whole", r, err)
	}
}

func TestRun_errors(t *testing.T) {
	broken := func(yield func(trace.Request, error) bool) { yield(trace.Request{}, errors.New("line 7: no")) }
	backwards := func(yield func(trace.Request, error) bool) {
		_ = yield(trace.Request{Arrival: time.Hour}, nil) && yield(trace.Request{Arrival: time.Minute}, nil)
	}
	for _, c := range []struct {
		change   func(*Config)
		requests trace.Requests
		want     string
	}{
		{nil, broken, "line 7: no"},
		{nil, backwards, "request at 1m0s: the fleet is at 1h0m0s already"},
		{nil, func(func(trace.Request, error) bool) {}, "the trace has no requests"},
		{func(c *Config) { c.Min = -1 }, nil, "Min -1, Max 1000; Min must be at least 0"},
		{func(c *Config) { c.Min, c.Max = 0, 0 }, nil, "Min 0, Max 0; Min must be at least 0 and at most Max, which must be at least 1"},
		{func(c *Config) { c.Length = -1 }, nil, "Length is -1ns; it must be between 0s"},
		{func(c *Config) { c.Scrape = 0 }, nil, "Scrape is 0s; it must be between 100ms"},
		{func(c *Config) { c.ScrapeLoss = 1.5 }, nil, "ScrapeLoss is 1.5"},
		{func(c *Config) { c.SLO.Goal = 1 }, nil, "SLO.Goal is 1"},
		{func(c *Config) { c.Routing = "luck" }, nil, `Routing is "luck"; it must be least-request or prefix-aware`},
		{func(c *Config) { c.Engine.BlockSize = 0 }, nil, "block_size is 0"},
		{func(c *Config) { c.PanicWindow = 0 }, nil, "PanicWindow is 0s"},
		{func(c *Config) { c.LeadCV = -1 }, nil, "LeadCV is -1"},
		{func(c *Config) { c.GPUs = -1 }, nil, "GPUs -1"},
	} {
		cfg := NewConfig()
		if c.change != nil {
			c.change(&cfg)
		}
		if c.requests == nil {
			c.requests = steady(time.Second, 3)
		}
		if _, err := Run(cfg, c.requests, staticPolicy(1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestRun_prefix: on real conversations a cache computes less, and a router
// that knows it less again.
func TestRun_prefix(t *testing.T) {
	const file = "../../../shared/traces/mooncake_conversation.jsonl"
	if _, err := os.Stat(file); err != nil {
		t.Skipf("NOT TESTED: the published trace is not here: %v", err)
	}
	run := func(cache bool, routing Routing) Result {
		cfg := NewConfig()
		cfg.PrefixCache, cfg.Routing = cache, routing
		r, err := Run(cfg, trace.Open(file, trace.Options{}), staticPolicy(14))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("cache %v, %s: %.1f %% met, median TTFT %v, %.1f %% of prompt tokens cached", cache, routing, 100*r.SLOShare(), r.P50TTFT, 100*r.cachedShare())
		return r
	}
	none, least, aware := run(false, LeastRequest), run(true, LeastRequest), run(true, PrefixAware)
	if !(none.P50TTFT > least.P50TTFT && least.P50TTFT > aware.P50TTFT) {
		t.Errorf("median TTFT %v without a cache, %v with, %v with a router that knows it", none.P50TTFT, least.P50TTFT, aware.P50TTFT)
	}
	// An endless cache would find 37 % of this trace, one that 14 pods share 23 %, and that of a single pod 4 %.
	if n, l, a := none.cachedShare(), least.cachedShare(), aware.cachedShare(); n != 0 || l < .03 || l > .08 || a < .15 || a > .25 {
		t.Errorf("cached %v, %v and %v", n, l, a)
	}
}

func (r Result) cachedShare() float64 { return float64(r.CachedTokens) / float64(r.PromptTokens) }
