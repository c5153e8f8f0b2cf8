package decider_test

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Two Ready pods are to hold the KV cache at 70 %, and use 91 %.
func ExampleDecide() {
	spec := decider.Spec{
		Targets:     []decider.Target{{Metric: decider.KVCache, Value: 70}},
		MinReplicas: 1, MaxReplicas: 8, Reachable: true, StableWindow: time.Minute,
		MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Tolerance: 0.1, StartupDeadline: 10 * time.Minute,
	}
	observation := decider.Observation{
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Replicas: 2, Ready: 2,
		Pods: []decider.Pod{{Name: "a", KVCache: 95}, {Name: "b", KVCache: 87}},
	}
	decision, state, err := decider.Decide(spec, decider.State{}, observation)
	fmt.Println(decision.Replicas, decision.Why(), err)

	// What cannot be measured is unknown, not zero: nothing moves.
	observation.Time, observation.Replicas = observation.Time.Add(2*time.Second), decision.Replicas
	observation.Pods[0].KVCache, observation.Pods[1].KVCache = decider.Unknown(), decider.Unknown()
	decision, _, err = decider.Decide(spec, state, observation)
	fmt.Println(decision.Replicas, decision.Why(), err)
	// Output:
	// 3 kv_cache_usage_percent is 91 (target 70) and needs 3 replicas. <nil>
	// 3 kv_cache_usage_percent is unknown (target 70). The count stays, because no metric has a value. <nil>
}
