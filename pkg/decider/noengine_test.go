package decider

import (
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

func TestBareNeed_isKnativesDefault(t *testing.T) {
	nan := float64(Unknown())
	for _, c := range []struct {
		name                string
		stable, burst, want float64
	}{
		{"a full replica", 70, 70, 1},
		{"five", 350, 350, 5},
		{"a rare request", 0.01, 0.01, 0.1},
		{"at rest", 0, 0, 0},
		{"the rounding of an average", -1e-9, -1e-9, 0},
		{"a burst of less than panic", 70, 130, 1},
		{"a panic", 70, 700, 10},
		{"the panic window unknown", 140, nan, 2},
		{"unknown", nan, nan, nan},
		{"negative", -5, -5, nan},
		{"absurd", 1e12, 1e12, nan},
	} {
		obs := Observation{Ready: 1, Concurrency: Windowed{Reading(c.stable), Reading(c.burst)}}
		got := needWithoutEngine(Spec{PanicThreshold: 3}, obs)
		if math.IsNaN(c.want) != math.IsNaN(got) || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A container concurrency of 10 makes it 7 a replica.
func TestBareNeed_ofAnotherTarget(t *testing.T) {
	obs := Observation{Ready: 1, Concurrency: Windowed{70, 70}}
	if got := needWithoutEngine(Spec{PanicThreshold: 30, SLO: Objective{FallbackConcurrency: 7}}, obs); got != 10 {
		t.Errorf("70 in flight at 7 each: %v, want 10", got)
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
