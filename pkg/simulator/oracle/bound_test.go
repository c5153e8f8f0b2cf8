package oracle

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// shared opens a trace of the research, or skips.
func shared(t testing.TB, name string, o trace.Options) trace.Requests {
	file := filepath.Join("../../../../shared/traces", name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("NOT TESTED: the trace is not here: %v", err)
	}
	return trace.Open(file, o)
}

// linear is a config and the limit of an engine whose step adds up prompts and
// decoding, where everything is due 10 s after it came: the prototype of the
// research, an A100 with an 8B model.
func linear() (simulator.Config, limit) {
	c := simulator.NewConfig()
	c.SLO = simulator.SLO{TTFT: 10 * time.Second, ITL: time.Nanosecond, Goal: 1}
	c.Min, c.Warmup = 0, 0
	return c, limit{name: "sum", prompt: 67.1e-6, pair: 0.0034e-6, decode: 24.5e-6, read: 0.0869e-6, share: 1 - 0.011/0.1}
}

func bound(t testing.TB, d *Demand, requests trace.Requests) Bound {
	t.Helper()
	for q, err := range requests {
		if err != nil {
			t.Fatal(err)
		}
		d.Add(q)
	}
	b, err := d.Bound()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBound_asPublished remakes the oracle row of the research's table, lead
// 120 s. Its copies of requests were its own; it rounded the work of every bin
// down, which is a few percent where replicas are few; and which five hours of
// the week it took is not said: those from 11:00 are.
func TestBound_asPublished(t *testing.T) {
	for _, row := range []struct {
		file string
		o    trace.Options
		per  time.Duration
		want float64
	}{
		{"azure2023_conv.csv", trace.Options{Scale: 8}, 0, 5.51},
		{"azure2023_code.csv", trace.Options{Scale: 8}, 0, 8.38},
		{"mooncake_conversation.jsonl", trace.Options{Scale: 3}, 200 * time.Microsecond, 21.69},
		{"azure2024_conv_weekly_rpm_digitized.csv", trace.Options{Seed: 1, From: 11 * time.Hour, To: 16 * time.Hour}, 0, 22.44},
	} {
		t.Run(row.file, func(t *testing.T) {
			c, sum := linear()
			c.SLO.TTFTPerToken = row.per
			d := newDemand(c, []limit{sum})
			d.finest = 10
			b := bound(t, d, shared(t, row.file, row.o))
			t.Logf("%.2f GPU-hours, published %.2f (%+.1f %%); fluid %.2f", b.GPUHours, row.want, 100*(b.GPUHours/row.want-1), b.FluidGPUHours)
			if !(math.Abs(b.GPUHours/row.want-1) < 0.06) {
				t.Errorf("%.2f GPU-hours, published are %.2f", b.GPUHours, row.want)
			}
		})
	}
}

// TestBound_neverAboveASchedule serves random requests with random replicas, in
// real numbers and with every request's own deadline. Where all were in time,
// the bound is not above what that cost.
func TestBound_neverAboveASchedule(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	met := 0
	for range 3000 {
		c, sum := linear()
		c.Lead = time.Duration(r.IntN(60)) * time.Second
		c.SLO.TTFT, c.SLO.ITL = time.Duration(1+r.IntN(20))*time.Second, time.Duration(r.IntN(200))*time.Millisecond
		sum.prompt, sum.decode = 1e-3*r.Float64(), 1e-2*r.Float64()
		d := newDemand(c, []limit{sum})
		var requests []trace.Request
		at := time.Duration(0)
		for range 1 + r.IntN(60) {
			at += time.Duration(r.ExpFloat64() * 3 * float64(time.Second))
			q := trace.Request{Arrival: at, Input: 1 + r.IntN(2000), Output: 1 + r.IntN(300)}
			requests = append(requests, q)
			d.Add(q)
		}
		replicas := make([]int, int(at/binWidth)+1)
		for k := range replicas {
			replicas[k] = r.IntN(4)
		}
		if !inTime(c, sum, requests, replicas) {
			continue
		}
		met++
		b, err := d.Bound()
		if err != nil {
			t.Fatal(err)
		}
		cost := 0.
		for k, n := range replicas[:max(int(at/binWidth), 1)] {
			cost += float64(n) * binWidth.Hours()
			if k > 0 {
				cost += float64(max(n-replicas[k-1], 0)) * c.Lead.Hours()
			}
		}
		if b.GPUHours > cost+1e-9 {
			t.Fatalf("bound %v h, the schedule %v did it in %v h", b.GPUHours, replicas, cost)
		}
	}
	if met < 300 {
		t.Errorf("only %d schedules were in time; the test says little", met)
	}
}

// inTime serves the earliest deadline first, in small steps, until the last request has come.
func inTime(c simulator.Config, l limit, requests []trace.Request, replicas []int) bool {
	type job struct{ came, due, work float64 }
	var jobs []job
	for _, q := range requests {
		prompt, decode := l.of(size{prompt: float64(q.Input), output: float64(q.Output)})
		first := q.Arrival + c.SLO.TTFT
		jobs = append(jobs,
			job{q.Arrival.Seconds(), first.Seconds(), prompt},
			job{q.Arrival.Seconds(), (first + time.Duration(q.Output-1)*c.SLO.ITL).Seconds(), decode})
	}
	slices.SortFunc(jobs, func(a, b job) int { return int(math.Copysign(1, a.due-b.due)) })
	const step = 0.05
	for now := 0.; now < requests[len(requests)-1].Arrival.Seconds(); now += step {
		room := float64(replicas[int(now/binWidth.Seconds())]) * step
		for i := range jobs {
			if jobs[i].work > 0 && jobs[i].came <= now {
				done := min(room, jobs[i].work)
				jobs[i].work, room = jobs[i].work-done, room-done
			}
			if jobs[i].work > 1e-9 && jobs[i].due <= now {
				return false
			}
		}
	}
	return true
}

// TestBound_schedule has a burst of a known size in the second of three minutes.
func TestBound_schedule(t *testing.T) {
	c, _ := linear()
	c.Lead, c.Min, c.Engine.TensorParallel = 30*time.Second, 1, 2
	d := newDemand(c, []limit{{name: "work", prompt: 1, share: 1}}) // a second per prompt token
	for s := range 181 {
		input := 1 // a replica is busy
		if s >= 60 && s < 120 {
			input = 3
		}
		d.Add(trace.Request{Arrival: time.Duration(s) * time.Second, Input: input, Output: 1})
	}
	b, err := d.Bound()
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Replicas) < 3 || b.Replicas[0].Replicas != 1 || b.Replicas[1] != (simulator.Change{At: time.Minute, Replicas: 3}) || b.Replicas[len(b.Replicas)-1].Replicas != 1 {
		t.Errorf("%v, want 1, from 1m0s 3, and 1 replicas again", b.Replicas)
	}
	// 60 s of 1, 60 of 3 and 60 of 1, and two starts of 30 s; everything may be late by a bin.
	if want := (300. + 60) / 3600 * 2; math.Abs(b.GPUHours-want) > 30./3600*2 {
		t.Errorf("%v GPU-hours, want about %v", b.GPUHours, want)
	}
	if want := 301. / 3600 * 2; math.Abs(b.FluidGPUHours-want) > 1e-9 {
		t.Errorf("fluid %v GPU-hours, want %v", b.FluidGPUHours, want)
	}
	if want := (simulator.Change{At: 30 * time.Second, Replicas: 3}); b.Pods[1] != want {
		t.Errorf("pods %v, want %v for %v", b.Pods, want, b.Replicas)
	}
}

