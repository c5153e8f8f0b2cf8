//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// learning is the load that the profile is learned from: long enough for 20
// windows of 10 s, below and above the 8 requests that run at once.
var learning = []stage{
	{clients: 1, prompt: 60, answer: 200, during: 50 * time.Second},
	{clients: 3, prompt: 250, answer: 100, during: 50 * time.Second},
	{clients: 6, prompt: 40, answer: 250, during: 50 * time.Second},
	{clients: 6, prompt: 300, answer: 80, during: 50 * time.Second},
	{clients: 12, prompt: 120, answer: 160, during: 50 * time.Second},
	{clients: 12, prompt: 300, answer: 60, during: 50 * time.Second},
}

// unseen are loads that the profile has not seen. Every request fits into five
// blocks of 128 tokens, an eighth of the cache: nothing is preempted.
var (
	steady = stage{clients: 4, prompt: 100, answer: 150, during: 45 * time.Second}
	waves  = stage{clients: 20, prompt: 200, answer: 120, during: 60 * time.Second, together: true}
	// probe runs right before and after them: has the machine kept its speed?
	probe = stage{clients: 6, prompt: 40, answer: 250, during: 15 * time.Second}
)

// An engine profile learned on real vLLM, of what the adapter recorded under one
// load, predicts the engine's own means under others.
func TestVLLMFit(t *testing.T) {
	s := realVLLM(t, annotations{"min-scale": "1", "max-scale": "1"})
	r := s.current()
	l := newTokenLoad(r)
	for _, st := range learning {
		l.run(st)
	}
	time.Sleep(3 * time.Second) // the last sample is up to 2 s old
	p := fitRecording(t, r)
	if p.KVTokens != 5120 || p.MaxNumSeqs != 8 {
		t.Errorf("the profile has %d KV tokens and %d sequences; the engine was started with 5120 and 8", p.KVTokens, p.MaxNumSeqs)
	}
	before, _ := l.measure(probe)
	inSteady, sentSteady := l.measure(steady)
	inWaves, sentWaves := l.measure(waves)
	after, _ := l.measure(probe)
	drift := after.tpot/before.tpot - 1
	figure(t, fmt.Sprintf("real vLLM fit: the same load before and after the predicted ones took %.2f and %.2f ms a token: the machine's own speed changed by %+.0f %%",
		1e3*before.tpot, 1e3*after.tpot, 100*drift))
	bound := 0.4 + math.Abs(drift)
	got := predicted(t, p, sentSteady)
	compareLatencies(t, "4 clients", inSteady, got)
	expectWithin(t, "4 clients TPOT", got.tpot/inSteady.tpot-1, bound)
	expectWithin(t, "4 clients E2E", got.e2e/inSteady.e2e-1, bound)
	got = predicted(t, p, sentWaves)
	compareLatencies(t, "waves of 20", inWaves, got)
	expectWithin(t, "waves of 20 TTFT", got.ttft/inWaves.ttft-1, bound)
	expectWithin(t, "waves of 20 TPOT", got.tpot/inWaves.tpot-1, bound)
	expectWithin(t, "waves of 20 E2E", got.e2e/inWaves.e2e-1, bound)
}

// fitRecording fetches what the adapter recorded and learns a profile of it, as a user would.
func fitRecording(t *testing.T, r revision) engine.Profile {
	t.Helper()
	dir := t.TempDir()
	source, out := filepath.Join(dir, "run.gz"), filepath.Join(dir, "profile.json")
	for _, file := range recordings(t) { // both replicas record the same
		if err := os.WriteFile(source, file, 0o600); err != nil {
			t.Fatal(err)
		}
		break
	}
	var stdout, stderr bytes.Buffer
	if code := command.Run(t.Context(), []string{"--fit", source, "--revision", r.namespace + "/" + r.revision, "--out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("simulate --fit: exit %d: %s", code, &stderr)
	}
	figure(t, "real vLLM fit: "+stdout.String())
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, r.namespace, "profile", string(raw))
	p, err := engine.ParseProfile(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// latencies are means in seconds.
type latencies struct{ ttft, tpot, e2e float64 }

// predicted gives the requests, as they were sent, the times of the profile.
func predicted(t *testing.T, p engine.Profile, requests []request) latencies {
	t.Helper()
	var sum latencies
	var ended float64
	e, err := engine.New(p, func(c engine.Completion) {
		ended++
		sum.ttft, sum.tpot, sum.e2e = sum.ttft+c.TTFT().Seconds(), sum.tpot+c.TPOT().Seconds(), sum.e2e+c.E2E().Seconds()
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range requests {
		if err := e.Submit(engine.Request{ID: int64(i), Arrival: q.at, Prompt: q.prompt, Output: q.answer}); err != nil {
			t.Fatal(err)
		}
	}
	e.Drain()
	return latencies{sum.ttft / ended, sum.tpot / ended, sum.e2e / ended}
}

func compareLatencies(t *testing.T, load string, measured, predicted latencies) {
	t.Helper()
	row := func(name string, m, p float64) string {
		return fmt.Sprintf("%s %.1f ms measured, %.1f predicted (%+.0f %%)", name, 1e3*m, 1e3*p, 100*(p/m-1))
	}
	figure(t, fmt.Sprintf("real vLLM fit, %s: %s; %s; %s", load, row("mean TTFT", measured.ttft, predicted.ttft),
		row("TPOT", measured.tpot, predicted.tpot), row("E2E", measured.e2e, predicted.e2e)))
}

func expectWithin(t *testing.T, what string, off, bound float64) {
	t.Helper()
	if !(math.Abs(off) <= bound) {
		t.Errorf("%s: the prediction is %+.0f %% off, want within %.0f %%", what, 100*off, 100*bound)
	}
}
