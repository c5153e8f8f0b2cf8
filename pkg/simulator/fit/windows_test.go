package fit

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// A window of 10 s by hand: 200 steps of 20 ms made 2,000 tokens, and 20 prompts had 20,000 tokens;
// 4,000 of these came from the prefix cache.
func TestSeen_closesAWindow(t *testing.T) {
	began := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	before := decider.Totals{
		Known: true, Steps: 100, PromptTokens: 5000, CachedTokens: 1000,
		ITL: decider.Histogram{Count: 1000, Sum: 20}, TTFT: decider.Histogram{Count: 10, Sum: 2},
	}
	after := decider.Totals{
		Known: true, Steps: 300, PromptTokens: 25_000, CachedTokens: 5000,
		ITL: decider.Histogram{Count: 3000, Sum: 60}, TTFT: decider.Histogram{Count: 30, Sum: 8},
	}
	whole := window{step: 20_000, n: 10, kv: 1000, prompt: 80, filling: .1, ttft: 300_000, length: 800, busy: .4}
	for _, c := range []struct {
		name   string
		change func(o *opened, now *decider.Totals, want *window)
		none   bool
	}{
		{"whole", func(*opened, *decider.Totals, *window) {}, false},
		{"requests waited: first tokens say nothing of the steps", func(o *opened, _ *decider.Totals, want *window) {
			o.waited, want.ttft, want.length = true, 0, 0
		}, false},
		{"the cache's tokens are not known: all were computed", func(_ *opened, now *decider.Totals, want *window) {
			now.CachedTokens = decider.Reading(math.NaN())
			want.prompt, want.length = 100, 1000
		}, false},
		{"first tokens are not known: each step may have a prompt", func(_ *opened, now *decider.Totals, want *window) {
			now.TTFT = decider.Histogram{Count: decider.Reading(math.NaN()), Sum: decider.Reading(math.NaN())}
			want.filling, want.ttft, want.length = 1, 0, 0
		}, false},
		{"long prompts take several steps each", func(_ *opened, now *decider.Totals, want *window) {
			now.PromptTokens = 5000 + 4000 + 200*1024
			want.prompt, want.filling, want.length = 1024, .5, 200*1024/20
		}, false},
		{"four prompts are too few for a mean", func(_ *opened, now *decider.Totals, want *window) {
			now.TTFT.Count = 14
			want.filling, want.ttft, want.length = 80./tokenBudget, 0, 0
		}, false},
		{"as few steps and tokens as are enough", func(_ *opened, now *decider.Totals, want *window) {
			now.Steps, now.ITL.Count, now.ITL.Sum = 120, 1050, 21
			want.n, want.prompt, want.filling, want.ttft, want.length, want.busy = 2.5, 800, 1, 0, 0, .04
		}, false},
		{"five prompts are enough", func(_ *opened, now *decider.Totals, want *window) {
			now.TTFT = decider.Histogram{Count: 15, Sum: 3}
			want.filling, want.ttft, want.length = 80./tokenBudget, 200_000, 3200
		}, false},
		{"first tokens without time", func(_ *opened, now *decider.Totals, want *window) {
			now.TTFT.Sum = 2
			want.ttft, want.length = 0, 0
		}, false},
		{"no request came: what decodes came before", func(_ *opened, now *decider.Totals, want *window) {
			now.TTFT, now.PromptTokens, now.CachedTokens = decider.Histogram{Count: 10, Sum: 2}, 5000, 1000
			want.prompt, want.filling, want.ttft, want.length = 0, 0, 0, 0
		}, false},
		{"too few steps", func(_ *opened, now *decider.Totals, _ *window) { now.Steps = 119 }, true},
		{"too few tokens", func(_ *opened, now *decider.Totals, _ *window) { now.ITL.Count = 1049 }, true},
		{"no time passed", func(_ *opened, now *decider.Totals, _ *window) { now.ITL.Sum = 20 }, true},
		{"the KV cache was never seen", func(o *opened, _ *decider.Totals, _ *window) { o.samples = 0 }, true},
	} {
		s, want, now := &seen{}, whole, after
		o := &opened{at: began, totals: before, kv: 3000, samples: 3, observed: began.Add(10 * time.Second)}
		c.change(o, &now, &want)
		s.close(o, now)
		if c.none {
			if len(s.windows) > 0 {
				t.Errorf("%s: %+v, want no window", c.name, s.windows)
			}
			continue
		}
		if len(s.windows) != 1 || !sameWindow(s.windows[0], want) {
			t.Errorf("%s: %+v, want %+v", c.name, s.windows, want)
		}
	}
}

// sameWindow compares windows to nine digits.
func sameWindow(a, b window) bool {
	of := func(w window) []float64 {
		return []float64{w.step, w.n, w.kv, w.prompt, w.filling, w.ttft, w.length, w.busy}
	}
	return slices.EqualFunc(of(a), of(b), func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(math.Abs(y), 1) })
}

