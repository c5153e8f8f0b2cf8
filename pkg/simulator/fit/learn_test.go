package fit

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// alone is a run of one request after the other, whose times are those of its steps: no engine has to be simulated.
type alone struct {
	about    About
	measured []engine.Completion
}

func newAlone(name, gpu string, truth engine.Profile, requests int) *alone {
	a := &alone{about: About{Run: name, GPU: gpu, Model: "8b", TensorParallel: 2}}
	for i := range requests {
		a.measured = append(a.measured, engine.Completion{Request: engine.Request{Prompt: 100 + 700*(i%5), Output: 10 + 40*(i%7)}})
	}
	a.measured, _ = a.Simulate(truth)
	return a
}

func (a *alone) Measured() []engine.Completion { return a.measured }
func (a *alone) About() About                  { return a.about }

func (a *alone) Limit(p engine.Profile) engine.Profile {
	p.KVTokens = 12_345
	return p
}

func (a *alone) Simulate(p engine.Profile) (all []engine.Completion, err error) {
	at := time.Duration(0)
	for _, c := range a.measured {
		c.Arrival = at
		first := stepTime(float64(c.Prompt), window{}, p)
		further := stepTime(0, window{n: 1, kv: float64(c.Prompt) + float64(c.Output-1)/2}, p)
		c.FirstToken = at + time.Duration(1000*first)
		c.LastToken = c.FirstToken + time.Duration(1000*further*float64(c.Output-1))
		at = c.LastToken + time.Second
		all = append(all, c)
	}
	return all, nil
}

// slow is an engine that is three times as slow as a known one and has another cost of a prompt.
func slow() engine.Profile {
	p := scaled(engine.Profiles()[0], 3)
	p.PerToken *= 1.5
	return p
}

// Runs of one engine give one profile, with its origin, its limits and its errors; each of several runs is also
// predicted from the others.
func TestLearn_alone(t *testing.T) {
	a, b, c := newAlone("a", "A100", slow(), 30), newAlone("b", "A100", slow(), 15), newAlone("c", "H100", neutral(), 12)
	all, err := Learn(t.Context(), runs{a, c, b})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d profiles, %v; want one of each GPU", len(all), err)
	}
	for i, want := range []struct {
		name, gpu, source string
		fit, unseen       []string
	}{
		{"fitted-a", "A100", "learned from 45 requests in 2 runs of 8b on A100, beginning at ",
			[]string{"a ttft", "a tpot", "a e2e", "b ttft", "b tpot", "b e2e"}, []string{"a ttft", "a tpot", "a e2e", "b ttft", "b tpot", "b e2e"}},
		{"fitted-c", "H100", "learned from 12 requests in 1 runs of 8b on H100, beginning at neutral", []string{"c ttft", "c tpot", "c e2e"}, nil},
	} {
		l := all[i]
		if p := l.Profile; p.Name != want.name || p.GPU != want.gpu || p.Model != "8b" || p.TensorParallel != 2 || p.KVTokens != 12_345 ||
			!strings.HasPrefix(p.Source, want.source) || !strings.HasSuffix(p.Source, " "+l.Start) {
			t.Errorf("%+v begun at %s, want %+v", p, l.Start, want)
		}
		for _, got := range []struct {
			errs []Error
			of   []string
		}{{l.Fit, want.fit}, {l.Unseen, want.unseen}} {
			if len(got.errs) != len(got.of) {
				t.Fatalf("%s: %d errors, want %v", want.name, len(got.errs), got.of)
			}
			for k, e := range got.errs {
				if e.Run+" "+e.Metric != got.of[k] || !(math.Abs(e.Relative()) < .02) || !(e.Median < .04) {
					t.Errorf("%s: %+v, want %s within 2 %%", want.name, e, got.of[k])
				}
			}
		}
	}
	if all[1].Start != "neutral" || !(math.Abs(all[1].Speed-1) < .01) {
		t.Errorf("a neutral engine was sought from %s, %v times as slow", all[1].Start, all[1].Speed)
	}
}

