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
	// firstRequests bounds what is kept of it.
	firstRequests = 200_000
	// headroom is for what the means do not show.
	headroom = 1.25
)

// initial is the size for the busiest of the first minutes: its requests per
// second with 25 % more, over what one replica sustains of such requests.
func initial(cfg Config, first []trace.Request) int32 {
	var minutes [firstMinutes / time.Minute]float64
	var m mix
	for _, q := range first {
		if !cfg.Engine.Holds(q.Input, q.Output) {
			continue // it is refused, and no work
		}
		minutes[min(q.Arrival/time.Minute, firstMinutes/time.Minute-1)]++
		m.add(cfg.Engine, float64(max(q.Input, 1)), float64(max(q.Output, 1)))
	}
	busiest := 0.0
	for _, n := range minutes {
		busiest = max(busiest, n/60)
	}
	if busiest == 0 {
		return cfg.Min
	}
	size := math.Ceil(headroom * busiest / m.sustained(cfg.Engine, cfg.SLO) / cfg.fullRanks())
	return int32(min(max(size, float64(cfg.Min)), float64(cfg.Max)))
}

// mix sums up requests: work in seconds of one replica, the KV tokens they
// hold on average while they decode times how long they do, and output tokens.
type mix struct{ requests, work, held, output float64 }

func (m *mix) add(p engine.Profile, input, output float64) {
	held := input + output/2
	m.requests++
	m.work += 1e-6 * (p.PerToken*input + p.PerTokenPair*input*input/2 + output*(p.PerSequence+p.PerKVToken*held))
	m.held += output * held
	m.output += output
}

// sustained is the requests per second that one replica holds within the SLO's
// ITL, by the steady state of its step time: with s seconds of work a request
// and a load of rho, a step takes a/(1-rho), and rate*output*a/(1-rho)
// requests decode.
func (m *mix) sustained(p engine.Profile, slo SLO) float64 {
	const most, full = 0.85, 0.9
	a := 1e-6 * max(p.StepBase, p.ComputeBase)
	s, held, output := m.work/m.requests, m.held/m.requests, m.output/m.requests
	load := most
	if slo.ITL > 0 {
		load = min(load, max(1-a/slo.ITL.Seconds(), 0.05))
	}
	kv, sequences := full*float64(p.KVTokens), float64(p.MaxNumSeqs)
	return min(load/s, kv/(a*held+kv*s), sequences/(a*output+sequences*s))
}
