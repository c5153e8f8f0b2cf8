package report

import "math"

// Estimate is a mean over seeds with half of its 95 % confidence interval,
// which is 0 for a single seed.
type Estimate struct{ Mean, Half float64 }

// estimate is by Student's t, for seeds are few.
func estimate(values []float64) Estimate {
	n := float64(len(values))
	if n == 0 {
		return Estimate{}
	}
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	if n == 1 {
		return Estimate{Mean: mean}
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return Estimate{mean, student(len(values)-1) * math.Sqrt(squares/(n-1)/n)}
}

// student is the 97.5 % quantile of Student's t. From 11 degrees on it is the
// first terms of its expansion in 1/n, within 0.003.
func student(degrees int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228}
	if degrees <= len(table) {
		return table[max(degrees, 1)-1]
	}
	const z = 1.959964
	n := float64(degrees)
	return z + (z*z*z+z)/(4*n) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*n*n)
}

// Summary is one policy over its seeds.
type Summary struct {
	Policy string
	// Knob and SweepOf are those of Run.
	Knob, SweepOf string
	Seeds         int
	Hindsight     bool
	Unsearched    bool
	SLO, GPUHours, Oracle, OracleRatio, Wasted, Operations, Reversals,
	P99TTFT, P99ITL, Recovery Estimate
}

// Summarize groups runs by policy, in the order in which they come.
func Summarize(runs []Run) []Summary {
	groups := map[string][]Run{}
	var order []string
	for _, r := range runs {
		if groups[r.Policy] == nil {
			order = append(order, r.Policy)
		}
		groups[r.Policy] = append(groups[r.Policy], r)
	}
	var all []Summary
	for _, policy := range order {
		all = append(all, summarize(groups[policy]))
	}
	return all
}

func summarize(runs []Run) Summary {
	over := func(of func(Run) float64) Estimate {
		var values []float64
		for _, r := range runs {
			values = append(values, of(r))
		}
		return estimate(values)
	}
	return Summary{
		Policy: runs[0].Policy, Knob: runs[0].Knob, SweepOf: runs[0].SweepOf, Seeds: len(runs),
		Hindsight: runs[0].Hindsight, Unsearched: runs[0].Unsearched,
		SLO:         over(func(r Run) float64 { return r.SLO }),
		GPUHours:    over(func(r Run) float64 { return r.GPUHours }),
		Oracle:      over(func(r Run) float64 { return r.OracleGPUHours }),
		OracleRatio: over(func(r Run) float64 { return r.OracleRatio }),
		Wasted:      over(func(r Run) float64 { return r.WastedGPUHours }),
		Operations:  over(func(r Run) float64 { return float64(r.ScaleOperations) }),
		Reversals:   over(func(r Run) float64 { return float64(r.Reversals) }),
		P99TTFT:     over(func(r Run) float64 { return r.P99TTFT }),
		P99ITL:      over(func(r Run) float64 { return r.P99ITL }),
		Recovery:    over(func(r Run) float64 { return r.Recovery }),
	}
}
