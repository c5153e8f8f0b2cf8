package recording

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var began = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func spec() decider.Spec {
	return decider.Spec{
		Targets:     []decider.Target{{Metric: decider.Concurrency, Value: 7}, {Metric: decider.KVCache, Value: 70}},
		MinReplicas: 1, MaxReplicas: 20, Reachable: true, StableWindow: 10 * time.Second, PanicThreshold: 2,
		MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Tolerance: .1, StartupDeadline: time.Minute,
	}
}

// observation is a fleet at second i of a random walk.
func observation(rng *rand.Rand, i int, replicas int32) decider.Observation {
	load := 40 * (1 + math.Sin(float64(i)/40)) * rng.Float64()
	o := decider.Observation{
		Time: began.Add(time.Duration(i) * 2 * time.Second), Replicas: replicas, Ready: replicas,
		Concurrency: decider.Windowed{Stable: decider.Reading(load), Panic: decider.Reading(load * 1.3)},
		RPS:         decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()},
		InFlight:    decider.Unknown(), Arrivals: decider.Reading(10 * i), Queued: decider.Unknown(),
	}
	for p := range replicas {
		pod := decider.Pod{Name: string(rune('a' + p)), KVCache: decider.Reading(100 * rng.Float64()), Running: 3, Waiting: decider.Unknown()}
		pod.Totals = decider.Totals{
			Known: true, PromptTokens: decider.Reading(1000 * i), GenerationTokens: decider.Reading(200 * i), Finished: decider.Reading(2 * i),
			TTFT: decider.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{float64(i), float64(2 * i)}, Count: decider.Reading(2 * i), Sum: 4},
			ITL:  decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}, E2E: decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()},
		}
		o.Pods = append(o.Pods, pod)
	}
	return o
}

// record plays n decisions of the revision into a file, every fifth of them between two ticks.
func record(t testing.TB, path string, limit int64, n int) {
	t.Helper()
	w, err := Create(path, "test", limit)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var state decider.State
	replicas := int32(1)
	for i := range n {
		s := spec()
		if i > n/2 {
			s.MaxReplicas = 12
		}
		o := observation(rng, i, replicas)
		d, next, err := decider.Decide(s, state, o)
		if err != nil {
			t.Fatal(err)
		}
		taken := i%5 != 0 || d.Replicas >= replicas
		w.Record("default/llm-00001", s, state, o, d, !taken)
		if taken {
			state, replicas = next, d.Replicas
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReplay_decides_the_same(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	record(t, path, 1<<30, 500)
	got, err := Replay(Open(path))
	if err != nil {
		t.Fatal(err)
	}
	if got.Decisions != 500 || got.Identical != 500 || got.Revisions != 1 {
		t.Errorf("replayed %+v, want 500 of 500 the same", got)
	}
}

func TestWriter_a_second_file_stands_alone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	record(t, path, 4<<10, 2000)
	for _, file := range []string{path, path + ".1"} {
		got, err := Replay(Open(file))
		if err != nil || got.Decisions != got.Identical {
			t.Errorf("%s: %+v, %v", filepath.Base(file), got, err)
		}
	}
}

func TestRead_what_is_not_whole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	record(t, path, 1<<30, 200)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Replay(Read(bytes.NewReader(raw[:len(raw)/2]), "half"))
	if err != nil || got.Decisions == 0 || got.Decisions != got.Identical {
		t.Errorf("half a file: %+v, %v; want its whole lines", got, err)
	}
	for name, text := range map[string]string{
		"not a recording (gzip)": "plain text",
		"the recording is empty": zip(""),
		"is no recording of":     zip(`{"format":"x","version":1}` + "\n"),
		"this program reads 1":   zip(`{"format":"ipa-recording","version":9,"adapter":"v9"}` + "\n"),
		"run:2: rev is missing":  zip(`{"format":"ipa-recording","version":1}` + "\n{}\n"),
		"run:2: json":            zip(`{"format":"ipa-recording","version":1}` + "\n" + `{"sped":1}` + "\n"),
		"beginning is missing":   zip(`{"format":"ipa-recording","version":1}` + "\n" + `{"rev":"a/b","obs":{},"replicas":1}` + "\n"),
	} {
		if _, err := Replay(Read(strings.NewReader(text), "run")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}

func TestArrivalsOf_counts_and_lengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	record(t, path, 1<<30, 600)
	a, err := ArrivalsOf(Open(path), "", rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(a.Requests); got != 5990 || a.Gaps != 0 || !a.Lengths {
		t.Errorf("%d requests, gaps %v, lengths %v; want 5990 of 599 steps of 10", got, a.Gaps, a.Lengths)
	}
	var in, out float64
	for i, r := range a.Requests {
		in, out = in+float64(r.Input), out+float64(r.Output)
		if i > 0 && r.Arrival < a.Requests[i-1].Arrival {
			t.Fatal("arrivals go back")
		}
	}
	n := float64(len(a.Requests))
	if math.Abs(in/n/500-1) > .08 || math.Abs(out/n/100-1) > .08 {
		t.Errorf("mean lengths %.0f in, %.0f out; want 500 and 100", in/n, out/n)
	}
	if _, err := ArrivalsOf(Open(path), "default/other", rand.New(rand.NewPCG(3, 4))); err == nil {
		t.Error("a revision that is not in the recording gave no error")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"format":"ipa-recording","version":1}` + "\n" + `{"rev":"a/b","spec":{},"state":{},"obs":{"Pods":null},"replicas":1,"reason":"NoData"}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = Replay(Read(strings.NewReader(zip(text)), "fuzz"))
		_, _ = ArrivalsOf(Read(strings.NewReader(zip(text)), "fuzz"), "", rand.New(rand.NewPCG(1, 1)))
	})
}

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestCreate_keeps_the_recording_of_before(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rec.gz")
	record(t, file, 1<<20, 5)
	w, err := Create(file, "test", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Replay(Open(file + ".1")); err != nil || r.Decisions != 5 {
		t.Errorf("the recording of before the restart has %d decisions and error %v, want 5", r.Decisions, err)
	}
}
