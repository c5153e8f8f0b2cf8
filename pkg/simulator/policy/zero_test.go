package policy

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

var update = flag.Bool("update", false, "rewrite testdata")

// visits are requests of the same length at times of the run.
func visits(at ...time.Duration) trace.Requests {
	return func(yield func(trace.Request, error) bool) {
		for _, t := range at {
			if !yield(trace.Request{Arrival: t, Input: 500, Output: 200}, nil) {
				return
			}
		}
	}
}

// every lists times from, from + step, and so on, before to.
func every(from, step, to time.Duration) (at []time.Duration) {
	for ; from < to; from += step {
		at = append(at, from)
	}
	return at
}

// idle is a config of a fleet that may have no replica, whose pods take a minute to start.
func idle() simulator.Config {
	c := simulator.NewConfig()
	c.Min, c.Initial, c.Warmup, c.Lead, c.LeadCV, c.Sample = 0, 1, 0, time.Minute, 0, 0
	c.Length = 90 * time.Minute
	return c
}

// TestZero_toZeroAndBack is a golden of a visit, silence, a request that comes to a fleet of
// none, and another that is never followed by one: when each policy's replicas come and go,
// and what that cost.
func TestZero_toZeroAndBack(t *testing.T) {
	load := visits(append(every(30*time.Second, 10*time.Second, 3*time.Minute), 40*time.Minute, 40*time.Minute+20*time.Second)...)
	var b strings.Builder
	for _, spec := range []string{
		"ipa", "ipa:retention=45s", "kpa", "kpa:retention=10m", "wva", "keda", "keda:cooldown=20m", "hpa", "apa", "static:replicas=0",
	} {
		build, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		p, err := build(idle())
		if err != nil {
			t.Fatal(err)
		}
		r, err := simulator.Run(idle(), load, p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %d of %d met, %d refused, p99 TTFT %v, %.3f GPU-hours\n  pods", spec, r.Met, r.Requests,
			r.Refused+r.Unfinished, r.P99TTFT.Round(100*time.Millisecond), r.GPUHours)
		for _, c := range r.Replicas {
			fmt.Fprintf(&b, "  %v %d", c.At.Round(100*time.Millisecond), c.Replicas)
		}
		b.WriteString("\n")
	}
	const golden = "testdata/zero.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s(-update rewrites it)", b.String(), want)
	}
}

// TestLastPod has the way of a want of 0 through the condition Active.
func TestLastPod(t *testing.T) {
	const s = time.Second
	k := keeping{window: 60 * s, deadline: 600 * s, grace: 30 * s, retention: 100 * s}
	var l lastPod
	for _, step := range []struct {
		at                    time.Duration
		replicas, ready, want int32
		count                 int32
	}{
		{0, 1, 1, 1, 1},
		{50 * s, 1, 1, 0, 1},  // active for less than the window
		{60 * s, 1, 1, 0, 1},  // marked inactive
		{100 * s, 1, 1, 0, 1}, // grace is over, retention not
		{120 * s, 1, 1, 2, 2}, // load
		{160 * s, 2, 1, 0, 1}, // active for less than the window: one
		{181 * s, 2, 2, 0, 2}, // inactive
		{280 * s, 2, 2, 0, 2},
		{281 * s, 2, 2, 0, 0},
		{300 * s, 0, 0, 0, 0},
		{310 * s, 0, 0, 3, 3}, // woken
		{320 * s, 3, 0, 0, 3}, // activating: left alone
		{909 * s, 3, 0, 0, 3},
		{910 * s, 3, 0, 0, 0}, // no pod came before the deadline
	} {
		obs := decider.Observation{Time: start().Add(step.at), Replicas: step.replicas, Ready: step.ready}
		if got := l.next(obs, step.want, k); got != step.count {
			t.Errorf("at %v: %d, want %d", step.at, got, step.count)
		}
	}
}

// TestZero_neverBelowOne: policies that nothing would wake keep a replica, whatever they are shown.
func TestZero_neverBelowOne(t *testing.T) {
	for _, spec := range []string{"hpa:metric=concurrency", "apa"} {
		p := newPolicy(t, spec)
		for i := range 400 {
			obs := observe(time.Duration(i)*p.Period(), decider.KVCache, 0)
			obs.Concurrency = decider.Windowed{}
			if got := want(t, p, obs); got != 1 {
				t.Fatalf("%s: %d replicas, want 1", spec, got)
			}
		}
	}
}

