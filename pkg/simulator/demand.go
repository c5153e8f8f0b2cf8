package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

const second = time.Second

// epoch is the wall time of simulated time 0.
func epoch() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

// demand averages what the queue-proxies and the activator would report once a
// second: the mean requests in flight, those that queue included, and the
// requests that came.
type demand struct {
	begin                               time.Time
	stableConcurrency, panicConcurrency *window.Mean
	stableRPS, panicRPS                 *window.Mean
	// requestSeconds (of requests in flight) and arrived are the totals at the last record.
	requestSeconds float64
	arrived        int64
}

func newDemand(cfg Config) demand {
	mean := func(w time.Duration) *window.Mean { return window.NewMean(w, second) }
	return demand{
		begin: epoch(), stableConcurrency: mean(cfg.StableWindow), panicConcurrency: mean(cfg.PanicWindow),
		stableRPS: mean(cfg.StableWindow), panicRPS: mean(cfg.PanicWindow),
	}
}

// record takes the totals at the end of a second: requests times seconds in
// flight, and requests that arrived.
func (d *demand) record(end time.Duration, requestSeconds float64, arrived int64) {
	at := d.begin.Add(end)
	concurrency, rps := max(requestSeconds-d.requestSeconds, 0), float64(arrived-d.arrived)
	d.requestSeconds, d.arrived = requestSeconds, arrived
	d.stableConcurrency.Set(at, concurrency)
	d.panicConcurrency.Set(at, concurrency)
	d.stableRPS.Set(at, rps)
	d.panicRPS.Set(at, rps)
}

// windowed is the averages at a time; unknown before the first whole second.
func (d *demand) windowed(at time.Duration) (concurrency, rps decider.Windowed) {
	if at < second {
		unknown := decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()}
		return unknown, unknown
	}
	now := d.begin.Add(at)
	average := func(stable, panicking *window.Mean) decider.Windowed {
		return decider.Windowed{Stable: decider.Reading(stable.WindowAverage(now)),
			Panic: decider.Reading(panicking.WindowAverage(now))}
	}
	return average(d.stableConcurrency, d.panicConcurrency), average(d.stableRPS, d.panicRPS)
}
