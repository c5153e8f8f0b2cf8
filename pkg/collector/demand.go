package collector

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

const (
	bucketWidth = time.Second
	// recordGap is how long the windows may go without a value before the
	// demand is unknown. A pod's values are carried until the pod is stale, so
	// this is 3 s after the last readable pod went stale.
	recordGap = 3 * time.Second
)

// demand averages concurrency and rps, summed over the pods.
type demand struct {
	stable, panic time.Duration
	// weighted gives newer values more weight in the averages.
	weighted                            bool
	stableConcurrency, panicConcurrency *window.Mean
	stableRPS, panicRPS                 *window.Mean
	// dirty is the time of the newest report that is not in the windows yet.
	dirty time.Time
	// first and last are the times of the first value since a gap, and of the newest.
	first, last time.Time
}

func (d *demand) resize(now time.Time, stable, panicking time.Duration) {
	if d.stableConcurrency == nil {
		d.stableConcurrency, d.stableRPS = window.NewMean(stable, bucketWidth), window.NewMean(stable, bucketWidth)
		d.panicConcurrency, d.panicRPS = window.NewMean(panicking, bucketWidth), window.NewMean(panicking, bucketWidth)
	}
	d.stable, d.panic = stable, panicking
	d.stableConcurrency.Resize(now, stable)
	d.stableRPS.Resize(now, stable)
	d.panicConcurrency.Resize(now, panicking)
	d.panicRPS.Resize(now, panicking)
}

// set makes s the value of the second of now.
func (d *demand) set(now time.Time, s requestSample) {
	d.stableConcurrency.Set(now, s.concurrency)
	d.panicConcurrency.Set(now, s.concurrency)
	d.stableRPS.Set(now, s.rps)
	d.panicRPS.Set(now, s.rps)
	if d.first.IsZero() || now.Sub(d.last) >= d.stable {
		d.first = now
	}
	if now.After(d.last) {
		d.last = now
	}
}

// known reports whether the windows hold a recent value.
func (d *demand) known(now time.Time) bool {
	return !d.last.IsZero() && now.Sub(d.last) <= recordGap && !d.stableConcurrency.IsEmpty(now)
}

// covered is how much of the stable window has values.
func (d *demand) covered() time.Duration {
	return min(d.stable, d.last.Truncate(bucketWidth).Sub(d.first.Truncate(bucketWidth))+bucketWidth)
}

func (d *demand) concurrency(now time.Time) decider.Windowed {
	return d.windowed(now, d.stableConcurrency, d.panicConcurrency)
}

func (d *demand) rps(now time.Time) decider.Windowed {
	return d.windowed(now, d.stableRPS, d.panicRPS)
}

func (d *demand) windowed(now time.Time, stable, panicking *window.Mean) decider.Windowed {
	if !d.known(now) {
		return decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()}
	}
	if d.weighted {
		return decider.Windowed{
			Stable: decider.Reading(stable.WeightedAverage(now)),
			Panic:  decider.Reading(panicking.WeightedAverage(now)),
		}
	}
	return decider.Windowed{
		Stable: decider.Reading(stable.WindowAverage(now)),
		Panic:  decider.Reading(panicking.WindowAverage(now)),
	}
}
