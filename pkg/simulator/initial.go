package simulator

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

const (
	// firstMinutes is the part of the load that the first size is for.
	firstMinutes = 5 * time.Minute
	// firstRequests bounds what is held of it.
	firstRequests = 200_000
	// headroom is for what the means do not show.
	headroom = 1.25
)

// initial is the size for the busiest of the first minutes: its requests per
// second with 25 % more, over what one replica sustains of such requests.
func initial(cfg Config, first []trace.Request) int32 {
	var minutes [firstMinutes / time.Minute]int
	input, output := 0.0, 0.0
	for _, q := range first {
		minutes[min(q.Arrival/time.Minute, firstMinutes/time.Minute-1)]++
		input, output = input+float64(q.Input), output+float64(q.Output)
	}
	busiest := 0
	for _, n := range minutes {
		busiest = max(busiest, n)
	}
	if busiest == 0 {
		return cfg.Min
	}
	n := float64(len(first))
	perSecond := sustained(cfg.Engine, cfg.SLO, input/n, output/n)
	size := math.Ceil(headroom * float64(busiest) / 60 / perSecond)
	return int32(min(max(size, float64(cfg.Min)), float64(cfg.Max)))
}

// sustained is the requests per second that one replica holds within the SLO's
// ITL, by the steady state of its step time: with s seconds of work a request
// and a load of rho, a step takes a/(1-rho), and rate*output*a/(1-rho)
// requests decode.
func sustained(p engine.Profile, slo SLO, input, output float64) float64 {
	const us, most, full = 1e-6, 0.85, 0.9
	input, output = max(input, 1), max(output, 1)
	a, held := us*max(p.StepBase, p.ComputeBase), input+output/2
	s := us * (p.PerToken*input + p.PerTokenPair*input*input/2 + output*(p.PerSequence+p.PerKVToken*held))
	load := most
	if slo.ITL > 0 {
		load = min(load, max(1-a/slo.ITL.Seconds(), 0.05))
	}
	kv := full * float64(p.KVTokens)
	seqs := float64(p.MaxNumSeqs)
	return min(load/s, kv/(a*output*held+kv*s), seqs/(a*output+seqs*s))
}
