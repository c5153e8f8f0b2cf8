package simulator

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// dirty is a config with some of everything.
func dirty(seed uint64) Config {
	cfg := hostile(seed)
	cfg.PromptsPerRequest, cfg.OtherRequests, cfg.Ranks = 1+int(seed%5), float64(seed%3)*7, 1+int(seed%4)
	cfg.MetricsDelay, cfg.Engine.TokensPerStep = time.Duration(seed%7)*200*time.Millisecond, 1+float64(seed%6)/2
	return cfg
}

// TestRun_dirty: whatever is on, requests are conserved, counters only grow, and a run is its arguments' alone.
func TestRun_dirty(t *testing.T) {
	for seed := range uint64(20) {
		var text [2]string
		for i := range text {
			r, err := Run(dirty(seed), trace.Aborted(conversations(2000, seed), .3, 1, seed), newWalk(t, seed))
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			text[i] = r.text(t)
			if r.Met > r.Requests-r.Refused-r.Lost-r.Unfinished || r.Aborted > r.Requests/2 {
				t.Errorf("seed %d: %+v", seed, r)
			}
		}
		if text[0] != text[1] {
			t.Fatalf("seed %d: two runs differ:\n%s\n%s", seed, text[0], text[1])
		}
	}
}

// watching keeps what a policy of a fixed size is shown.
type watching struct {
	staticPolicy
	shown *strings.Builder
}

func (w watching) Want(o decider.Observation) (Want, error) {
	raw, err := json.Marshal(o)
	w.shown.Write(raw)
	return Want{Replicas: int32(w.staticPolicy)}, err
}

// TestRun_dirtIsForEveryPolicyAlike: two policies that want the same are shown the same.
func TestRun_dirtIsForEveryPolicyAlike(t *testing.T) {
	shown := func(p func(*strings.Builder) Policy) string {
		cfg := dirty(11)
		cfg.Hide = []string{"gaps"}
		var b strings.Builder
		if _, err := Run(cfg, trace.Aborted(conversations(500, 1), .3, 1, 1), p(&b)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	one := shown(func(b *strings.Builder) Policy { return watching{3, b} })
	other := shown(func(b *strings.Builder) Policy { return &struct{ watching }{watching{3, b}} })
	if one != other || len(one) < 1000 {
		t.Errorf("%d and %d bytes, which differ", len(one), len(other))
	}
}

// TestRun_aborted: 30 % hang up, 70 % finish, and the work is that of both.
func TestRun_aborted(t *testing.T) {
	run := func(share float64) Result {
		cfg := NewConfig()
		cfg.Warmup = 0
		r, err := Run(cfg, trace.Aborted(synthetic(t, "ramp", trace.Options{Seed: 1, To: 20 * time.Minute}), share, 1, 1), staticPolicy(8))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	whole, part := run(0), run(.3)
	if whole.Aborted != 0 || part.Requests != whole.Requests || part.PromptTokens != whole.PromptTokens {
		t.Fatalf("whole %+v\npart %+v", whole, part)
	}
	if share := float64(part.Aborted) / float64(part.Requests); math.Abs(share-.3) > .02 {
		t.Errorf("%.3f hang up", share)
	}
	if work := float64(part.GenerationTokens) / float64(whole.GenerationTokens); work < .80 || work > .90 {
		t.Errorf("%.3f of the tokens were made, want about 0.85", work)
	}
}

// TestFleet_promptsPerRequest: the engines have every prompt, queue-proxies and activator count HTTP requests.
func TestFleet_promptsPerRequest(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.PromptsPerRequest, c.ContainerConcurrency = 4, 2 })
	submit(t, f, 0, 18, 5000) // two HTTP requests of four prompts get in
	o := observe(t, f, 30*time.Second)
	if o.Arrivals != 5 || o.Queued != 3 || o.Pods[0].Running != 8 || math.Abs(float64(o.Concurrency.Panic)-18./4) > .1 {
		t.Errorf("%v arrived, %v queued, %v run, %v in flight; want 5, 3, 8 and 4.5", o.Arrivals, o.Queued, o.Pods[0].Running, o.Concurrency.Panic)
	}
}

// TestFleet_otherRequests: queue-proxies count them, engines do not.
func TestFleet_otherRequests(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.OtherRequests = 50 })
	o := observe(t, f, 200*time.Second)
	if o.Arrivals < 9_600 || o.Arrivals > 10_400 || math.Abs(float64(o.RPS.Stable)-50) > 4 || math.Abs(float64(o.Concurrency.Stable)-.25) > .03 {
		t.Errorf("%v arrived, %v a second, %v in flight", o.Arrivals, o.RPS.Stable, o.Concurrency.Stable)
	}
	if p := o.Pods[0]; p.Running != 0 || p.Totals.Finished != 0 || p.Totals.PromptTokens != 0 {
		t.Errorf("%+v", p)
	}
}

