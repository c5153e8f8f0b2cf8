package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// fleetOf is a fleet of n Ready pods; startup times are exact.
func fleetOf(t *testing.T, replicas int32, change func(*Config)) *Fleet {
	t.Helper()
	cfg := NewConfig()
	cfg.Initial, cfg.LeadCV = replicas, 0
	if change != nil {
		change(&cfg)
	}
	f, err := NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// must fails the test at an error; use it as must(t, f.Advance(...)).
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// submit sends n equal requests at a time.
func submit(t *testing.T, f *Fleet, at time.Duration, n, output int) {
	t.Helper()
	for range n {
		must(t, f.Submit(trace.Request{Arrival: at, Input: 100, Output: output}))
	}
}

func observe(t *testing.T, f *Fleet, at time.Duration) decider.Observation {
	t.Helper()
	o, err := f.Observe(at)
	must(t, err)
	return o
}

// phases counts the pods by phase.
func phases(t *testing.T, f *Fleet, at time.Duration) (n [Gone]int) {
	t.Helper()
	pods, err := f.Pods(at)
	must(t, err)
	for _, p := range pods {
		n[p.Phase]++
	}
	return n
}

func TestFleet_coldStart(t *testing.T) {
	f := fleetOf(t, 1, nil)
	must(t, f.Advance(time.Minute))
	must(t, f.Scale(3))
	o := observe(t, f, 2*time.Minute)
	if o.Ready != 1 || o.Replicas != 3 || len(o.Pods) != 3 || o.Pods[1].Phase != decider.Starting || o.Pods[1].Age != time.Minute || o.Pods[2].Running.Known() {
		t.Errorf("while two load: %+v", o)
	}
	o = observe(t, f, 3*time.Minute)
	if o.Ready != 3 || o.Pods[2].Phase != decider.Ready || o.Pods[2].ReadyAfter != 2*time.Minute || o.Pods[0].ReadyAfter != 0 {
		t.Errorf("after the lead time: %+v", o)
	}
}

func TestFleet_leadDistribution(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.Lead, c.LeadCV = 100*time.Second, 0.5 })
	n, sum, squares := 20_000., 0., 0.
	for range int(n) {
		x := f.drawLead().Seconds()
		sum, squares = sum+x, squares+x*x
	}
	mean := sum / n
	if cv := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(mean-100) > 1 || math.Abs(cv-0.5) > 0.02 {
		t.Errorf("mean %v s, variation %v; want 100 and 0.5", mean, cv)
	}
}

func TestFleet_unschedulable(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.GPUs = 2 })
	must(t, f.Scale(4))
	if n := phases(t, f, time.Second); n != [Gone]int{2, 1, 1, 0} {
		t.Errorf("unschedulable, loading, ready, draining: %v, want 2, 1, 1, 0", n)
	}
	o := observe(t, f, 10*time.Minute)
	if o.Ready != 2 || !o.Pods[3].Unschedulable || o.Pods[3].Phase != decider.Starting {
		t.Errorf("%+v", o)
	}
	must(t, f.Scale(3)) // one without a GPU goes
	must(t, f.Scale(2))
	if n := phases(t, f, 10*time.Minute); n != [Gone]int{0, 0, 2, 0} {
		t.Errorf("after scaling down: %v", n)
	}
	must(t, f.Scale(3))
	submit(t, f, 11*time.Minute, 2, 50)
	f.fails(t, 0)
	if n := phases(t, f, 11*time.Minute); n != [Gone]int{1, 1, 1, 0} {
		t.Errorf("a failure frees a GPU for the one that waited: %v", n)
	}
}

// fails kills a pod now.
func (f *Fleet) fails(t *testing.T, i int) {
	t.Helper()
	must(t, f.fail(f.pods[i]))
}

