package checkpoint

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// FuzzDecode reads states that somebody else wrote. From what is accepted three
// decisions are made within their limits, and what they leave is stored and read again.
func FuzzDecode(f *testing.F) {
	spec := decider.Spec{
		Targets:     []decider.Target{{Metric: decider.SLO}, {Metric: decider.Concurrency, Value: 5}, {Metric: decider.KVCache, Value: 70}},
		SLO:         decider.Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99},
		MaxReplicas: 9, Reachable: true, StableWindow: time.Minute, PanicThreshold: 2,
		MaxScaleUpRate: 10, MaxScaleDownRate: 2, Tolerance: 0.1, StartupDeadline: time.Hour,
	}
	text := func(s decider.State) (string, error) {
		b, err := json.Marshal(Saved{Version: version, Revision: rev.Namespace + "/" + rev.Name, UID: "u", At: now, State: s})
		return string(b), err
	}
	_, learned, err := decider.Decide(spec, decider.State{}, fleetAt(now))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []decider.State{{}, learned} {
		seed, err := text(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		saved, err := decode(stored, rev, "u", now)
		if err != nil {
			return
		}
		state := saved.State
		for i := range 3 {
			d, next, err := decider.Decide(spec, state, fleetAt(now.Add(time.Duration(i)*8*time.Second)))
			if err != nil || d.Replicas < 0 || d.Replicas > spec.MaxReplicas {
				t.Fatalf("%v, %v from %s", d, err, stored)
			}
			state = next
		}
		again, err := text(state)
		if err != nil {
			t.Fatalf("what three decisions made of %s cannot be stored: %v", stored, err)
		}
		if _, err := decode(again, rev, "u", now); err != nil && len(again) <= maxSize {
			t.Fatalf("what three decisions made of %s is not read again: %v", stored, err)
		}
	})
}

func fleetAt(at time.Time) decider.Observation {
	n := at.Sub(now).Seconds()
	busy := decider.Pod{Name: "a", Running: 3, Waiting: 9, KVCache: 80, Totals: decider.Totals{
		Known: true, PromptTokens: decider.Reading(1000 + 90*n), GenerationTokens: decider.Reading(200 + 40*n), Finished: decider.Reading(2 + n),
		TTFT: decider.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{2 + n, 2 + n}, Count: decider.Reading(2 + n), Sum: 4},
		ITL:  decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}, E2E: decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()},
	}}
	return decider.Observation{
		Time: at, Replicas: 2, Ready: 1, Concurrency: decider.Windowed{Stable: 9, Panic: 30}, RPS: decider.Windowed{Stable: 3, Panic: 3},
		InFlight: 9, Arrivals: decider.Reading(70 + n), Queued: 2,
		Pods: []decider.Pod{busy, {Name: "b", Phase: decider.Starting, Age: 2 * time.Minute}},
	}
}
