package fit

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// fake is a run of an engine whose true profile the test knows.
type fake struct {
	about    About
	truth    engine.Profile
	requests []engine.Request
	measured []engine.Completion
}

// newFake plays a synthetic load on the true engine.
func newFake(t *testing.T, name string, truth engine.Profile, o trace.Options) *fake {
	t.Helper()
	f := &fake{about: About{Run: name, GPU: "secret", Model: "model", TensorParallel: 1}, truth: truth}
	requests, err := trace.Synthetic("ramp", o)
	if err != nil {
		t.Fatal(err)
	}
	for q, err := range requests {
		if err != nil {
			t.Fatal(err)
		}
		f.requests = append(f.requests, engine.Request{ID: int32(len(f.requests)), Arrival: q.Arrival, Prompt: q.Input, Output: q.Output})
	}
	if f.measured, err = f.Simulate(truth); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fake) Measured() []engine.Completion { return f.measured }
func (f *fake) About() About                  { return f.about }

func (f *fake) Limit(p engine.Profile) engine.Profile {
	p.KVTokens, p.BlockSize, p.MaxNumSeqs, p.MaxNumBatchedTokens = f.truth.KVTokens, f.truth.BlockSize, f.truth.MaxNumSeqs, f.truth.MaxNumBatchedTokens
	p.RequestOverhead, p.TokenOverhead = 0, 0
	return p
}

func (f *fake) Simulate(p engine.Profile) ([]engine.Completion, error) {
	all := make([]engine.Completion, len(f.requests))
	e, err := engine.New(f.Limit(p), func(c engine.Completion) { all[c.ID] = c })
	if err != nil {
		return nil, err
	}
	for _, r := range f.requests {
		if err := e.Submit(r); err != nil {
			return nil, err
		}
	}
	e.Drain()
	return all, nil
}

type runs []Run

func (r runs) Runs() ([]Run, error) { return r, nil }

// secrets are engines that no known profile is near to.
func secrets() []engine.Profile {
	base := engine.Profiles()[0]
	cpu, large := base, base
	cpu.Name, cpu.StepBase, cpu.PerSequence, cpu.ComputeBase, cpu.PerToken, cpu.PerKVToken, cpu.PerTokenPair = "cpu", 3000, 900, 2500, 55, .4, .002
	cpu.MixedKV, cpu.KVTokens, cpu.MaxNumSeqs, cpu.BlockSize = 1, 60_000, 16, 128
	large.Name, large.StepBase, large.PerSequence, large.PerToken, large.PerKVToken = "large", 31000, 60, 120, .05
	return []engine.Profile{cpu, large}
}

// TestLearn_predictsAnotherLoad: learned where the engine is loaded, right
// within 6 % at half and at half as much again of that load.
func TestLearn_predictsAnotherLoad(t *testing.T) {
	for _, truth := range secrets() {
		known := newFake(t, "known", truth, trace.Options{Seed: 1, Scale: .2, From: 12 * time.Minute, To: 18 * time.Minute})
		all, err := Learn(t.Context(), runs{known})
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		for _, scale := range []float64{.1, .3} {
			other := newFake(t, "other", truth, trace.Options{Seed: 2, Scale: scale, From: 12 * time.Minute, To: 18 * time.Minute})
			errs, err := errorsOf(other, all[0].Profile)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range errs {
				t.Logf("%s learned at 0.2, load %v: %s %.4f s, predicted %.4f s, %+.1f %%", truth.Name, scale, e.Metric, e.Measured, e.Simulated, 100*e.Relative())
				if !(math.Abs(e.Relative()) <= .06) {
					t.Errorf("%s: %s of another load is off by %.1f %%, want at most 6 %%", truth.Name, e.Metric, 100*e.Relative())
				}
			}
		}
	}
}

// TestLearn_realRuns: each real run is given within 2 % by what was learned from it.
func TestLearn_realRuns(t *testing.T) {
	const dir = "../../../../shared/traces/vllm_ground_truth"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("NOT TESTED: the recorded vLLM runs are not here: %v", err)
	}
	all, err := Learn(t.Context(), Folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 {
		t.Fatalf("%d profiles, want one for each GPU", len(all))
	}
	for _, l := range all {
		if err := l.Profile.Validate(); err != nil {
			t.Error(err)
		}
		for _, e := range l.Fit {
			t.Logf("%s %s: %.3f s, learned %.3f s", e.Run, e.Metric, e.Measured, e.Simulated)
			if !(math.Abs(e.Relative()) <= .02) {
				t.Errorf("%s %s: off by %.1f %%", e.Run, e.Metric, 100*e.Relative())
			}
		}
	}
}

func TestLearn_leavesOneOut(t *testing.T) {
	truth := secrets()[1]
	a := newFake(t, "a", truth, trace.Options{Seed: 1, Scale: .2, To: 5 * time.Minute})
	b := newFake(t, "b", truth, trace.Options{Seed: 2, Scale: .1, To: 5 * time.Minute})
	c := newFake(t, "c", secrets()[0], trace.Options{Seed: 3, Scale: .1, To: 5 * time.Minute})
	c.about.GPU = "another"
	all, err := Learn(t.Context(), runs{a, c, b})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d profiles, %v; want one for each GPU", len(all), err)
	}
	if len(all[0].Unseen) != 6 || len(all[1].Unseen) != 0 {
		t.Errorf("%d and %d errors of unseen runs, want 6 of two runs, none of one", len(all[0].Unseen), len(all[1].Unseen))
	}
}

// TestLearn_impossible: requests that no KV cache of the recording could hold.
func TestLearn_impossible(t *testing.T) {
	f := newFake(t, "a", secrets()[1], trace.Options{Seed: 1, Scale: .1, To: time.Minute})
	f.truth.KVTokens = 64
	if _, err := Learn(t.Context(), runs{f}); err == nil {
		t.Error("learned from what cannot have happened")
	}
}

type broken struct{}

func (broken) Runs() ([]Run, error) { return nil, errors.New("real_a.jsonl:3: broken") }

func TestLearn_source(t *testing.T) {
	if _, err := Learn(t.Context(), broken{}); err == nil {
		t.Error("no error")
	}
	if _, err := Learn(t.Context(), Folder(t.TempDir())); err == nil {
		t.Error("no error of an empty folder")
	}
}
