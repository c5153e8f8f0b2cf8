package fit

import (
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// watcher is a policy that keeps what it observes, as a recording would.
type watcher struct{ entries []recording.Entry }

func (w *watcher) Period() time.Duration { return 2 * time.Second }

func (w *watcher) Want(o decider.Observation) (simulator.Want, error) {
	o.Pods = append([]decider.Pod(nil), o.Pods...)
	w.entries = append(w.entries, recording.Entry{Revision: "default/llm", Observation: o})
	return simulator.Want{Replicas: o.Replicas}, nil
}

// fleet runs two replicas of an engine on a load.
func fleet(t *testing.T, p engine.Profile, scale float64) ([]recording.Entry, simulator.Result) {
	t.Helper()
	requests, err := trace.Synthetic("ramp", trace.Options{Seed: 3, Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	c := simulator.NewConfig()
	c.Engine, c.Seed, c.Initial, c.Min, c.Max = p, 3, 2, 2, 2
	w := &watcher{}
	r, err := simulator.Run(c, requests, w)
	if err != nil {
		t.Fatal(err)
	}
	return w.entries, r
}

func sequence(entries []recording.Entry) iter.Seq2[recording.Entry, error] {
	return func(yield func(recording.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// TestLearnRecorded: from two pods' pages every 2 s, the latencies at this load and at half of it.
func TestLearnRecorded(t *testing.T) {
	for i, truth := range append(secrets(), engine.Profiles()[5]) {
		truth.RequestOverhead = []time.Duration{3, 40, 8}[i] * time.Millisecond // only first tokens show it
		scale := .4
		if truth.Name == "cpu" {
			scale = .3
		}
		entries, was := fleet(t, truth, scale)
		all, err := LearnRecorded(sequence(entries), "")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		l := all[0]
		t.Logf("%s: %+v from %s x%.2f", truth.Name, l.Profile, l.Start, l.Speed)
		for _, e := range append(l.Fit, l.Unseen...) {
			t.Logf("%s: step %.5f s, learned %.5f s, median window %.1f %% off", truth.Name, e.Measured, e.Simulated, 100*e.Median)
			if !(math.Abs(e.Relative()) < .06) {
				t.Errorf("%s: mean step off by %.1f %%", truth.Name, 100*e.Relative())
			}
		}
		near := func(what string, is, was time.Duration) {
			off := float64(is)/float64(was) - 1
			t.Logf("%s: %s %v, with the learned profile %v, %+.1f %%", truth.Name, what, was, is, 100*off)
			if !(math.Abs(off) < .10) {
				t.Errorf("%s: %s off by %.1f %%", truth.Name, what, 100*off)
			}
		}
		_, is := fleet(t, l.Profile, scale)
		near("mean ITL", is.MeanITL, was.MeanITL)
		_, was = fleet(t, truth, scale/2)
		_, is = fleet(t, l.Profile, scale/2)
		near("mean ITL at half the load", is.MeanITL, was.MeanITL)
		near("median TTFT at half the load", is.P50TTFT, was.P50TTFT)
	}
}

// A recording of pods with three equal ranks each gives the profile of one rank.
func TestLearnRecorded_ranks(t *testing.T) {
	entries, _ := fleet(t, engine.Profiles()[0], .4)
	one, err := LearnRecorded(sequence(entries), "")
	if err != nil {
		t.Fatal(err)
	}
	const ranks = 3
	for _, e := range entries {
		for i := range e.Observation.Pods {
			p := &e.Observation.Pods[i]
			h := &p.Totals
			h.Ranks = ranks
			for _, sum := range []*decider.Reading{&p.Running, &p.Waiting, &h.Steps, &h.PromptTokens, &h.CachedTokens, &h.KVCapacity,
				&h.ITL.Count, &h.ITL.Sum, &h.TTFT.Count, &h.TTFT.Sum} {
				*sum *= ranks
			}
		}
	}
	all, err := LearnRecorded(sequence(entries), "")
	if err != nil {
		t.Fatal(err)
	}
	a, b := one[0].Profile, all[0].Profile
	for name, v := range map[string][2]float64{
		"KV cache": {float64(a.KVTokens), float64(b.KVTokens)}, "sequences": {float64(a.MaxNumSeqs), float64(b.MaxNumSeqs)},
		"step": {a.StepBase, b.StepBase}, "sequence": {a.PerSequence, b.PerSequence}, "token": {a.PerToken, b.PerToken},
	} {
		if math.Abs(v[0]-v[1]) > .02*v[0] {
			t.Errorf("%s: %v of one rank, %v of %d", name, v[0], v[1], ranks)
		}
	}
}

func TestLearnRecorded_refuses(t *testing.T) {
	entries, _ := fleet(t, engine.Profiles()[0], .2)
	if _, err := LearnRecorded(sequence(entries[:10]), ""); err == nil {
		t.Error("learned from 20 seconds")
	}
	if _, err := LearnRecorded(sequence(entries), "default/other"); err == nil {
		t.Error("learned of a revision that is not there")
	}
	for i := range entries {
		for k := range entries[i].Observation.Pods {
			entries[i].Observation.Pods[k].Totals = decider.Totals{}
		}
	}
	if _, err := LearnRecorded(sequence(entries), ""); err == nil {
		t.Error("learned without any counter")
	}
}

// One broken page costs the window that it falls into, and leaves all others and the limits as they are.
func TestSeen_oneAbsurdPage(t *testing.T) {
	clean, _ := fleet(t, engine.Profiles()[0], .2)
	look := func(entries []recording.Entry) *seen {
		s := &seen{open: map[string]*opened{}}
		for _, e := range entries {
			s.add(e.Observation.Time, e.Observation.Pods[0])
		}
		return s
	}
	want := look(clean)
	if len(want.windows) < 100 {
		t.Fatalf("%d windows of a clean recording: the test shows nothing", len(want.windows))
	}
	for name, breaks := range map[string]func(*decider.Pod, decider.Reading){
		"steps":             func(p *decider.Pod, x decider.Reading) { p.Totals.Steps = x },
		"generated tokens":  func(p *decider.Pod, x decider.Reading) { p.Totals.ITL.Count = x },
		"seconds":           func(p *decider.Pod, x decider.Reading) { p.Totals.ITL.Sum = x },
		"prompt tokens":     func(p *decider.Pod, x decider.Reading) { p.Totals.PromptTokens = x },
		"KV cache in use":   func(p *decider.Pod, x decider.Reading) { p.KVCache = x },
		"size of the cache": func(p *decider.Pod, x decider.Reading) { p.Totals.KVCapacity = x },
	} {
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e15, 1e300} {
			entries := slices.Clone(clean)
			broken := entries[len(entries)/2]
			broken.Observation.Pods = slices.Clone(broken.Observation.Pods)
			breaks(&broken.Observation.Pods[0], decider.Reading(x))
			entries[len(entries)/2] = broken
			got := look(entries)
			if got.capacity != want.capacity || got.most != want.most {
				t.Errorf("%s of %v: a cache of %v and at most %v requests, want %v and %v", name, x, got.capacity, got.most, want.capacity, want.most)
			}
			if len(got.windows) < len(want.windows)-2 {
				t.Errorf("%s of %v: %d windows of %d are left", name, x, len(got.windows), len(want.windows))
			}
			for _, w := range got.windows {
				if !(w.step > 1e3 && w.step < 1e6 && w.n <= want.most && w.kv <= want.capacity && w.prompt >= 0 && w.prompt < 4*tokenBudget) {
					t.Errorf("%s of %v: a window of %+v", name, x, w)
				}
			}
		}
	}
}

// TestPredict: a window's step is what the engine makes of the same profile.
func TestPredict(t *testing.T) {
	for name, p := range map[string]engine.Profile{
		"bound by reading": {StepBase: 900, PerSequence: 25, ComputeBase: 100, PerToken: 50},
		"bound by compute": {StepBase: 100, PerSequence: 5, ComputeBase: 900, PerToken: 25},
	} {
		p.KVTokens, p.BlockSize, p.MaxNumSeqs, p.MaxNumBatchedTokens = 10_000, 16, 8, 2048
		var step time.Duration
		e, err := engine.New(p, func(c engine.Completion) { step = c.TPOT() })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if err := e.Submit(engine.Request{ID: int32(i), Prompt: 1, Output: 101}); err != nil {
				t.Fatal(err)
			}
		}
		e.Drain()
		if got, want := predict(window{n: 4}, p), float64(step.Microseconds()); math.Abs(got/want-1) > .01 {
			t.Errorf("%s: predicted %v µs, the engine takes %v", name, got, want)
		}
	}
}