func TestFleet_drains(t *testing.T) {
	f := fleetOf(t, 2, nil)
	submit(t, f, time.Second, 3, 1000) // 2 and 1
	must(t, f.Scale(1))
	if n := phases(t, f, 2*time.Second); n != [Gone]int{0, 0, 1, 1} {
		t.Fatalf("%v, want one Ready and one draining", n)
	}
	submit(t, f, 3*time.Second, 5, 1000)
	pods, _ := f.Pods(4 * time.Second)
	if pods[0].Phase != Ready || pods[0].Counters.Running != 7 || pods[1].Counters.Running != 1 {
		t.Errorf("the one with fewer requests should drain, and get no more: %+v", pods)
	}
	if o := observe(t, f, 4*time.Second); len(o.Pods) != 1 || o.Ready != 1 {
		t.Errorf("a draining pod is observed: %+v", o)
	}
	must(t, f.Scale(2)) // a new one: the other is not revived
	if n := phases(t, f, 5*time.Second); n != [Gone]int{0, 1, 1, 1} {
		t.Errorf("%v, want a loading, a Ready and a draining one", n)
	}
	if n := phases(t, f, time.Minute); n != [Gone]int{0, 1, 1, 0} {
		t.Errorf("%v, want the draining one gone", n)
	}
	alone, _ := engine.New(f.cfg.Engine, func(c engine.Completion) {
		want := 60 + 56 + (c.LastToken - f.cfg.Engine.TokenOverhead*1000).Seconds()
		if got := f.billed.until(time.Minute); math.Abs(got-want) > 1e-3 {
			t.Errorf("%v pod seconds, want %v: draining costs until the last token", got, want)
		}
	})
	must(t, alone.Submit(engine.Request{Arrival: time.Second, Prompt: 100, Output: 1000}))
	alone.Drain()
}

func TestFleet_containerConcurrency(t *testing.T) {
	f := fleetOf(t, 2, func(c *Config) { c.ContainerConcurrency, c.QueueTimeout = 2, 30*time.Second })
	submit(t, f, 0, 10, 200) // each about 2.5 s
	o := observe(t, f, time.Second)
	if o.Queued != 6 || o.Concurrency.Stable != 10 || o.RPS.Stable != 10 || o.Arrivals != 10 {
		t.Errorf("%+v; want 10 in flight, 6 of them queued", o)
	}
	p, err := f.Point(time.Minute)
	must(t, err)
	if p.Requests != 10 || p.Met != 4 || p.Queued != 0 || p.TTFTP95 < 4*time.Second {
		t.Errorf("%+v; only the four that went straight in are in time, and waiting counts", p)
	}
	submit(t, f, time.Minute, 4, 4000)
	submit(t, f, time.Minute, 3, 1)
	must(t, f.Advance(3*time.Minute))
	if f.score.all.refused != 3 {
		t.Errorf("%d refused, want the 3 that waited for half a minute", f.score.all.refused)
	}
	must(t, f.conserved())
}

// TestFleet_overload: what an engine does not begin with in time is refused,
// so that a backlog has an end, and a draining pod too.
func TestFleet_overload(t *testing.T) {
	f := fleetOf(t, 1, func(c *Config) { c.QueueTimeout = 30 * time.Second; c.Engine.MaxNumSeqs = 2 })
	for at := range 120 {
		submit(t, f, time.Duration(at)*time.Second, 3, 100) // the engine does 1.8 a second
	}
	p, err := f.Point(2 * time.Minute)
	must(t, err)
	if refused := f.score.all.refused; refused < 40 || refused > 80 || p.TTFTP95 > 33*time.Second || p.Waiting > 92 {
		t.Errorf("%d refused, %+v", refused, p)
	}
	must(t, f.Scale(2))
	must(t, f.Advance(5*time.Minute))
	submit(t, f, 5*time.Minute, 40, 2000)
	must(t, f.Scale(1))
	if n := phases(t, f, 8*time.Minute); n != [Gone]int{0, 0, 1, 0} {
		t.Errorf("%v; want the draining pod gone", n)
	}
	must(t, f.conserved())
}

func TestFleet_tooLong(t *testing.T) {
	f := fleetOf(t, 1, nil)
	must(t, f.Submit(trace.Request{Input: 1e6, Output: 1}))
	if f.score.all.refused != 1 || f.inFlight.value != 0 {
		t.Errorf("%+v; a prompt above the KV cache is refused", f.score.all)
	}
}

// TestFleet_failure: requests go elsewhere once, with the time they have lost,
// and are lost with the second pod.
func TestFleet_failure(t *testing.T) {
	f := fleetOf(t, 2, nil)
	submit(t, f, time.Second, 4, 2000)
	must(t, f.Advance(10*time.Second))
	f.fails(t, 0)
	if n := phases(t, f, 10*time.Second); n != [Gone]int{0, 1, 1, 0} || f.pods[0].inFlight != 4 {
		t.Errorf("%v, %d in flight; want a new pod and all requests on the other", n, f.pods[0].inFlight)
	}
	must(t, f.Advance(11*time.Second))
	f.fails(t, 0) // the Ready one: two requests have lost both pods
	if f.score.all.lost != 2 || f.queue.size != 2 {
		t.Errorf("%d lost, %d queued; want 2 and 2", f.score.all.lost, f.queue.size)
	}
	p, err := f.Point(10 * time.Minute)
	must(t, err)
	if p.Requests != 4 || p.TTFTP50 < 100*time.Second {
		t.Errorf("%+v; want the other two to have waited for a cold start", p)
	}
	must(t, f.conserved())
}

