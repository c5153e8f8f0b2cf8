package decider

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// Without engine metrics slo decides as concurrency does, once a stable window has
// shown that no engine reports: the same counts for the same random load, with the
// default target and with a container concurrency of 10.
func TestSLOWithoutEngine_decidesAsConcurrency(t *testing.T) {
	for _, target := range []float64{70, 7} {
		for seed := range uint64(20) {
			plain := plainSpec()
			plain.StableWindow, plain.MaxReplicas = 10*time.Second, 100
			plain.Targets = []Target{{Concurrency, target}}
			spec := plain
			spec.Targets = []Target{{SLO, 99}}
			spec.SLO = Objective{TTFT: time.Second, ITL: time.Second, Goal: .99, FallbackConcurrency: target}
			obs := Observation{Time: time.Unix(1000, 0), Replicas: 1, Ready: 1, RPS: Windowed{Unknown(), Unknown()}, InFlight: Unknown(), Arrivals: Unknown(), Queued: Unknown()}
			random, load := rand.New(rand.NewPCG(seed, 1)), 0.
			var a, b State
			for step := range 300 {
				if random.IntN(10) == 0 {
					load = float64(random.IntN(5)) * random.Float64() * 1000
				}
				obs.Concurrency = Windowed{Reading(load * random.Float64()), Reading(load)}
				if random.IntN(20) == 0 {
					obs.Concurrency = Windowed{Unknown(), Unknown()}
				}
				var want, got Decision
				var err, err2 error
				want, a, err = Decide(plain, a, obs)
				got, b, err2 = Decide(spec, b, obs)
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				early := step < 6 && got.Replicas >= want.Replicas
				if got.Replicas != want.Replicas && !early || got.Panicking != want.Panicking {
					t.Fatalf("target %v, seed %d, step %d, load %v: slo says %v\nconcurrency says %v", target, seed, step, obs.Concurrency, got, want)
				}
				obs.Replicas, obs.Ready, obs.Time = got.Replicas, got.Replicas, obs.Time.Add(2*time.Second)
			}
		}
	}
}

// An engine that reports for the first time ends the panic mode of the requests in flight.
func TestSLOWithoutEngine_untilAnEngineReports(t *testing.T) {
	spec, obs := unreadable(500, SLO)
	d, st := over(t, 4*time.Second, spec, State{}, &obs)
	if !d.Panicking || d.Replicas != 8 || d.SLO.Limit != noEngineMetrics {
		t.Errorf("500 in flight at 70 each on two pods: %v", d)
	}
	obs.Pods[0].Running = 10
	if d, st = over(t, 2*time.Second, spec, st, &obs); d.Panicking || d.SLO.Limit == noEngineMetrics || !st.Targets[0].NoEngineSince.IsZero() {
		t.Errorf("an engine reports: %v", d)
	}
}

// TestNeedNow_roundingIsNotUnknown gives averages a trace below 0.
func TestNeedNow_roundingIsNotUnknown(t *testing.T) {
	obs := Observation{Time: time.Unix(1000, 0), Concurrency: Windowed{-1e-9, -1e-9}, Arrivals: Unknown(), RPS: Windowed{Unknown(), Unknown()}, Queued: -1e-9}
	if need, _ := slo.Next(Objective{TTFT: time.Second, ITL: time.Second, Goal: .99}, nil, sloInput(obs)); need.Replicas != 0 {
		t.Errorf("%v replicas, want 0", need.Replicas)
	}
	if q := queued(Observation{Queued: -1e-9}); q != 0 {
		t.Errorf("%v requests wait outside, want 0", q)
	}
	for _, absurd := range []Reading{-2, 1e12} {
		if q := sloInput(Observation{Queued: absurd}).Queued; q.Known() {
			t.Errorf("%v requests wait outside: %v", absurd, q)
		}
	}
}
