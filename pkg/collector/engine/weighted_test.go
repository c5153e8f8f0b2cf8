package engine

import (
	"math"
	"testing"
)

// A share below 0 makes the whole unknown, also where the sum is 0 or less.
func TestWeighted_negativeIsUnknown(t *testing.T) {
	for _, values := range [][]float64{{0.9, -0.9}, {0.9, -1}, {0.9, -0.1}} {
		sum, squares := 0.0, 0.0
		for _, v := range values {
			sum, squares = sum+v, squares+square(v)
		}
		if got := weighted(len(values), sum, squares); !math.IsNaN(got) {
			t.Errorf("%v: %v, want NaN", values, got)
		}
	}
}
