package decider

import (
	"testing"
	"time"
)

// A pod that drains counts with its load and without its capacity: it is neither Ready,
// nor missing, nor coming.
func TestDecide_drainingPods(t *testing.T) {
	pod := func(phase Phase, running, kv float64) Pod {
		return Pod{Name: "p", Phase: phase, Age: time.Hour, Running: Reading(running), Waiting: 0, KVCache: Reading(kv), PromptTokens: Unknown(), GenerationTokens: Unknown()}
	}
	gone := pod(Draining, 0, 0)
	gone.Running, gone.KVCache = Unknown(), Unknown()
	for _, tt := range []struct {
		name   string
		target Target
		pods   []Pod
		want   int32
	}{
		{"their requests count", Target{Metric: Running, Value: 10}, []Pod{pod(Ready, 8, 0), pod(Draining, 9, 0), pod(Draining, 9, 0)}, 3},
		{"their KV cache does not", Target{Metric: KVCache, Value: 70}, []Pod{pod(Ready, 0, 70), pod(Draining, 0, 99)}, 1},
		{"one that cannot be read is not assumed full", Target{Metric: Running, Value: 10}, []Pod{pod(Ready, 2, 0), gone}, 1},
	} {
		spec, obs := steady(1, tt.target.Metric)
		spec.Targets, obs.Pods, obs.Ready, obs.Replicas = []Target{tt.target}, tt.pods, 1, 1
		obs.Concurrency = Windowed{Stable: 26, Panic: 26}
		d, _, err := Decide(spec, State{}, obs)
		if err != nil || d.Replicas != tt.want {
			t.Errorf("%s: %d replicas, want %d: %v %v", tt.name, d.Replicas, tt.want, d, err)
		}
	}
}