func TestBound_warmupAndGoal(t *testing.T) {
	c, model := linear()
	c.Warmup, c.SLO.Goal = time.Minute, 0.9
	d := newDemand(c, []limit{model})
	for s := range 120 {
		d.Add(trace.Request{Arrival: time.Duration(s) * time.Second, Input: 1000 + 100*(s%10), Output: 10})
	}
	b, err := d.Bound()
	if err != nil {
		t.Fatal(err)
	}
	if b.Requests != 60 || b.Dropped != 6 {
		t.Errorf("%d requests and %d dropped, want the 60 after the warm-up and 6", b.Requests, b.Dropped)
	}
	work, kept := 0., 0.
	for s := range 60 {
		prompt, decode := model.of(size{prompt: float64(1000 + 100*(s%10)), output: 10})
		if work += prompt + decode; s%10 != 9 { // the longest are dropped
			kept += prompt + decode
		}
	}
	if math.Abs(b.FluidGPUHours*3600-work) > 1e-6 {
		t.Errorf("fluid %v s, want %v", b.FluidGPUHours*3600, work)
	}
	if got := sum(d.ledgers[0].came); math.Abs(got-kept) > 1e-6 {
		t.Errorf("the schedule serves %v s, want %v", got, kept)
	}
	if first := b.Replicas[0]; first.At != 0 || first.Replicas < 1 {
		t.Errorf("begins with %v, want replicas for the warm-up at 0", first)
	}
}

