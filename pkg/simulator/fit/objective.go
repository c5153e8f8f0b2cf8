package fit

import (
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// What a mismatch costs. The means are what a profile is judged by, so they
// weigh most; single requests keep the search from right means for wrong reasons.
const (
	meanWeight    = 4.0
	requestWeight = 1.0
	// priorWeight is the cost of moving a coefficient by a factor of e.
	priorWeight = 0.0005
	// impossible is the cost of a profile that cannot serve the runs.
	impossible = 1e6
)

// metric is a latency of a request, in seconds; false where it has none.
type metric func(engine.Completion) (float64, bool)

func metrics() [3]metric {
	return [3]metric{
		func(c engine.Completion) (float64, bool) { return c.TTFT().Seconds(), true },
		func(c engine.Completion) (float64, bool) { return c.TPOT().Seconds(), c.Output > 1 },
		func(c engine.Completion) (float64, bool) { return c.E2E().Seconds(), true },
	}
}

// mismatch is the difference between a profile and the runs: 0 is none.
func mismatch(runs []Run, p engine.Profile) float64 {
	sum := 0.0
	for _, r := range runs {
		simulated, err := r.Simulate(p)
		if err != nil {
			return impossible
		}
		for _, m := range metrics() {
			sum += distance(r.Measured(), simulated, m)
		}
	}
	return sum / float64(len(runs))
}

// distance compares one metric: the logarithm of the ratio of the means, and
// the mean over requests of the difference relative to the mean, each at most 1,
// so that one odd request cannot lead the search.
func distance(measured, simulated []engine.Completion, of metric) float64 {
	var sumMeasured, sumSimulated, n float64
	for i := range measured {
		if m, ok := of(measured[i]); ok {
			s, _ := of(simulated[i])
			sumMeasured, sumSimulated, n = sumMeasured+m, sumSimulated+s, n+1
		}
	}
	if n == 0 || !(sumMeasured > 0) || !(sumSimulated > 0) {
		return 0
	}
	apart := 0.0
	for i := range measured {
		if m, ok := of(measured[i]); ok {
			s, _ := of(simulated[i])
			apart += min(math.Abs(s-m)/(0.2*sumMeasured/n+0.8*m), 1)
		}
	}
	bias := math.Log(sumSimulated / sumMeasured)
	return meanWeight*bias*bias + requestWeight*apart/n*apart/n
}