// An engine is limited where it stopped at a number of requests again and again while others waited.
func TestSeen_limited(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks [][2]decider.Reading // running and waiting
		want  int                  // max_num_seqs of the profile
	}{
		{"five times at 8 with a queue", [][2]decider.Reading{{8, 1}, {8, 2}, {8, 1}, {8, 3}, {8, 1}}, 8},
		{"four times are too few", [][2]decider.Reading{{8, 1}, {8, 2}, {8, 1}, {8, 3}}, 256},
		{"five of seven: the others had no queue", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 0}, {8, 0}}, 256},
		{"eight of ten are enough", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 0}, {8, 0}}, 8},
		{"one at a time", [][2]decider.Reading{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, 1},
		{"nothing ran: what waits has another reason", [][2]decider.Reading{{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}, 256},
		{"then it ran nine", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {9, 1}}, 256},
		{"fewer at other times do not matter", [][2]decider.Reading{{8, 1}, {3, 0}, {8, 1}, {8, 1}, {7, 9}, {8, 1}, {8, 1}}, 8},
		{"running requests that are not known prove nothing", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {decider.Unknown(), 1}}, 256},
		{"a queue that is not known proves nothing", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, decider.Reading(math.NaN())}}, 256},
		{"a queue that is not known is not counted", [][2]decider.Reading{{8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, 1}, {8, decider.Unknown()}, {8, decider.Unknown()}}, 8},
		{"it ran more than the known profile allows", [][2]decider.Reading{{300, 0}}, 300},
	} {
		s := &seen{capacity: 50_000}
		for _, l := range c.looks {
			s.look(decider.Pod{Running: l[0], Waiting: l[1]})
		}
		p := engine.Profiles()[0]
		p.MaxNumSeqs, p.MaxNumBatchedTokens = 256, 128
		got := s.complete(p, p)
		if got.MaxNumSeqs != c.want || got.KVTokens != 50_000 || got.MaxNumBatchedTokens != max(128, got.MaxNumSeqs) {
			t.Errorf("%s: max_num_seqs %d of %d KV tokens, want %d of 50000", c.name, got.MaxNumSeqs, got.KVTokens, c.want)
		}
	}
}

// two is a run of two requests whose simulation is given.
type two struct {
	fake
	simulated []engine.Completion
}

func (r *two) Simulate(engine.Profile) ([]engine.Completion, error) { return r.simulated, nil }

// The errors of a run by hand: means over all requests, and the median of the errors of each.
func TestErrorsOf(t *testing.T) {
	done := func(output int, first, last time.Duration) engine.Completion {
		return engine.Completion{Request: engine.Request{Arrival: time.Second, Output: output}, FirstToken: time.Second + first, LastToken: time.Second + last}
	}
	r := &two{
		fake:      fake{about: About{Run: "r"}, measured: []engine.Completion{done(1, time.Second, time.Second), done(11, 2*time.Second, 3*time.Second)}},
		simulated: []engine.Completion{done(1, 2*time.Second, 2*time.Second), done(11, 3*time.Second, 5*time.Second)},
	}
	got, err := errorsOf(r, engine.Profile{})
	want := []Error{
		{"r", "ttft", 1.5, 2.5, 1}, // 1 to 2 s, and 2 to 3 s: 100 and 50 % off
		{"r", "tpot", 0.1, 0.2, 1}, // one request alone has more than one token
		{"r", "e2e", 2, 3.5, 1},    // 1 to 2 s, and 3 to 5 s: 100 and 67 %
	}
	if err != nil || !slices.EqualFunc(got, want, func(a, b Error) bool {
		return a.Metric == b.Metric && math.Abs(a.Measured-b.Measured)+math.Abs(a.Simulated-b.Simulated)+math.Abs(a.Median-b.Median) < 1e-9
	}) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	// A first token at once has no relative error, and counts in the means.
	r.measured[0].FirstToken = r.measured[0].Arrival
	if got, err := errorsOf(r, engine.Profile{}); err != nil || len(got) == 0 || !sameError(got[0], Error{"r", "ttft", 1, 2.5, .5}) {
		t.Errorf("%+v, %v; want a mean of 0 and 2 s, and a median of 0.5", got, err)
	}
	// Where no request has a time between tokens, there is no error of it.
	r.measured, r.simulated = r.measured[:1], r.simulated[:1]
	if got, err := errorsOf(r, engine.Profile{}); err != nil || slices.ContainsFunc(got, func(e Error) bool { return e.Metric == "tpot" }) {
		t.Errorf("%+v, %v; want no time between the tokens of one token", got, err)
	}
	if got := want[0].Relative(); math.Abs(got-2./3) > 1e-9 {
		t.Errorf("2.5 of 1.5 s is %+.3f off, want +0.667", got)
	}
}

// Runs of another GPU, model or tensor parallelism are another engine.
func TestGrouped(t *testing.T) {
	run := func(name, gpu, model string, tp int) Run {
		return &fake{about: About{Run: name, GPU: gpu, Model: model, TensorParallel: tp}}
	}
	groups := grouped([]Run{run("a", "A100", "8b", 1), run("b", "A100", "8b", 2), run("c", "A100", "8b", 1), run("d", "H100", "8b", 1), run("e", "A100", "70b", 2)})
	var got []string
	for _, g := range groups {
		names := ""
		for _, r := range g {
			names += r.About().Run
		}
		got = append(got, names)
	}
	if want := []string{"ac", "b", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("groups %v, want %v", got, want)
	}
}