func TestFleet_lossAndStaleness(t *testing.T) {
	f := fleetOf(t, 1, nil)
	submit(t, f, 0, 5, 4000)
	o := observe(t, f, 10*time.Second)
	pod := o.Pods[0]
	if pod.Running != 5 || pod.Waiting != 0 || o.InFlight != 5 || !pod.Totals.Known || pod.Totals.TTFT.Count != 5 || pod.KVCache <= 0 || pod.KVCache >= 100 {
		t.Errorf("%+v", o)
	}
	if rate := float64(pod.GenerationTokens); rate < 300 || rate > 500 || pod.PromptTokens != 0 {
		t.Errorf("%v tokens per second of 5 requests at about 12 ms a step", rate)
	}
	if pod.Totals.KVCapacity != 420_000 || pod.Totals.PromptTokens != 500 {
		t.Errorf("%+v", pod.Totals)
	}
	f.cfg.ScrapeLoss = 1
	if o = observe(t, f, 16*time.Second); !o.Pods[0].Running.Known() {
		t.Errorf("three scrapes old is not stale: %+v", o)
	}
	o = observe(t, f, 17*time.Second)
	if pod = o.Pods[0]; pod.Running.Known() || pod.Totals.Known || pod.GenerationTokens.Known() || o.InFlight.Known() {
		t.Errorf("stale: %+v", o)
	}
	if o.Arrivals != 5 || o.Concurrency.Panic != 5 {
		t.Errorf("what the queue-proxies see does not depend on the engine's page: %+v", o)
	}
}

// TestFleet_windows: the averages are Little's law over the windows.
func TestFleet_windows(t *testing.T) {
	f := fleetOf(t, 1, nil)
	for at := range 90 {
		submit(t, f, time.Duration(at)*time.Second, 1+at/60*3, 1)
	}
	o := observe(t, f, 90*time.Second)
	if got := float64(o.RPS.Stable); math.Abs(got-(30*1+30*4)/60.) > 0.1 || math.Abs(float64(o.RPS.Panic)-4) > 0.01 {
		t.Errorf("rps %+v, want 2.5 and 4", o.RPS)
	}
	// Each is in the engine for 15.6 ms in the API server and a step of 11 ms.
	if got := float64(o.Concurrency.Panic); got < 4*0.026 || got > 4*0.060 {
		t.Errorf("concurrency %+v", o.Concurrency)
	}
	if observe(t, fleetOf(t, 1, nil), 0).RPS.Stable.Known() {
		t.Error("known before the first second")
	}
}

func TestInitial(t *testing.T) {
	for _, c := range []struct {
		profile     string
		kind        string
		scale       float64
		least, most int32
	}{
		{"a100-llama-3.1-8b", "step", 1, 1, 1},
		{"a100-llama-3.1-8b", "step", 10, 6, 9},
		{"h100-llama-3.1-8b", "step", 10, 3, 5},
		{"a100-llama-3.1-8b", "longprompt", 4, 12, 24},
	} {
		cfg := NewConfig()
		cfg.Engine, _ = engine.ByName(c.profile)
		var first []trace.Request
		for q := range synthetic(t, c.kind, trace.Options{Seed: 1, To: firstMinutes, Scale: c.scale}) {
			first = append(first, q)
		}
		n := initial(cfg, first)
		if n < c.least || n > c.most {
			t.Errorf("%s on %s x%v: %d pods, want %d to %d", c.kind, c.profile, c.scale, n, c.least, c.most)
		}
		cfg.Warmup = 0
		r, err := Run(cfg, synthetic(t, c.kind, trace.Options{Seed: 1, To: firstMinutes, Scale: c.scale}), staticPolicy(n))
		if must(t, err); r.SLOShare() < 0.99 && c.kind == "step" {
			t.Errorf("%s on %s x%v: %d pods meet %.2f %%", c.kind, c.profile, c.scale, n, 100*r.SLOShare())
		}
	}
	if n := initial(NewConfig(), nil); n != 1 {
		t.Errorf("%d pods for nothing", n)
	}
	if n := initial(NewConfig(), []trace.Request{{Input: 1000, Output: 10}, {Input: 1 << 30, Output: 1 << 30}}); n != 1 {
		t.Errorf("%d pods for one request and one that no engine can hold", n)
	}
}
