package decider

import (
	"fmt"
	"testing"
	"time"
)

// steady is a revision of n pods that carries its targets.
func steady(n int, metrics ...Metric) (Spec, Observation) {
	spec := Spec{
		MinReplicas: 1, Reachable: true, StableWindow: time.Minute, PanicThreshold: 2, MaxScaleUpRate: 1000,
		MaxScaleDownRate: 2, Tolerance: 0.1, StartupDeadline: 10 * time.Minute, EarlyPanic: true,
		SLO: Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99},
	}
	for _, m := range metrics {
		spec.Targets = append(spec.Targets, Target{m, 10})
	}
	load := Windowed{Reading(10 * n), Reading(10 * n)}
	obs := Observation{
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Replicas: int32(n), Ready: int32(n),
		Concurrency: load, RPS: load, InFlight: Reading(10 * n),
	}
	for i := range n {
		obs.Pods = append(obs.Pods, Pod{Name: fmt.Sprint("pod-", i), Age: time.Hour, Running: 10, Waiting: 10, KVCache: 10, PromptTokens: 10, GenerationTokens: 10})
	}
	return spec, obs
}

// work adds what n pods do in two seconds, 5 requests/s each, to their counters.
func work(obs *Observation) {
	obs.Arrivals += Reading(10 * len(obs.Pods))
	for i := range obs.Pods {
		t := &obs.Pods[i].Totals
		t.Known, t.KVCapacity = true, 420_000
		t.Finished, t.PromptTokens, t.GenerationTokens, t.Steps = t.Finished+10, t.PromptTokens+10_000, t.GenerationTokens+2000, t.Steps+80
		t.TTFT.Bounds, t.TTFT.Counts, t.TTFT.Count = []float64{2}, []float64{float64(t.Finished)}, t.Finished
		t.ITL.Count, t.ITL.Sum = t.GenerationTokens, t.GenerationTokens*0.025
	}
}

// The command: go test ./pkg/decider -run=^$ -bench=. -benchmem -count=10
func BenchmarkDecide(b *testing.B) {
	for _, metrics := range [][]Metric{
		{Concurrency}, {KVCache}, {Concurrency, Waiting, KVCache, GenerationTokens}, {SLO},
	} {
		for _, pods := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("first=%s/targets=%d/pods=%d", metrics[0], len(metrics), pods), func(b *testing.B) {
				spec, obs := steady(pods, metrics...)
				var st State
				b.ReportAllocs()
				for b.Loop() {
					obs.Time = obs.Time.Add(2 * time.Second)
					if metrics[0] == SLO {
						work(&obs)
					}
					_, next, err := Decide(spec, st, obs)
					if err != nil {
						b.Fatal(err)
					}
					st = next
				}
			})
		}
	}
}

// TestDecide_allocates holds the budget: one slice of wants, one of memories.
func TestDecide_allocates(t *testing.T) {
	for _, m := range []Metric{Concurrency, RPS, Waiting, KVCache} {
		spec, obs := steady(8, m)
		spec.ScaleDownDelay = time.Minute
		var st State
		n := testing.AllocsPerRun(100, func() {
			obs.Time = obs.Time.Add(2 * time.Second)
			_, st, _ = Decide(spec, st, obs)
		})
		if n > 2 {
			t.Errorf("%s: %v allocations per decision, want at most 2", m, n)
		}
	}
}