// TestFleet_otherRequestsInBursts: they come for the first 20 s of every five minutes, and not between.
func TestFleet_otherRequestsInBursts(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.OtherRequests, c.OtherRequestsFor = 50, 20*time.Second })
	before := 0.0
	for _, s := range []struct {
		at       time.Duration
		min, max float64 // of the requests since the line before
	}{{10 * time.Second, 410, 590}, {20 * time.Second, 410, 590}, {299 * time.Second, 0, 0}, {310 * time.Second, 410, 590}, {600 * time.Second, 410, 590}} {
		all := float64(observe(t, f, s.at).Arrivals)
		if n := all - before; n < s.min || n > s.max {
			t.Errorf("until %v %v came, want %v to %v", s.at, n, s.min, s.max)
		}
		before = all
	}
}

// TestFleet_rareOtherRequests: times that no integer holds come after every run.
func TestFleet_rareOtherRequests(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		burst time.Duration
	}{{1e-15, 0}, {1e-9, 0}, {1e-9, 20 * time.Second}, {1e-3, time.Nanosecond}, {1e5, time.Nanosecond}} {
		h := newHTTPRequests(Config{OtherRequests: c.rate, OtherRequestsFor: c.burst, Seed: 1})
		if h.until(time.Hour); h.others != 0 || h.next <= time.Hour {
			t.Errorf("%v/s for %v: %d within an hour, the next at %v", c.rate, c.burst, h.others, h.next)
		}
	}
}

// TestFleet_ranks: a pod of three ranks is three engines, which share its requests
// evenly, and has one metrics endpoint.
func TestFleet_ranks(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.Ranks, c.Engine.MaxNumSeqs, c.Engine.MaxNumBatchedTokens = 3, 2, 64 })
	submit(t, f, 0, 7, 3000)
	p := observe(t, f, 20*time.Second).Pods[0]
	if p.Running != 6 || p.Waiting != 1 || p.Totals.KVCapacity != decider.Reading(3*f.cfg.Engine.KVTokens) {
		t.Errorf("%v run, %v wait, %v KV tokens; want 6, 1 and those of three", p.Running, p.Waiting, p.Totals.KVCapacity)
	}
	for i := range 3 {
		if n := f.pods[0].engine.rank(i).Load().Running; n != 2 {
			t.Errorf("rank %d runs %d", i, n)
		}
	}
	cost := func(ranks int, n int32) Result {
		cfg := NewConfig()
		cfg.Warmup, cfg.Sample, cfg.Ranks, cfg.Initial = 0, 0, ranks, n
		r, err := Run(cfg, synthetic(t, "ramp", trace.Options{Seed: 1, To: 20 * time.Minute}), staticPolicy(n))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if six, three := cost(1, 6), cost(2, 3); math.Abs(six.GPUHours/three.GPUHours-1) > .02 || math.Abs(float64(six.GenerationTokens)/float64(three.GenerationTokens)-1) > .001 || math.Abs(six.SLOShare()-three.SLOShare()) > .02 {
		t.Errorf("six pods %+v\nthree of two ranks %+v", six, three)
	}
}

// TestFleet_rankSkew: the first rank of a pod gets its share of the requests, and the balancer spreads the others.
func TestFleet_rankSkew(t *testing.T) {
	for skew, want := range map[float64][3]int{0: {100, 100, 100}, 1: {300, 0, 0}, 0.5: {150, 75, 75}} {
		f := fleetOf(t, 1, func(c *Config) { c.Ranks, c.RankSkew, c.Engine.MaxNumSeqs = 3, skew, 1000 })
		submit(t, f, 0, 300, 3000)
		observe(t, f, 2*time.Second)
		for i := range 3 {
			l := f.pods[0].engine.rank(i).Load()
			if n := l.Running + l.Waiting; math.Abs(float64(n-want[i])) > 30*skew*(1-skew)*4+1 {
				t.Errorf("skew %v: rank %d has %d requests, want about %d", skew, i, n, want[i])
			}
		}
	}
}

