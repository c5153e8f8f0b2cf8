package slo

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The tests in this file compare what is computed fast with a simple oracle.

// randomOutcomes are requests under random loads, with more misses at higher ones.
func randomOutcomes(r *rand.Rand) (o missCurve) {
	for range r.IntN(40) {
		load := r.Float64() * 1.5
		seen := math.Floor(r.ExpFloat64() * 200)
		o.Outcomes.add(load, seen, seen*min(1, r.Float64()*load))
	}
	return o
}

// TestCurve_againstAGrid sums the posterior up over the family, without tables,
// running maxima or pruning.
func TestCurve_againstAGrid(t *testing.T) {
	compared := 0
	for seed := range uint64(50) {
		o := randomOutcomes(rand.New(rand.NewPCG(seed, 1)))
		all := o.Outcomes.byLoad(1)
		want, sum := curve{}, 0.0
		for w := range widths {
			for f := range floors {
				for c := firstCentre; c < firstCentre+centres; c++ {
					centre := (float64(c) + 0.5) * loadStep
					miss := func(i int) float64 {
						x := (float64(i-c) * loadStep) / widthOf(w)
						return min(floorOf(f)+(1-floorOf(f))/(1+math.Exp(-x)), maxMiss)
					}
					logLikelihood := -math.Pow((centre-priorCentre)/priorSpread, 2)/2 - floorPenalty*float64(f) - widthPenalty*float64(w)
					for i := range endLikelihood {
						if all.seen[i] > minSeen {
							logLikelihood += likelihoodWeight * (all.missed[i]*math.Log(miss(i)) + (all.seen[i]-all.missed[i])*math.Log(1-miss(i)))
						}
					}
					weight := math.Exp(logLikelihood + 300) // the likelihood of any curve here is above e^-1000
					sum += weight
					want.floor += weight * floorOf(f)
					for i := range want.miss {
						want.miss[i] += weight * miss(i)
					}
				}
			}
		}
		if sum == 0 || math.IsInf(sum, 0) {
			continue // the oracle is too slow for more requests
		}
		compared++
		got := o.estimate(1)
		for i := range got.miss {
			if math.Abs(got.miss[i]-want.miss[i]/sum) > 1e-3 {
				t.Fatalf("seed %d: %v missed at step %d, want %v", seed, got.miss[i], i, want.miss[i]/sum)
			}
		}
		if math.Abs(got.floor-want.floor/sum) > 1e-3 {
			t.Errorf("seed %d: floor %v, want %v", seed, got.floor, want.floor/sum)
		}
	}
	if compared < 25 {
		t.Errorf("only %d curves could be compared", compared)
	}
}

// TestFewest_againstALinearScan tries every number of replicas in steps of 0.01.
func TestFewest_againstALinearScan(t *testing.T) {
	compared := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		o := randomOutcomes(r)
		m := o.estimate(1)
		share := max(m.floor*1.5, []float64{0.007, 0.05, 0.2}[r.IntN(3)])
		loads := make([]float64, 1+r.IntN(60))
		for i := range loads {
			loads[i] = r.ExpFloat64() * 100
		}
		perBin, queues := 20+r.Float64()*100, r.IntN(2) == 0
		want := 0.0
		for n := 0.01; n < 400; n += 0.01 {
			if missed(loads, perBin*n, &m, queues) <= share {
				want = n
				break
			}
		}
		if want == 0 {
			continue // no number of replicas reaches the share
		}
		compared++
		if got := fewest(loads, perBin, &m, share, queues); math.Abs(got-want) > 0.11+want*0.006 {
			t.Errorf("seed %d: %.2f replicas, a scan finds %.2f", seed, got, want)
		}
	}
	if compared < 30 {
		t.Errorf("only %d plans could be compared", compared)
	}
}

// TestStepTime_againstAClosedForm solves the same regularized normal equations by
// elimination, where no coefficient is at its limit.
func TestStepTime_againstAClosedForm(t *testing.T) {
	compared := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		prior, context := defaultPrior(), 500+r.Float64()*2000
		a, b, c := 0.5+2*r.Float64(), 0.5+2*r.Float64(), 0.5+2*r.Float64()
		var f regression
		for range 100 {
			others, prompt := r.Float64()*100, r.Float64()*3000 // running beside it, prompt tokens per second
			base := a*prior.Base + b*(prior.Sequence+prior.KVToken*context)*(1+others)
			step := base / max(1-c*prior.PromptToken*prompt, 0.2)
			gaps := 1000 + r.Float64()*2000
			d := sample{gaps: gaps, gapSum: gaps * step, seconds: gaps * step / max(others, 0.01), prompt: 1}
			d.prompt = prompt * d.seconds
			f.add(prior, d, context)
		}
		got, clamped := f.estimate()
		if clamped {
			continue
		}
		compared++
		ridge := priorSamples * (f.A[0] + f.A[3] + f.A[5]) / f.Samples / 30
		want := eliminate([3][4]float64{
			{f.A[0] + ridge, f.A[1], f.A[2], f.B[0] + ridge},
			{f.A[1], f.A[3] + ridge, f.A[4], f.B[1] + ridge},
			{f.A[2], f.A[4], f.A[5] + ridge, f.B[2] + ridge},
		})
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-3*math.Abs(want[i]) {
				t.Errorf("seed %d: coefficients %v, want %v", seed, got, want)
				break
			}
		}
	}
	if compared < 30 {
		t.Errorf("only %d regressions could be compared", compared)
	}
}

// eliminate solves three equations with their right side in the last column.
func eliminate(m [3][4]float64) (x [3]float64) {
	for i := range m {
		for j := i + 1; j < 3; j++ {
			k := m[j][i] / m[i][i]
			for c := range m[j] {
				m[j][c] -= k * m[i][c]
			}
		}
	}
	for i := 2; i >= 0; i-- {
		x[i] = m[i][3]
		for j := i + 1; j < 3; j++ {
			x[i] -= m[i][j] * x[j]
		}
		x[i] /= m[i][i]
	}
	return x
}
