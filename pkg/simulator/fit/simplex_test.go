package fit

import (
	"math"
	"testing"
)

func TestMinimize(t *testing.T) {
	// Rosenbrock's valley, whose bottom is at 1, 1.
	valley := func(x []float64) float64 {
		return math.Pow(1-x[0], 2) + 100*math.Pow(x[1]-x[0]*x[0], 2)
	}
	if c := minimize(valley, []float64{-1.2, 1}, .5, 1000); math.Abs(c.at[0]-1) > .01 || math.Abs(c.at[1]-1) > .02 {
		t.Errorf("bottom at %v", c.at)
	}
	calls := 0
	minimize(func([]float64) float64 { calls++; return float64(-calls) }, []float64{0}, 1, 50)
	if calls > 60 {
		t.Errorf("%d evaluations of 50", calls)
	}
}
