//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
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
	// probe was learned from, too, and runs right before and after them: has the machine kept its speed?
	probe = stage{clients: 6, prompt: 40, answer: 250, during: 15 * time.Second}
)

// An engine profile learned on real vLLM, of what the adapter recorded under one
// load, predicts the engine's own means under others.
func TestVLLMFit(t *testing.T) {
	s := realVLLM(t, annotations{"min-scale": "1", "max-scale": "1"})
	r := s.current()
	l := newTokenLoad(r)
	var paces speeds
	for _, st := range learning {
		m, _ := l.measure(st)
		if st.alike(probe) {
			paces = append(paces, m.tpot)
		}
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
	paces = append(paces, before.tpot, after.tpot)
	figure(t, "real vLLM fit: "+paces.String())
	bound := 1.4 * slices.Max(paces) / slices.Min(paces)
	expectPrediction(t, "4 clients", inSteady, predicted(t, p, sentSteady), bound)
	expectPrediction(t, "waves of 20", inWaves, predicted(t, p, sentWaves), bound)
}

// speeds are the seconds a token of one and the same load at different times.
// A machine that others use has no one speed, and no profile could have it.
type speeds []float64

func (s speeds) String() string {
	return fmt.Sprintf("one and the same load took %.1f ms a token while learning, %.1f right before the predicted loads and %.1f right after: the machine's own speed changed by a factor of %.2f",
		1e3*s[0], 1e3*s[1], 1e3*s[2], slices.Max(s)/slices.Min(s))
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
		if err := e.Submit(engine.Request{ID: int32(i), Arrival: q.at, Prompt: q.prompt, Output: q.answer}); err != nil {
			t.Fatal(err)
		}
	}
	e.Drain()
	return latencies{sum.ttft / ended, sum.tpot / ended, sum.e2e / ended}
}

// expectPrediction wants every mean within a factor. Where nothing waits, the
// first token's time is mostly the API server's, which a recording does
// not show: it is printed and not judged.
func expectPrediction(t *testing.T, load string, measured, predicted latencies, factor float64) {
	t.Helper()
	text := "real vLLM fit, " + load
	for _, c := range []struct {
		name     string
		m, p     float64
		overhead bool
	}{
		{"mean TTFT", measured.ttft, predicted.ttft, measured.ttft < 0.1*measured.e2e},
		{"TPOT", measured.tpot, predicted.tpot, false},
		{"E2E", measured.e2e, predicted.e2e, false},
	} {
		text += fmt.Sprintf("; %s %.1f ms measured, %.1f predicted (%+.0f %%)", c.name, 1e3*c.m, 1e3*c.p, 100*(c.p/c.m-1))
		if !c.overhead && !(math.Abs(math.Log(c.p/c.m)) <= math.Log(factor)) {
			t.Errorf("%s: %s %.1f ms measured, %.1f predicted, want within a factor of %.2f", load, c.name, 1e3*c.m, 1e3*c.p, factor)
		}
	}
	figure(t, text)
}
