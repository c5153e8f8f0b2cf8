package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// recorder is a policy that decides as the adapter does and writes it down.
type recorder struct {
	spec  decider.Spec
	state decider.State
	to    *recording.Writer
}

func (r *recorder) Period() time.Duration { return 2 * time.Second }

func (r *recorder) Want(o decider.Observation) (simulator.Want, error) {
	d, next, err := decider.Decide(r.spec, r.state, o)
	r.to.Record("default/llm-00001", r.spec, r.state, o, d, false)
	r.state = next
	return simulator.Want{Replicas: d.Replicas}, err
}

// record plays the load on a fleet as a cluster would, and returns the file and what came.
func record(t *testing.T) (file string, came size) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "recording")
	w, err := recording.Create(file, "test", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	o, err := parsed([]string{"--synthetic", "ramp", "--from", "15m", "--to", "40m"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoad(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := decider.Spec{
		Targets: []decider.Target{{Metric: decider.Concurrency, Value: 30}}, MinReplicas: 1, MaxReplicas: 20, Reachable: true,
		StableWindow: time.Minute, PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Tolerance: .1, StartupDeadline: 10 * time.Minute,
	}
	requests, err := l.requests(1)
	if err != nil {
		t.Fatal(err)
	}
	config := simulator.NewConfig()
	config.Seed = 1
	if _, err := simulator.Run(config, watched(t.Context(), requests, func(time.Duration) {}), &recorder{spec: spec, to: w}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	came, err = l.measure(t.Context(), 1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return file, came
}

func TestRun_recorded(t *testing.T) {
	file, came := record(t)
	t.Run("replay", func(t *testing.T) { replaysRecorded(t, file, came) })
	t.Run("fit", func(t *testing.T) { fitsRecorded(t, file) })
	t.Run("refuses", func(t *testing.T) { refusesRecorded(t, file) })
}

// replaysRecorded: identical decisions, and requests that cost a policy what the true ones do.
func replaysRecorded(t *testing.T, file string, came size) {
	args := []string{"--policy", "kpa:target=20,static,oracle", "--warmup", "5m"}
	code, stdout, stderr := call(t, append(args, "--recorded", file, "--json", "-")...)
	if code != 0 {
		t.Fatal(stderr)
	}
	var r struct {
		Runs     []map[string]any `json:"runs"`
		Recorded struct{ Decisions, Identical int }
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Recorded.Decisions < 700 || r.Recorded.Identical != r.Recorded.Decisions {
		t.Errorf("%d of %d decisions are the same", r.Recorded.Identical, r.Recorded.Decisions)
	}
	truth := figures(t, append(args, "--synthetic", "ramp", "--from", "15m", "--to", "40m")...)
	for i, run := range r.Runs {
		for _, key := range []string{"gpu_hours", "requests"} {
			was, is := truth[i][key].(float64), run[key].(float64)
			t.Logf("%s %s: from true requests %.2f, from samples %.2f", run["policy"], key, was, is)
			if is < .9*was || is > 1.1*was {
				t.Errorf("%s %s: %.2f, of the true requests %.2f", run["policy"], key, is, was)
			}
		}
	}
	l := recordedLoad(options{recorded: file}, func(uint64) trace.Options { return trace.Options{} })
	made, err := l.measure(t.Context(), 1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, is, was float64) {
		t.Logf("%s: %.0f made, %.0f came", what, is, was)
		if is < .95*was || is > 1.05*was {
			t.Errorf("%s: %.0f made of samples, %.0f came", what, is, was)
		}
	}
	near("requests", float64(made.requests), float64(came.requests))
	near("prompt tokens a request", float64(made.input)/float64(made.requests), float64(came.input)/float64(came.requests))
	near("output tokens a request", float64(made.output)/float64(made.requests), float64(came.output)/float64(came.requests))
}

// fitsRecorded: a profile out of the recording, usable at once.
func fitsRecorded(t *testing.T, file string) {
	profile := filepath.Join(t.TempDir(), "p.json")
	code, stdout, stderr := call(t, "--fit", file, "--out", profile)
	if code != 0 || !strings.Contains(stdout, "on what it has not seen") {
		t.Fatalf("exit %d, %s %s", code, stdout, stderr)
	}
	if code, _, stderr := call(t, "--recorded", file, "--engine", profile, "--policy", "static:replicas=4"); code != 0 {
		t.Error(stderr)
	}
}

func refusesRecorded(t *testing.T, file string) {
	if code, _, stderr := call(t, "--recorded", file, "--revision", "default/other"); code != exitUsage || !strings.Contains(stderr, "default/llm-00001") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, stdout, stderr := call(t, "--recorded", file, "--policy", "static:replicas=9", "--scale", "2"); code != 0 || !strings.Contains(stdout, "come out as they were recorded") {
		t.Errorf("exit %d, %s %s", code, stdout, stderr)
	}
}
