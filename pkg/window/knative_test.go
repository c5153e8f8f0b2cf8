package window

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"knative.dev/serving/pkg/autoscaler/aggregation"
	aggmax "knative.dev/serving/pkg/autoscaler/aggregation/max"
	"knative.dev/serving/pkg/autoscaler/config"
)

// near allows what is left of rounding: Knative keeps a running total, Mean
// adds its buckets up.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 2e-6*max(1, math.Abs(a), math.Abs(b))
}

// jump is a step of time as a collector sees them: mostly about a second,
// sometimes a gap, rarely longer than any window.
func jump(r *rand.Rand) time.Duration {
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return time.Duration(r.IntN(40)) * time.Second
	case 2:
		return time.Duration(r.IntN(200)) * time.Second
	}
	return time.Duration(r.IntN(2500)) * time.Millisecond
}

// TestMean_answersAsKnative walks both windows through the same hours. The
// bubble's clock is what Knative's ResizeWindow reads.
func TestMean_answersAsKnative(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			window := time.Duration(6+r.IntN(90)) * time.Second
			granularity := time.Duration(1+r.IntN(3)) * time.Second
			linear := aggregation.NewTimedFloat64Buckets(window, granularity)
			weighted := aggregation.NewWeightedFloat64Buckets(window, granularity)
			m := NewMean(window, granularity)
			for step := range 2000 {
				time.Sleep(jump(r))
				now := time.Now()
				if r.IntN(100) == 0 {
					window = time.Duration(6+r.IntN(90)) * time.Second
					linear.ResizeWindow(window)
					weighted.ResizeWindow(window)
					m.Resize(now, window)
				}
				if r.IntN(5) > 0 {
					at := now.Add(-time.Duration(max(0, r.IntN(60)-50)) * time.Second)
					v := math.Round(r.Float64()*1e4) / 1e2
					linear.Record(at, v)
					weighted.Record(at, v)
					m.Record(at, v)
				}
				if r.IntN(50) == 0 {
					m = reread(t, m)
				}
				if got, want := m.IsEmpty(now), linear.IsEmpty(now); got != want {
					t.Fatalf("seed %d step %d: IsEmpty = %v, want %v", seed, step, got, want)
				}
				if got, want := m.WindowAverage(now), linear.WindowAverage(now); !near(got, want) {
					t.Fatalf("seed %d step %d: WindowAverage = %v, want %v", seed, step, got, want)
				}
				if got, want := m.WeightedAverage(now), weighted.WindowAverage(now); !near(got, want) {
					t.Fatalf("seed %d step %d: WeightedAverage = %v, want %v", seed, step, got, want)
				}
			}
		})
	}
}

// TestMax_answersAsKnative also keeps an old copy every few steps: recording
// into its successors must not change it.
func TestMax_answersAsKnative(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		window := time.Duration(1+r.IntN(120)) * time.Second
		granularity := time.Duration(1+r.IntN(3)) * time.Second
		theirs, ours := aggmax.NewTimeWindow(window, granularity), NewMax(window, granularity)
		now := time.Unix(1_700_000_000, 0)
		var kept Max
		var keptJSON string
		for step := range 1000 {
			now = now.Add(jump(r))
			v := r.Int32N(1 + r.Int32N(30))
			theirs.Record(now, v)
			ours = ours.Record(now, v)
			if got, want := ours.Current(), theirs.Current(); got != want {
				t.Fatalf("seed %d step %d: Current = %d, want %d", seed, step, got, want)
			}
			if entries := len(ours.older) + 1; entries > bucketCount(window, granularity) {
				t.Fatalf("seed %d step %d: %d entries in a window of %v by %v", seed, step, entries, window, granularity)
			}
			if text := jsonOf(t, kept); keptJSON != "" && text != keptJSON {
				t.Fatalf("seed %d step %d: an old copy changed from %s to %s", seed, step, keptJSON, text)
			}
			if r.IntN(7) == 0 {
				kept, keptJSON = ours, jsonOf(t, ours)
				ours.Record(now, v-1)
				ours.Record(now.Add(time.Hour), v)
			}
			if r.IntN(50) == 0 {
				var again Max
				if err := json.Unmarshal([]byte(jsonOf(t, ours)), &again); err != nil {
					t.Fatal(err)
				}
				ours = again
			}
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func reread(t *testing.T, m *Mean) *Mean {
	t.Helper()
	var again Mean
	if err := json.Unmarshal([]byte(jsonOf(t, m)), &again); err != nil {
		t.Fatal(err)
	}
	return &again
}

// The windows are those that Knative's autoscaler has without any setting.
func TestKnativeWindows(t *testing.T) {
	c, err := config.NewConfigFromMap(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.StableWindow != KnativeStable || time.Duration(c.PanicWindowPercentage/100*float64(c.StableWindow)) != KnativePanic {
		t.Errorf("Knative has %v and %v %%, want %v and %v", c.StableWindow, c.PanicWindowPercentage, KnativeStable, KnativePanic)
	}
}
