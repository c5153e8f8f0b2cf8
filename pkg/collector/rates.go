package collector

import (
	"math"
	"time"
)

// rates turns token counters into tokens per second over the last window. It
// keeps at most about rateSteps points per window, however often it is fed.
type rates struct {
	points  []ratePoint
	created float64
}

type ratePoint struct {
	at                 time.Time
	prompt, generation float64
}

const rateSteps = 16

// add appends a sample. A counter that fell, became known or unknown, or has
// another creation time is another counter: what came before is dropped.
func (r *rates) add(e engineSample, window time.Duration) {
	p := ratePoint{e.at, e.promptTokens, e.generationTokens}
	n := len(r.points)
	if n > 0 && (!same(r.created, e.created) || !follows(r.points[n-1], p)) {
		r.points, n = r.points[:0], 0
	}
	r.created = e.created
	if n > 1 && e.at.Sub(r.points[n-2].at) < window/rateSteps {
		r.points[n-1] = p
	} else {
		r.points = append(r.points, p)
	}
	r.trim(e.at.Add(-window))
}

func follows(a, b ratePoint) bool {
	return b.at.After(a.at) && continues(a.prompt, b.prompt) && continues(a.generation, b.generation)
}

func continues(a, b float64) bool { return b >= a || math.IsNaN(a) && math.IsNaN(b) }

// trim drops points older than from, but keeps two.
func (r *rates) trim(from time.Time) {
	drop := 0
	for len(r.points)-drop > 2 && r.points[drop].at.Before(from) {
		drop++
	}
	r.points = append(r.points[:0], r.points[drop:]...)
}

func (r *rates) reset() { r.points = r.points[:0] }

// perSecond returns the rates with the time they cover; NaN with fewer than two samples.
func (r *rates) perSecond() (prompt, generation float64, window time.Duration) {
	n := len(r.points)
	if n < 2 {
		return math.NaN(), math.NaN(), 0
	}
	a, b := r.points[0], r.points[n-1]
	window = b.at.Sub(a.at)
	return (b.prompt - a.prompt) / window.Seconds(), (b.generation - a.generation) / window.Seconds(), window
}