// TestStartsEarly: a schedule with zero starts 99 of 100 pods in time, others on average.
func TestStartsEarly(t *testing.T) {
	for _, row := range []struct {
		min  int32
		cv   float64
		want time.Duration
	}{{1, 0.15, 2 * time.Minute}, {0, 0, 2 * time.Minute}, {0, 0.15, 168 * time.Second}} {
		c := simulator.NewConfig()
		c.Min, c.LeadCV = row.min, row.cv
		if got := StartsEarly(c).Round(time.Second); got != row.want {
			t.Errorf("min %d, variation %v: %v, want %v", row.min, row.cv, got, row.want)
		}
	}
}

// TestZero_hostile: a walk of load through starts that vary, lost scrapes and dying pods; every
// request has an end, a second run is the same, and no fleet sleeps while one waits.
func TestZero_hostile(t *testing.T) {
	for _, spec := range []string{"ipa", "ipa:metric=concurrency=4", "kpa", "wva", "wva:hpa=false", "keda", "keda:metric=rps"} {
		for seed := range uint64(6) {
			r := trace.Stream(seed, "hostile")
			c := simulator.NewConfig()
			c.Min, c.Seed, c.Sample, c.Warmup, c.Length = 0, seed, 0, 0, 5*time.Hour
			c.Lead, c.LeadCV = time.Duration(r.Int64N(int64(5*time.Minute))), 2*r.Float64()
			c.ScrapeLoss, c.FailureEvery, c.GPUs = 0.3*r.Float64(), time.Duration(10+r.IntN(60))*time.Minute, r.Int32N(4)
			c.QueueTimeout = 0
			var at []time.Duration
			for t := time.Duration(0); t < 4*time.Hour; {
				t += time.Duration(r.ExpFloat64() * float64([]time.Duration{time.Second, 10 * time.Minute}[r.IntN(2)]))
				at = append(at, t)
			}
			var first simulator.Result
			for i := range 2 {
				build, err := New(spec)
				if err != nil {
					t.Fatal(err)
				}
				p, err := build(c)
				if err != nil {
					t.Fatal(err)
				}
				res, err := simulator.Run(c, visits(at...), p)
				if err != nil {
					t.Fatalf("%s, seed %d: %v", spec, seed, err)
				}
				if res.Unfinished > 0 || res.Refused > 0 {
					t.Errorf("%s, seed %d: %d requests never ended, %d were refused", spec, seed, res.Unfinished, res.Refused)
				}
				if i > 0 && (res.GPUHours != first.GPUHours || res.Met != first.Met) {
					t.Errorf("%s, seed %d: two runs differ", spec, seed)
				}
				first = res
			}
		}
	}
}

// TestZero_rush is the story of a morning: 20 requests/s come to a fleet that slept, 2,400 wait
// when the first pod is Ready, and it gets all of them. That it begins 2,400 in a few seconds
// is neither demand nor a number of engine requests for each HTTP request: the fleet is
// not sized for it for an hour (102 replicas and 79 GPU-hours in the run that found it).
func TestZero_rush(t *testing.T) {
	load := func(yield func(trace.Request, error) bool) {
		r := trace.Stream(1, "rush")
		for _, hours := range [][2]time.Duration{{0, 40 * time.Minute}, {160 * time.Minute, 200 * time.Minute}} {
			for now := hours[0]; now < hours[1]; now += time.Duration(r.ExpFloat64() * float64(50*time.Millisecond)) {
				q := trace.Request{Arrival: now, Input: []int{300, 800, 1200, 2500}[r.IntN(4)], Output: []int{60, 120, 250, 400}[r.IntN(4)]}
				if !yield(q, nil) {
					return
				}
			}
		}
	}
	c := idle()
	c.Seed, c.Initial, c.Length, c.Lead, c.LeadCV = 1, 0, 4*time.Hour, 2*time.Minute, 0.15
	build, err := New("ipa")
	if err != nil {
		t.Fatal(err)
	}
	p, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	res, err := simulator.Run(c, load, p)
	if err != nil {
		t.Fatal(err)
	}
	peak := int32(0)
	for _, change := range res.Replicas {
		peak = max(peak, change.Replicas)
	}
	t.Logf("%.2f %%, %.2f GPU-hours, %d replicas at most", 100*res.SLOShare(), res.GPUHours, peak)
	if peak > 60 || res.GPUHours > 16 || res.SLOShare() < 0.93 {
		t.Errorf("%.2f %% for %.2f GPU-hours with %d replicas at most; want 93 %% for 16 with 60", 100*res.SLOShare(), res.GPUHours, peak)
	}
}
