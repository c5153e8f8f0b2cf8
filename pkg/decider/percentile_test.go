package decider

import (
	"math"
	"testing"
)

func TestPercentile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, tt := range []struct {
		counts       []float64
		q            float64
		value, count float64
	}{
		{nil, .95, 0, 0},
		{[]float64{0, 0, 0, 0}, .95, 0, 0},
		{[]float64{10, 0, 0, 0}, .5, .5, 10},
		{[]float64{50, 50, 0, 0}, .75, 1.5, 100},
		{[]float64{0, 0, 0, 3}, .95, 4, 3}, // above all bounds
		{[]float64{0, 2}, 1, 2, 2},
		{[]float64{0, 2, 0, 0, 99}, 1, 2, 2}, // beyond the buckets
		{[]float64{math.NaN(), 1, 0, 0}, .5, 0, 0},
	} {
		if v, n := Percentile(bounds, tt.counts, tt.q); v != tt.value || n != tt.count {
			t.Errorf("Percentile(%v, %v) = %v of %v, want %v of %v", tt.counts, tt.q, v, n, tt.value, tt.count)
		}
	}
	if v, n := Percentile(nil, []float64{3}, .5); v != 0 || n != 0 {
		t.Errorf("without buckets: %v of %v", v, n)
	}
}
