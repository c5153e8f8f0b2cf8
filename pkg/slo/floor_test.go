package slo

import (
	"testing"
	"time"
)

func TestOutOfReach(t *testing.T) {
	o := Objective{TTFT: 200 * time.Millisecond, ITL: 50 * time.Millisecond, Goal: 0.99}
	for _, tt := range []struct {
		name   string
		parts  Parts
		before bool
		want   Reach
	}{
		{"not learned yet", Parts{Attainment: 0.5, Floor: 0.003}, false, Reach{}},
		{"unknown", Parts{Attainment: Unknown(), Floor: Unknown(), FloorTTFT: Unknown(), FloorITL: Unknown()}, true, Reach{}},
		{"in reach", Parts{FloorTTFT: 0.19, FloorITL: 0.02, Attainment: 0.98, Floor: 0.012}, false, Reach{}},
		{"a long prompt", Parts{FloorTTFT: 0.2, FloorITL: 0.02, Attainment: 0, Floor: 0.003}, false, Reach{TTFT: true}},
		{"a long prompt among short ones", Parts{FloorTTFT: 0.2, FloorITL: 0.02, Attainment: 0.8, Floor: 0.003}, false, Reach{}},
		{"a slow step", Parts{FloorTTFT: 0.1, FloorITL: 0.05, Attainment: 0, Floor: 0.003}, false, Reach{ITL: true}},
		{"beside the limit, as before", Parts{FloorTTFT: 0.185, FloorITL: 0.046, Attainment: 0.52}, true, Reach{TTFT: true, ITL: true}},
		{"in reach again", Parts{FloorTTFT: 0.17, FloorITL: 0.044}, true, Reach{}},
		{"some requests at any load", Parts{Floor: 0.08, Attainment: 0.93}, false, Reach{Misses: true}},
		{"and the goal was met all the same", Parts{Floor: 0.08, Attainment: 0.995}, false, Reach{}},
		{"beside the goal, as before", Parts{Floor: 0.012, Attainment: 0.985}, true, Reach{Misses: true}},
	} {
		if got := tt.parts.OutOfReach(o, tt.before); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// The engine of a worked example: a step takes 11 ms, the mean prompt 70 ms.
func TestReachesTTFT(t *testing.T) {
	b := bin{attainment: 0.3, unloaded: capacity{base: 0.011, prompt: 0.07}.unloaded()}
	for bound, want := range map[float64]bool{2: true, 0.082: true, 0.081: false, 0.02: false} {
		if b.ttft = bound; b.reachesTTFT() != want {
			t.Errorf("a bound of %v s: reached %t, want %t", bound, !want, want)
		}
	}
	for _, met := range []Reading{0.5, 0.99, Unknown()} {
		if b.ttft, b.attainment = 0.02, met; !b.reachesTTFT() {
			t.Errorf("out of reach although %v met the objective", met)
		}
	}
	if b := (bin{ttft: 0.001}); !b.reachesTTFT() {
		t.Error("out of reach before anything was learned")
	}
}
