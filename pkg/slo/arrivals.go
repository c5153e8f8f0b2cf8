package slo

import "time"

// arrivals is the history of the requests that reached a revision.
type arrivals struct {
	// Counter is the total as last told at At, noCount before.
	Counter float64   `json:"counter"`
	At      time.Time `json:"at,omitzero"`
	// Index numbers the open bin, whose requests so far are Open.
	Index int64   `json:"index"`
	Open  float64 `json:"open"`
	// Told tells that something is known of the open bin.
	Told bool `json:"told,omitempty"`
	// Bins holds the closed bins up to Index-1, oldest first; noCount is unknown.
	Bins []float32 `json:"bins,omitempty"`
}

func newArrivals(now time.Time) arrivals {
	return arrivals{Counter: noCount, Index: binOf(now), At: now}
}

func binOf(t time.Time) int64 { return t.Unix() / int64(BinWidth/time.Second) }

// advance closes the bins before now and adds what has arrived since the last
// call. It reports whether a bin was closed. Bins is replaced, never written.
func (a arrivals) advance(in Input) (arrivals, bool) {
	if in.Time.Before(a.At) {
		return a, false // a clock that went back: wait for it
	}
	count, known := a.since(in)
	passed := binOf(in.Time) - a.Index
	a.At = in.Time
	if passed <= 0 {
		a.Open += count
		a.Told = a.Told || known
		return a, false
	}
	return a.closeBins(passed, count, known), true
}

// since is the number of requests since the last call: what the counter gained,
// or without one the rate of requests that ended.
func (a *arrivals) since(in Input) (count float64, known bool) {
	total := in.Arrivals.Within(1e15)
	before := a.Counter
	a.Counter = noCount
	if total.Known() {
		a.Counter = float64(total)
		if before >= 0 && a.Counter >= before {
			return a.Counter - before, true
		}
		return 0, false // the first, or one that began anew
	}
	if rate := in.RPS; rate.Known() {
		return max(0, float64(rate)) * min(in.Time.Sub(a.At).Seconds(), longestGap*binSeconds), true
	}
	return 0, false
}

// closeBins ends the open bin and those that passed without a call; a count
// over a short gap is spread evenly.
func (a arrivals) closeBins(passed int64, count float64, known bool) arrivals {
	bins := make([]float32, 0, binsKept)
	keep := int(max(0, binsKept-passed))
	bins = append(bins, a.Bins[max(0, len(a.Bins)-keep):]...)
	share := count / float64(passed)
	for i := range min(passed, binsKept) {
		switch {
		case !known && passed > 1, passed > longestGap:
			bins = append(bins, noCount)
		case i == 0 && !known && !a.Told:
			bins = append(bins, noCount)
		case i == 0:
			bins = append(bins, float32(a.Open+share))
		default:
			bins = append(bins, float32(share))
		}
	}
	a.Bins = bins
	a.Index += passed
	a.Open, a.Told = 0, known
	return a
}

// sound reports whether a stored history makes sense.
func (a arrivals) sound() bool {
	for _, b := range a.Bins {
		if b != noCount && !(b >= 0 && b <= 1e15) {
			return false
		}
	}
	return len(a.Bins) <= binsKept && a.Counter >= noCount && a.Counter <= 1e15 && a.Open >= 0 && a.Open <= 1e15 &&
		a.Index > -1e12 && a.Index < 1e12
}
