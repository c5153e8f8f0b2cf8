package simulator

import "time"

// area integrates a number over time, in whole microseconds. Changes may come
// in any order of time: value*t - sum(change*at) does not depend on it, and a
// sum that wraps around is still right in the difference.
type area struct{ value, moment int64 }

func (a *area) add(at time.Duration, change int64) {
	a.value += change
	a.moment += change * at.Microseconds()
}

// until is the integral up to a time, in seconds.
func (a *area) until(t time.Duration) float64 {
	return float64(a.value*t.Microseconds()-a.moment) / 1e6
}