// TestFleet_metricsDelay: while requests wait, pages come late, or not at all above the collector's time limit.
func TestFleet_metricsDelay(t *testing.T) {
	for _, c := range []struct {
		delay  time.Duration
		number int // that run, as known 1.5 s after they came; -1 is unknown
		known  bool
	}{
		{0, 2, true},
		{900 * time.Millisecond, 2, true},
		{1300 * time.Millisecond, 2, true},
		{6 * time.Second, 0, false},
	} {
		f := fleetOf(t, 1, func(c2 *Config) {
			c2.MetricsDelay, c2.Engine.MaxNumSeqs, c2.Scrape = c.delay, 2, time.Second
		})
		observe(t, f, 1900*time.Millisecond)
		submit(t, f, 1900*time.Millisecond, 5, 4000) // two run, three wait
		if p := observe(t, f, 2500*time.Millisecond).Pods[0]; (p.Running == 2) != (c.delay == 0) {
			t.Errorf("delay %v: %v run 0.5 s after the page was asked for", c.delay, p.Running)
		}
		p := observe(t, f, 9500*time.Millisecond).Pods[0]
		if p.Running.Known() != c.known || c.known && int(p.Running) != c.number {
			t.Errorf("delay %v: %v run; want known %v", c.delay, p.Running, c.known)
		}
	}
}

// TestHideables: each name takes something away, and what was there of the rest stays.
func TestHideables(t *testing.T) {
	text := func(names ...string) string {
		f := fleetOf(t, 1, func(c *Config) { c.Hide = names })
		submit(t, f, 0, 20, 300)
		raw, err := json.Marshal(observe(t, f, 20*time.Second))
		must(t, err)
		return string(raw)
	}
	tidy, seen := text(), map[string]string{}
	for _, name := range HideableNames() {
		got := text(name)
		if got == tidy || len(got) > len(tidy)+40 {
			t.Errorf("%s hides nothing:\n%s", name, got)
		}
		if other := seen[got]; other != "" {
			t.Errorf("%s hides the same as %s", name, other)
		}
		seen[got] = name
	}
	if both := text("queue", "gaps"); seen[both] != "" || both == tidy {
		t.Error("two names hide as much as one")
	}
	_, err := NewFleet(func() Config { c := NewConfig(); c.Hide = []string{"stars"}; return c }())
	if err == nil || !strings.Contains(err.Error(), `Hide names "stars"; it must be of running, queue`) {
		t.Error(err)
	}
	if n := strings.Count(Hideables(), "\n"); n != len(HideableNames()) {
		t.Errorf("%d lines", n)
	}
}

// TestConfig_dirt: values out of range name their field.
func TestConfig_dirt(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"PromptsPerRequest 0":    func(c *Config) { c.PromptsPerRequest = 0 },
		"Ranks -1":               func(c *Config) { c.Ranks = -1 },
		"RankSkew is NaN":        func(c *Config) { c.RankSkew = math.NaN() },
		"OtherRequests is NaN":   func(c *Config) { c.OtherRequests = math.NaN() },
		"OtherRequestsFor is 6m": func(c *Config) { c.OtherRequestsFor = 6 * time.Minute },
		"MetricsDelay is -1s":    func(c *Config) { c.MetricsDelay = -second },
		"tokens_per_step is 65": func(c *Config) {
			c.Engine.TokensPerStep = 65
		},
	} {
		cfg := NewConfig()
		change(&cfg)
		if err := cfg.validate(); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What is hidden of a pod is hidden of its fullest rank.
func TestHideables_fullestRank(t *testing.T) {
	fullest := func(names ...string) decider.FullestRank {
		f := fleetOf(t, 1, func(c *Config) { c.Hide, c.Ranks, c.RankSkew, c.Engine.MaxNumSeqs = names, 2, 1, 2 })
		submit(t, f, 0, 5, 4000)
		return observe(t, f, 5*time.Second).Pods[0].Totals.Fullest
	}
	if f := fullest(); f.PromptTokens != 2*100 || f.Running != 2 || f.Waiting != 3 {
		t.Fatalf("the fullest rank is %+v, want two that run and three that wait", f)
	}
	if f := fullest("running"); f.Running.Known() || f.Waiting != 3 {
		t.Errorf("without running requests the fullest rank is %+v", f)
	}
	if f := fullest("queue"); f.Waiting.Known() || f.Running != 2 {
		t.Errorf("without the queue the fullest rank is %+v", f)
	}
	if f := fullest("prompt-tokens"); f != (decider.FullestRank{}) {
		t.Errorf("without prompt tokens the fullest rank is %+v", f)
	}
}
