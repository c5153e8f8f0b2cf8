package policy

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// TestAPA_answers has rows of AIBrix's formula: the present count, starting
// pods included, times the ratio, at most doubled and at most halved.
func TestAPA_answers(t *testing.T) {
	kv := func(values ...float64) decider.Observation { return observe(0, decider.KVCache, values...) }
	for _, row := range []struct {
		name, spec string
		obs        decider.Observation
		want       int32
	}{
		{"above", "apa", kv(60, 60, 60), 4},         // 3*1.2
		{"within", "apa", kv(54, 54, 54), 3},        // 1.08
		{"doubled", "apa:target=10", kv(90, 90), 4}, // not 18
		{"below", "apa", kv(40, 40, 40, 40, 40), 4}, // 5*0.8
		{"halved", "apa", kv(1, 1, 1, 1, 1), 2},     // not 1
		{"compounds without the guard", "apa:pending-guard=false", starting(kv(90, 90), 2), 8},
		{"starting count as idle up", "apa", starting(kv(90, 90), 2), 4},       // 180/50 = 3.6
		{"starting count as full down", "apa", starting(kv(10, 10, 10), 2), 3}, // (30+100)/50
		{"one pod of no value", "apa", kv(60), 2},
	} {
		p := newPolicy(t, row.spec)
		if got := want(t, p, row.obs); got != row.obs.Replicas {
			t.Errorf("%s: %d at first, want no change before the window is full", row.name, got)
		}
		row.obs.Time = row.obs.Time.Add(3 * time.Minute)
		if got := want(t, p, row.obs); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// TestAPA_oneDipDecides shows the window down as AIBrix has it: the least
// recommendation of five minutes counts, so one dip halves the fleet later.
func TestAPA_oneDipDecides(t *testing.T) {
	p := newPolicy(t, "apa:window=1s")
	want(t, p, observe(0, decider.KVCache, 10, 10, 10, 10))
	want(t, p, observe(time.Second, decider.KVCache, 10, 10, 10, 10)) // 2
	if got := want(t, p, observe(4*time.Minute, decider.KVCache, 36, 36, 36, 36)); got != 2 {
		t.Errorf("%d, want the 2 of four minutes ago", got)
	}
	if got := want(t, p, observe(9*time.Minute, decider.KVCache, 30, 30, 30, 30)); got != 3 {
		t.Errorf("%d, want 3: what was is forgotten", got)
	}
}
