package slo_test

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// Four replicas serve 8 requests a second of 1,000 prompt and 200 further tokens
// for half an hour. Two would do.
func ExampleNext() {
	objective := slo.Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var state *slo.State
	var need slo.Need
	requests := 0.0 // of one pod
	for range 180 {
		now, requests = now.Add(10*time.Second), requests+20
		n := slo.Reading(requests)
		engine := slo.Totals{
			Known: true, KVCapacity: 420_000, Finished: n, PromptTokens: 1000 * n, GenerationTokens: 200 * n, Steps: 56 * n,
			Preemptions: 0, CachedTokens: 0, E2E: slo.Histogram{Count: slo.Unknown()},
			TTFT: slo.Histogram{Bounds: []float64{1, 2, 5}, Counts: []float64{requests, requests, requests}, Count: n},
			ITL:  slo.Histogram{Count: 199 * n, Sum: 199 * n * 0.0138},
		}
		in := slo.Input{Time: now, Replicas: 4, Ready: 4, Arrivals: 4 * n, RPS: 8, InFlight: 22, Queued: 0}
		for _, name := range []string{"a", "b", "c", "d"} {
			in.Pods = append(in.Pods, slo.Pod{Name: name, ReadyAfter: time.Minute, Running: 5, KVCache: 1, Totals: &engine})
		}
		need, state = slo.Next(objective, state, in)
	}
	p := need.Parts
	fmt.Printf("%.1f replicas for %.0f requests/s; one sustains %.1f requests/s, limited by %s; settled %v\n",
		need.Replicas, p.Demand, p.CapacityRPS, p.Limit, need.Settled)
	// Output: 1.6 replicas for 8 requests/s; one sustains 4.9 requests/s, limited by ITL; settled true
}
