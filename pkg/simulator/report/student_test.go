package report

import (
	"math"
	"math/rand/v2"
	"testing"
)

// density is Student's t.
func density(degrees, x float64) float64 {
	a, _ := math.Lgamma((degrees + 1) / 2)
	b, _ := math.Lgamma(degrees / 2)
	return math.Exp(a-b-(degrees+1)/2*math.Log1p(x*x/degrees)) / math.Sqrt(degrees*math.Pi)
}

// The quantiles of the confidence intervals, against the density integrated by Simpson's rule.
func TestStudent_againstTheDensity(t *testing.T) {
	for degrees := 1; degrees <= 200; degrees++ {
		const steps = 2_000
		end := student(degrees)
		h, sum := end/steps, 0.0
		for i := range steps {
			x := float64(i) * h
			sum += h / 6 * (density(float64(degrees), x) + 4*density(float64(degrees), x+h/2) + density(float64(degrees), x+h))
		}
		if got := .5 + sum; math.Abs(got-.975) > .0002 {
			t.Errorf("%d degrees of freedom: %.4f of the values are below %v, want 0.975", degrees, got, end)
		}
	}
}

// 95 % of the intervals contain the true mean, for as many seeds as people run.
func TestEstimate_coversTheMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, seeds := range []int{2, 3, 5, 20} {
		const tries = 4000
		covered := 0
		for range tries {
			values := make([]float64, seeds)
			for i := range values {
				values[i] = 7 + 3*rng.NormFloat64()
			}
			if e := estimate(values); math.Abs(e.Mean-7) <= e.Half {
				covered++
			}
		}
		if share := float64(covered) / tries; math.Abs(share-.95) > .012 {
			t.Errorf("%d seeds: %.3f of the intervals contain the mean, want 0.95", seeds, share)
		}
	}
}
