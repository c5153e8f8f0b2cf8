package fit

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// coefficientsOf are a profile's times and its factor, in the order of the search.
func coefficientsOf(p engine.Profile) []float64 {
	return []float64{p.StepBase, p.PerSequence, p.ComputeBase, p.PerToken, p.PerTokenPair, p.PerKVToken, p.MixedKV}
}

// A point of the search moves each coefficient by its own factor; the cost of a pair of tokens
// goes with that of a token.
func TestStart_at(t *testing.T) {
	p := engine.Profile{StepBase: 1000, PerSequence: 10, ComputeBase: 400, PerToken: 50, PerTokenPair: .002, PerKVToken: .1, MixedKV: 2}
	bare, tenfold := p, math.Log(10)
	bare.ComputeBase, bare.MixedKV = 0, 0
	for _, c := range []struct {
		name    string
		profile engine.Profile
		speed   float64
		at      [coefficients]float64
		want    []float64
	}{
		{"the start", p, 1, [6]float64{}, []float64{1000, 10, 400, 50, .002, .1, 2}},
		{"three times as slow", p, 3, [6]float64{}, []float64{3000, 30, 1200, 150, .006, .3, 2}},
		{"a", p, 1, [6]float64{tenfold}, []float64{10_000, 10, 400, 50, .002, .1, 2}},
		{"b", p, 1, [6]float64{0, tenfold}, []float64{1000, 100, 400, 50, .002, .1, 2}},
		{"c0", p, 1, [6]float64{0, 0, tenfold}, []float64{1000, 10, 4000, 50, .002, .1, 2}},
		{"c and e", p, 1, [6]float64{0, 0, 0, tenfold}, []float64{1000, 10, 400, 500, .02, .1, 2}},
		{"d", p, 1, [6]float64{0, 0, 0, 0, tenfold}, []float64{1000, 10, 400, 50, .002, 1, 2}},
		{"mixed_kv is at most 10", p, 1, [6]float64{0, 0, 0, 0, 0, tenfold}, []float64{1000, 10, 400, 50, .002, .1, 10}},
		{"a c0 of 0 begins at a tenth of a, mixed_kv at 1", bare, 2, [6]float64{}, []float64{2000, 20, 200, 100, .004, .2, 1}},
	} {
		got := coefficientsOf(start{profile: c.profile, speed: c.speed}.at(c.at[:]))
		if !slices.EqualFunc(got, c.want, func(x, y float64) bool { return math.Abs(x/y-1) < 1e-9 }) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// linear is an engine whose step is the sum of its parts: c0 is nothing, c as large as b.
func linear() engine.Profile {
	return engine.Profile{StepBase: 1000, PerToken: 1, PerTokenPair: .001, MaxNumBatchedTokens: 2048}
}

// The time to the first token by hand: half of the step that is met, and the steps of the prompt.
func TestFirstToken(t *testing.T) {
	for _, c := range []struct {
		name string
		w    window
		want float64
	}{
		// A step with the prompt takes 4 + 1000 µs, and 500 for its pairs.
		{"every step decodes", window{n: 4, length: 1000, busy: 1}, 500 + 1504},
		{"an idle engine", window{n: 4, length: 1000}, 1500},
		{"busy half of the time", window{n: 4, length: 1000, busy: .5}, 1002 + 750},
		// Half of the steps have a prompt: the one that is met takes 1302.7 µs, and .52 others come in it.
		{"others come too", window{n: 4, length: 1000, busy: 1, filling: .5}, 2935.752},
		// 4000 tokens take two steps of 2000 each.
		{"a long prompt", window{n: 4, length: 4000, busy: 1}, 500 + 2*2004 + 8000},
	} {
		if got := firstToken(c.w, linear()); math.Abs(got-c.want) > .01 {
			t.Errorf("%s: %.3f µs, want %.3f", c.name, got, c.want)
		}
	}
}

// The API server's time is what the median window does not explain; below five windows it is not known.
func TestOverhead(t *testing.T) {
	for _, c := range []struct {
		name  string
		above []float64 // the measured times to the first token, beside the 2004 µs of the engine
		want  float64
		ok    bool
	}{
		{"five windows", []float64{100, 300, 200, 5000, 400}, 300, true},
		{"four windows", []float64{100, 300, 200, 5000}, 0, false},
		{"faster than the engine", []float64{-100, -100, -100, -100, -100}, 0, true},
		{"longer than a minute", []float64{1e9, 1e9, 1e9, 1e9, 1e9}, 60e6, true},
	} {
		windows := []window{{n: 4, busy: 1, step: 1000}} // says nothing of first tokens
		for _, x := range c.above {
			windows = append(windows, window{n: 4, length: 1000, busy: 1, step: 1000, ttft: 2004 + x})
		}
		if got, ok := overhead(windows, linear()); math.Abs(got-c.want) > 1e-6 || ok != c.ok {
			t.Errorf("%s: %v µs, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
	windows := slices.Repeat([]window{{n: 4, length: 1000, busy: 1, step: 1000, ttft: 4004}}, 5)
	if got := firstTokenCost(windows, linear()); got > 1e-12 {
		t.Errorf("windows that are explained cost %v", got)
	}
	windows[0].ttft *= 1.1 // one of five is 10 % longer
	if got, want := firstTokenCost(windows, linear()), math.Pow(math.Log(1.1), 2)/5; math.Abs(got-want) > 1e-9 {
		t.Errorf("one window 10 %% off costs %v, want %v", got, want)
	}
	windows = append(windows, window{n: 4, busy: 1, step: 1000}) // says nothing of first tokens
	if got, want := firstTokenCost(windows, linear()), math.Pow(math.Log(1.1), 2)/5; !(math.Abs(got-want) < 1e-9) {
		t.Errorf("beside a window without first tokens it costs %v, want %v", got, want)
	}
	if got := firstTokenCost(windows[:4], linear()); got != 0 {
		t.Errorf("too few windows cost %v", got)
	}
}

// A profile is judged by means in seconds and by the median window.
func TestJudge(t *testing.T) {
	p := linear()
	p.RequestOverhead = 2 * time.Millisecond
	windows := []window{{step: 2000}, {step: 1000}, {step: 500, n: 4, length: 1000, busy: 1, ttft: 8008}}
	got := judge("r", windows, p)
	want := []Error{{"r", "step", 3.5e-3 / 3, 1e-3, .5}, {"r", "ttft", 8.008e-3, 4.004e-3, .5}}
	if !slices.EqualFunc(got, want, sameError) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := judge("r", windows[:2], p); len(got) != 1 || !sameError(got[0], Error{"r", "step", 1.5e-3, 1e-3, .5}) {
		t.Errorf("without first tokens: %+v", got)
	}
}

func sameError(a, b Error) bool {
	return a.Run == b.Run && a.Metric == b.Metric && math.Abs(a.Measured-b.Measured)+math.Abs(a.Simulated-b.Simulated)+math.Abs(a.Median-b.Median) < 1e-9
}

// made are windows as an engine would show them, with everything varied.
func made(p engine.Profile, speed float64) (windows []window) {
	for i := range 60 {
		w := window{n: float64(1 + i%7), kv: float64(1000 * (1 + i%5)), prompt: float64(10 * (i % 11)), filling: 1}
		w.step = speed * predict(w, p)
		windows = append(windows, w)
	}
	return windows
}

// Windows of a known engine that is three times as slow are known by it.
func TestNearest(t *testing.T) {
	for _, p := range []engine.Profile{engine.Profiles()[0], neutral()} {
		windows := made(p, 3)
		windows[len(windows)/2].step *= 1.01 // the median is another window
		if best, speed := nearest(windows); best.Name != p.Name || math.Abs(speed-3) > 1e-9 {
			t.Errorf("%s three times as slow is %s %v times as slow", p.Name, best.Name, speed)
		}
	}
}

// The windows of an engine that is near to no known one give a profile that predicts other windows,
// and the API server's time.
func TestProfileOf(t *testing.T) {
	truth := slow()
	truth.PerKVToken *= 2
	windows := made(truth, 1)
	for i := range windows {
		w := &windows[i]
		w.filling, w.busy, w.length = .1+.01*float64(i%9), 1, 50+10*float64(i%4)
		w.step = predict(*w, truth)
		w.ttft = firstToken(*w, truth) + 5000
	}
	p, _, _ := profileOf(windows)
	for _, w := range []window{
		{n: 3, kv: 2500, filling: .15, prompt: 40}, {n: 5, kv: 4500, filling: .1, prompt: 90}, {n: 7, kv: 1500}, {n: 9, kv: 6000, filling: .2, prompt: 20},
	} {
		if got, want := predict(w, p), predict(w, truth); !(math.Abs(got/want-1) < .02) {
			t.Errorf("%+v: %v µs, want %v", w, got, want)
		}
	}
	if d := p.RequestOverhead - 5*time.Millisecond; d.Abs() > 500*time.Microsecond {
		t.Errorf("the API server's time is %v, want 5ms", p.RequestOverhead)
	}
}

// Least squares find the coefficients of steps that are a sum, with a known profile that agrees
// and one that is far off.
func TestSolve(t *testing.T) {
	truth := engine.Profile{StepBase: 5000, PerSequence: 300, PerKVToken: .2, PerToken: 40}
	var windows []window
	for _, w := range made(neutral(), 1) {
		w.step = truth.StepBase + truth.PerSequence*w.n + truth.PerKVToken*w.kv + truth.PerToken*w.prompt
		windows = append(windows, w)
	}
	for speed, within := range map[float64]float64{1: 1e-6, 2: .03} {
		got := solve(windows, truth, speed)
		for i, want := range []float64{5000, 300, .2, 40} {
			if !(math.Abs(got[i]/want-1) <= within) {
				t.Errorf("prior times %v: coefficient %d is %v, want %v", speed, i, got[i], want)
			}
		}
	}
}

// One rank of two did half of what the pod did; what is not known stays so, and a percent is not a sum.
func TestOfOneRank(t *testing.T) {
	pod := decider.Pod{Running: 8, Waiting: decider.Unknown(), KVCache: 50, Totals: decider.Totals{
		Known: true, Steps: 100, PromptTokens: 200, CachedTokens: 20, KVCapacity: 1000,
		ITL: decider.Histogram{Count: 40, Sum: 4}, TTFT: decider.Histogram{Count: 60, Sum: 6},
	}}
	for _, c := range []struct {
		ranks int
		by    decider.Reading
	}{{0, 1}, {1, 1}, {2, 2}, {4, 4}} {
		pod.Totals.Ranks = c.ranks
		got, was := ofOneRank(pod), pod.Totals
		now := got.Totals
		if got.Running != 8/c.by || got.Waiting.Known() || got.KVCache != 50 || now.Steps != 100/c.by || now.PromptTokens != 200/c.by ||
			now.CachedTokens != 20/c.by || now.KVCapacity != 1000/c.by || now.ITL.Count != 40/c.by || now.ITL.Sum != 4/c.by ||
			now.TTFT.Count != 60/c.by || now.TTFT.Sum != 6/c.by {
			t.Errorf("%d ranks: %+v", c.ranks, got)
		}
		if pod.Totals.Steps != was.Steps {
			t.Fatal("the pod itself was changed")
		}
	}
}

// What a profile does not know for certain is said in its source; what cannot be learned is refused with the fix.
func TestSeen_says(t *testing.T) {
	first := window{n: 4, length: 1000, busy: 1, step: 1000, ttft: 4004}
	for _, c := range []struct {
		name         string
		seen         seen
		has, hasNone []string
	}{
		{"limited, first tokens known", seen{windows: slices.Repeat([]window{first}, 5), most: 8, atMost: 5, full: 5, capacity: 100},
			nil, []string{"never reached", "API server's time"}},
		{"never limited", seen{windows: slices.Repeat([]window{first}, 5), most: 8, atMost: 5, full: 3, capacity: 100},
			[]string{"and so is max_num_seqs, which was never reached"}, []string{"API server's time"}},
		{"no first tokens", seen{windows: []window{first}, most: 8, atMost: 5, full: 5, capacity: 100},
			[]string{"the API server's time is that of servers on GPUs"}, []string{"never reached"}},
	} {
		c.seen.revision = "a/b"
		p := c.seen.complete(engine.Profiles()[0], neutral())
		source := p.Source
		if p.Name != "recorded-a/b" || p.GPU != "" || p.Model != "" || p.TensorParallel != 1 || !strings.HasPrefix(source, "learned from ") ||
			!strings.Contains(source, " windows of a/b in a recording, beginning at neutral; ") {
			t.Errorf("%s: %+v", c.name, p)
		}
		for _, s := range c.has {
			if !strings.Contains(source, s) {
				t.Errorf("%s: %q lacks %q", c.name, source, s)
			}
		}
		for _, s := range c.hasNone {
			if strings.Contains(source, s) {
				t.Errorf("%s: %q has %q", c.name, source, s)
			}
		}
	}
	for want, s := range map[string]seen{
		"revision a/b: 19 windows of 10s in which an engine was busy; a profile needs 20 at least: record for longer": {windows: made(neutral(), 1)[:19], capacity: 100},
		"revision a/b: no engine reported the size of its KV cache":                                                   {windows: made(neutral(), 1)[:20]},
	} {
		s.revision = "a/b"
		if _, err := s.learn(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