// A user who ends the program, and runs that no profile serves, get the reason and no profile.
func TestLearn_fails(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Learn(over, runs{newAlone("a", "A100", slow(), 20)}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by the user: %v", err)
	}
	if _, err := Learn(t.Context(), runs{&refusing{}}); err == nil || !strings.Contains(err.Error(), "does not fit into the KV cache") {
		t.Errorf("no profile serves: %v", err)
	}
}

// batches are a run of groups of requests that decode together. In every second group a prompt of 1,000 tokens is
// computed meanwhile, for an answer of one token. The times are those of the rule that regressed solves.
func batches(truth engine.Profile, groups int) *fake {
	f, at := &fake{about: About{Run: "batches"}}, time.Duration(0)
	for g := range groups {
		together, prompt, output := 1+g%5, 100+300*(g%7), 10+20*(g%3)
		kv := float64(together) * (float64(prompt) + float64(output-1)/2)
		took := float64(output-1) * (truth.StepBase + truth.PerSequence*float64(together) + truth.PerKVToken*kv)
		if g%2 == 0 {
			took += 1000 * truth.PerToken
		}
		last := at + time.Duration(1000*took)
		for range together {
			f.measured = append(f.measured, engine.Completion{Request: engine.Request{Prompt: prompt, Output: output}, FirstToken: at, LastToken: last})
		}
		if middle := (at + last) / 2; g%2 == 0 {
			f.measured = append(f.measured, engine.Completion{Request: engine.Request{Prompt: 1000, Output: 1}, FirstToken: middle, LastToken: middle})
		}
		at = last + time.Second
	}
	return f
}

// Least squares find the coefficients of a rule that holds; short answers and few requests say nothing.
func TestRegressed(t *testing.T) {
	truth := engine.Profile{StepBase: 900, PerSequence: 100, PerKVToken: .2, PerToken: 3}
	p, ok := regressed([]Run{batches(truth, 70)})
	for name, c := range map[string][2]float64{
		"a": {p.StepBase, 900}, "b": {p.PerSequence, 100}, "d": {p.PerKVToken, .2}, "c": {p.PerToken, 3}, "c0": {p.ComputeBase, 450},
	} {
		if !(math.Abs(c[0]/c[1]-1) < .01) {
			t.Errorf("%s is %v, want %v", name, c[0], c[1])
		}
	}
	if !ok || p.Name != "regression" {
		t.Errorf("%+v, %v", p, ok)
	}
	short := newAlone("a", "", truth, 40)
	for i := range short.measured[19:] {
		short.measured[19+i].Output = 7
	}
	if _, ok := regressed([]Run{short}); ok {
		t.Error("19 answers of eight tokens are enough")
	}
	if _, ok := regressed([]Run{newAlone("a", "", truth, 20)}); !ok {
		t.Error("20 answers are too few")
	}
}

// A folder has its runs by name, with what they ran on and their requests.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"real_a.jsonl":     `{"input_toks":300,"output_toks":21,"arrival_time":1000,"queued_ts":50,"first_token_ts":50.1,"last_token_ts":50.5}` + "\n",
		"real_a.meta.json": `{"model":"m","hardware":{"device_name":"H100"},"engine_kwargs":{"tensor_parallel_size":2,"max_num_seqs":8}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Folder(dir).Runs()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	about, measured := all[0].About(), all[0].Measured()
	if about.GPU != "H100" || about.Model != "m" || about.TensorParallel != 2 || !strings.Contains(about.Run, "a") || all[0].Limit(neutral()).MaxNumSeqs != 8 {
		t.Errorf("%+v", about)
	}
	if len(measured) != 1 || measured[0].TTFT() != 100*time.Millisecond || measured[0].Prompt != 300 {
		t.Errorf("%+v", measured)
	}
}
