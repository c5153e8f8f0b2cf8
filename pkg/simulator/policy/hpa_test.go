package policy

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// TestHPA_replicas has the rows that Kubernetes documents: ceil of current
// times ratio, nothing within the tolerance, and pods without a value
// completed so that they damp the change.
func TestHPA_replicas(t *testing.T) {
	kv := func(values ...float64) decider.Observation { return observe(0, decider.KVCache, values...) }
	unknownOne := func(obs decider.Observation) decider.Observation {
		obs.Pods[len(obs.Pods)-1].KVCache = decider.Unknown()
		return obs
	}
	pending := func(obs decider.Observation) decider.Observation {
		obs.Pods[len(obs.Pods)-1].Unschedulable = true
		return obs
	}
	load := func(concurrency float64, pods int) decider.Observation {
		obs := observe(0, "none", make([]float64, pods)...)
		obs.Concurrency.Stable = decider.Reading(concurrency)
		return obs
	}
	for _, row := range []struct {
		name, spec string
		obs        decider.Observation
		want       int32
	}{
		{"above", "hpa", kv(90, 90, 90), 4}, // 3*90/70 = 3.86
		{"within the tolerance", "hpa", kv(76, 77, 77), 3},
		{"just above it", "hpa", kv(78, 78, 78), 4},
		{"below", "hpa:down-window=0s", kv(20, 20, 20), 1}, // 0.86
		{"held for the window", "hpa", kv(20, 20, 20), 3},
		{"missing damps up", "hpa", starting(kv(90, 90, 90), 2), 5},        // 270/5 of 70 turns the direction
		{"missing counts as 0 up", "hpa", unknownOne(kv(100, 100, 95)), 3}, // 200/3 = 66.7 of 70 is within
		{"missing counts as the target down", "hpa:down-window=0s", unknownOne(kv(20, 20, 20)), 2},
		{"pending counts as 0 up", "hpa:target=40", pending(starting(kv(100, 100), 1)), 5}, // 200/3 of 40
		{"pending is left out down", "hpa:down-window=0s", pending(starting(kv(20, 20, 20, 20), 1)), 2},
		{"growth is bounded", "hpa:target=1", kv(100, 100), 6},                  // 2+4
		{"growth of many is bounded", "hpa:target=1", kv(9, 9, 9, 9, 9, 9), 12}, // twice
		{"of no value", "hpa", starting(kv(), 3), 3},
		{"object metric", "hpa:metric=concurrency,target=8", load(100, 10), 13},
		{"object metric within", "hpa:metric=concurrency,target=10", load(109, 10), 10},
		{"object metric unknown", "hpa:metric=rps", load(100, 4), 4},
	} {
		if got := want(t, newPolicy(t, row.spec), row.obs); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// TestHPA_stabilization lowers the count five minutes after it was last wanted.
func TestHPA_stabilization(t *testing.T) {
	p := newPolicy(t, "hpa")
	want(t, p, observe(0, decider.KVCache, 70, 70, 70))
	for at := hpaSync; at <= 10*time.Minute; at += hpaSync {
		expected := int32(3)
		if at >= 5*time.Minute {
			expected = 1
		}
		if got := want(t, p, observe(at, decider.KVCache, 20, 20, 20)); got != expected {
			t.Fatalf("after %v: %d, want %d", at, got, expected)
		}
	}
}