// A request that no engine can hold is refused: a miss of every policy, which the goal has to bear, and no work.
func TestBound_tooLong(t *testing.T) {
	c, model := linear()
	c.Warmup, c.SLO.Goal = time.Minute, 0.9
	huge := trace.Request{Input: 1, Output: c.Engine.KVTokens/c.Engine.BlockSize*c.Engine.BlockSize + 1}
	longest := trace.Request{Input: 1, Output: huge.Output - 1}
	made := func(refused int) Bound {
		d := newDemand(c, []limit{model})
		for s := range 120 {
			q := trace.Request{Input: 1000 + 100*(s%10), Output: 10}
			if s == 30 || s >= 60 && s < 60+refused { // the one of the warm-up counts nowhere
				q = huge
			}
			q.Arrival = time.Duration(s) * time.Second
			d.Add(q)
		}
		b, err := d.Bound()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	served := func(refused int) (work float64) {
		for s := refused; s < 60; s++ {
			prompt, decode := model.of(size{prompt: float64(1000 + 100*(s%10)), output: 10})
			work += prompt + decode
		}
		return work
	}
	for _, row := range []struct {
		refused int
		dropped int64
	}{{0, 6}, {2, 4}, {6, 0}, {7, 0}, {60, 0}} {
		b := made(row.refused)
		if b.Requests != 60 || b.Dropped != row.dropped || math.Abs(b.FluidGPUHours*3600-served(row.refused)) > 1e-6 {
			t.Errorf("%d refused: %+v, want %d dropped of 60, and %v s of work", row.refused, b, row.dropped, served(row.refused))
		}
	}
	d := newDemand(c, []limit{model})
	d.config.Warmup = 0
	if d.Add(longest); d.refused != 0 || sum(d.ledgers[0].came) == 0 {
		t.Error("a request that just fits was refused")
	}
}

func TestBound_prefixCache(t *testing.T) {
	c, sum := linear()
	c.PrefixCache = true
	d := newDemand(c, []limit{sum})
	ask := func(input int, blocks ...int64) float64 {
		return d.cached(trace.Request{Input: input, Blocks: blocks, BlockTokens: 512})
	}
	for i, row := range []struct{ got, want float64 }{
		{ask(1500, 1, 2, 3), 0}, {ask(1500, 1, 2, 4), 1024}, {ask(1024, 1, 2), 1023}, {ask(1500, 9, 2, 3), 0}, {ask(700), 0},
	} {
		if row.got != row.want {
			t.Errorf("request %d: %v tokens cached, want %v", i, row.got, row.want)
		}
	}
}

func TestBound_refusals(t *testing.T) {
	c := simulator.NewConfig()
	c.SLO.ITL = 5 * time.Millisecond
	if _, err := NewDemand(c); err == nil || !strings.Contains(err.Error(), "raise the SLO's ITL") {
		t.Errorf("an ITL below a step: %v", err)
	}
	d, err := NewDemand(simulator.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	d.Add(trace.Request{Input: 1, Output: 1})
	if _, err := d.Bound(); err == nil || !strings.Contains(err.Error(), "shorten the warm-up") {
		t.Errorf("nothing after the warm-up: %v", err)
	}
}

func TestWastedGPUHours(t *testing.T) {
	oracle := []simulator.Change{{At: 0, Replicas: 2}, {At: 2 * time.Hour, Replicas: 4}}
	fleet := []simulator.Change{{At: 0, Replicas: 3}, {At: time.Hour, Replicas: 1}, {At: 3 * time.Hour, Replicas: 7}}
	for _, row := range []struct {
		over Span
		want float64
	}{
		{Span{To: 4 * time.Hour}, 1 + 3}, {Span{From: 30 * time.Minute, To: 3 * time.Hour}, 0.5}, {Span{To: 4 * time.Hour, GPUs: 2}, 8}, {Span{}, 0},
	} {
		if got := WastedGPUHours(oracle, fleet, row.over); got != row.want {
			t.Errorf("%+v: %v, want %v", row.over, got, row.want)
		}
	}
	if got := WastedGPUHours(nil, fleet, Span{To: time.Hour}); got != 3 {
		t.Errorf("against nothing: %v, want 3", got)
	}
}
