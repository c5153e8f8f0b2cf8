package policy

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// engines is a fleet with KV use in percent and waiting requests, 1000 tokens
// of KV cache each, that has served 10 requests of 100 and 50 tokens a minute.
func engines(at time.Duration, kv, waiting []float64) decider.Observation {
	obs := observe(at, decider.KVCache, kv...)
	requests := decider.Reading(at.Minutes() * 10)
	for i := range obs.Pods {
		obs.Pods[i].Waiting = decider.Reading(waiting[i])
		obs.Pods[i].Totals = decider.Totals{
			Known: true, Finished: requests, PromptTokens: 100 * requests, CachedTokens: 0, GenerationTokens: 50 * requests, KVCapacity: 1000,
		}
	}
	return obs
}

// settled is the answer when the windows are full; until then nothing changes.
func settled(t *testing.T, spec string, obs decider.Observation) int32 {
	t.Helper()
	p := newPolicy(t, spec)
	if got := want(t, p, obs); got != obs.Replicas {
		t.Errorf("%d at first, want no change before the windows are full", got)
	}
	obs.Time = obs.Time.Add(wvaMeans)
	return want(t, p, obs)
}

func TestWVA_percentages(t *testing.T) {
	pods := func(kv ...float64) decider.Observation { return engines(0, kv, make([]float64, len(kv))) }
	for _, row := range []struct {
		name string
		obs  decider.Observation
		want int32
	}{
		{"little KV to spare", pods(72, 72), 3},                                  // 0.80-0.72 < 0.10
		{"enough, but not for one less", pods(50, 50), 2},                        // 2/1*0.5 > 0.7
		{"safe with one less", pods(30, 30), 1},                                  // 0.6
		{"the queue is near", engines(0, []float64{10, 10}, []float64{3, 3}), 3}, // 5-3 < 3
		{"all saturated", pods(90, 90), 3},
		{"a saturated one is left out", pods(95, 20, 20), 2},
		{"one that starts blocks", starting(pods(90, 90), 1), 3},
		{"a single one stays", pods(10), 1},
	} {
		if got := settled(t, "wva:version=1,hpa=false", row.obs); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// TestWVA_tokens has rows of version 2 with a capacity of k1 = 800 tokens a
// replica, while the token means are not known yet.
func TestWVA_tokens(t *testing.T) {
	pods := func(kv ...float64) decider.Observation { return engines(0, kv, make([]float64, len(kv))) }
	queued := func(obs decider.Observation, n float64) decider.Observation {
		obs.Queued = decider.Reading(n)
		return obs
	}
	for _, row := range []struct {
		name, spec string
		obs        decider.Observation
		want       int32
	}{
		{"above", "wva:hpa=false", pods(75, 75), 3},                                // 1500/0.85 - 1600 = 165
		{"between", "wva:hpa=false", pods(60, 60), 2},                              // 1412; 1600-1714
		{"below", "wva:hpa=false", pods(20, 20, 20), 2},                            // 2400-857 = 1543, one whole replica
		{"one stays", "wva:hpa=false", pods(0, 0), 1},                              //
		{"starting count", "wva:hpa=false", starting(pods(75, 75), 1), 3},          // 1765 of 2400
		{"knobs", "wva:hpa=false,up=0.4,down=0.25", pods(50, 50), 4},               // 2500-1600
		{"queued of unknown length", "wva:hpa=false", queued(pods(60, 60), 40), 2}, //
		{"the HPA's tolerance", "wva", pods(50), 1},
		{"the HPA's policy", "wva:up=0.01,down=0.01", pods(90, 90), 12}, // 10 pods a sync
	} {
		if got := settled(t, row.spec, row.obs); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// TestWVA_learnsTheComputeBound sees 300 tokens resident with a queue of 5, and
// holds that as the capacity of outputs as long.
func TestWVA_learnsTheComputeBound(t *testing.T) {
	p := newPolicy(t, "wva:hpa=false")
	want(t, p, engines(0, []float64{30}, []float64{0}))
	want(t, p, engines(4*time.Minute, []float64{30}, []float64{0}))
	// 300 resident and 5 waiting of 100: 800/0.85 - 300 = 641, three more.
	if got := want(t, p, engines(5*time.Minute, []float64{30}, []float64{5})); got != 4 {
		t.Errorf("saturated: %d, want 4", got)
	}
	// The peak of the queue is past, the capacity is still 300: 1200/0.85 - 1200 = 212.
	if got := want(t, p, engines(7*time.Minute, []float64{30, 30, 30, 30}, make([]float64, 4))); got != 5 {
		t.Errorf("later: %d, want 5", got)
	}
}

// TestWVA_analysesEveryMinute keeps what it published between two analyses.
func TestWVA_analysesEveryMinute(t *testing.T) {
	p := newPolicy(t, "wva")
	for _, step := range []struct {
		at   time.Duration
		kv   float64
		want int32
	}{{0, 60, 2}, {5 * time.Minute, 60, 2}, {315 * time.Second, 99, 2}, {345 * time.Second, 99, 2}, {6 * time.Minute, 60, 3}, {375 * time.Second, 60, 3}} {
		if got := want(t, p, engines(step.at, []float64{step.kv, step.kv}, []float64{0, 0})); got != step.want {
			t.Errorf("at %v: %d, want %d", step.at, got, step.want)
		}
	}
}

func TestMedian(t *testing.T) {
	if a, b := median([]float64{5, 1, 3}), median([]float64{4, 1, 2, 9}); a != 3 || b != 3 {
		t.Errorf("%v and %v, want 3 and 3", a, b)
	}
}
