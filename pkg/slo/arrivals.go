package slo

import (
	"math"
	"slices"
	"time"
)

// counter cuts the requests that reach a revision into bins.
type counter struct {
	// Total is the counter as last reported at At, unknownCount before.
	Total float64   `json:"total"`
	At    time.Time `json:"at,omitzero"`
	// Index numbers the open bin, whose requests are Open; SomeKnown is set
	// when anything is known of that bin.
	Index     int64   `json:"index"`
	Open      float64 `json:"open"`
	SomeKnown bool    `json:"someKnown,omitempty"`
	// Queued is the requests that waited outside of the engines when the last bin ended,
	// unknownCount when unknown.
	Queued float64 `json:"queued"`
	// Waking is how many more bins end with Ready pods until what waited for the first of
	// them shows no more: wakingBins while no pod is Ready.
	Waking int `json:"waking,omitempty"`
}

func newCounter(now time.Time) counter {
	return counter{Total: unknownCount, Queued: unknownCount, Index: binOf(now), At: now}
}

func binOf(t time.Time) int64 { return t.Unix() / int64(BinWidth/time.Second) }

// advance adds what has arrived since the last call. It returns the requests of the
// bins that ended, oldest first and at most keptBins; nil when none ended.
func (c *counter) advance(in Input) []float32 {
	if in.Time.Before(c.At) {
		return nil // a clock that went back: wait for it
	}
	count, known := c.since(in)
	ended := binOf(in.Time) - c.Index
	c.At = in.Time
	if ended <= 0 {
		c.Open += count
		c.SomeKnown = c.SomeKnown || known
		return nil
	}
	bins := c.spread(ended, count, known)
	c.Index += ended
	c.Open, c.SomeKnown = 0, known
	return bins
}

// queuedGain is by how many requests the queues outside of the engines grew since the
// last bin, 0 when that is not known.
func (c *counter) queuedGain(queued Reading) (gain float64) {
	before := c.Queued
	if c.Queued = total(queued); c.Queued >= 0 && before >= 0 {
		gain = c.Queued - before
	}
	return gain
}

// wakes reports whether the bin that ended has, or may have, what waited for the first pod.
func (c *counter) wakes(ready int32) bool {
	switch {
	case ready == 0:
		c.Waking = wakingBins
		return false
	case c.Waking > 0:
		c.Waking--
		return true
	}
	return false
}

// since is the number of requests since the last call: what the counter gained,
// or without one the rate of requests that ended.
func (c *counter) since(in Input) (count float64, known bool) {
	total := in.Arrivals.Within(MaxTotal)
	before := c.Total
	c.Total = unknownCount
	if total.Known() {
		c.Total = float64(total)
		if before >= 0 && c.Total >= before {
			return c.Total - before, true
		}
		return 0, false // the first, or one that began anew
	}
	if rate := in.RPS; rate.Known() {
		return max(0, float64(rate)) * min(in.Time.Sub(c.At), outage).Seconds(), true
	}
	return 0, false
}

// spread ends the open bin and those that passed without a call; a count over a
// short gap is spread evenly.
func (c *counter) spread(ended int64, count float64, known bool) []float32 {
	bins := make([]float32, 0, min(ended, keptBins))
	share := count / float64(ended)
	for i := range min(ended, keptBins) {
		switch {
		case !known && ended > 1, ended > maxGap:
			bins = append(bins, unknownCount)
		case i == 0 && !known && !c.SomeKnown:
			bins = append(bins, unknownCount)
		case i == 0:
			bins = append(bins, float32(c.Open+share))
		default:
			bins = append(bins, float32(share))
		}
	}
	return bins
}

func (c *counter) valid() bool {
	return c.Total >= unknownCount && c.Total <= MaxTotal && c.Open >= 0 && c.Open <= MaxTotal &&
		c.Queued >= unknownCount && c.Queued <= MaxTotal && c.Waking >= 0 && c.Waking <= wakingBins &&
		c.Index > -1e12 && c.Index < 1e12
}

// arrivals learns how many requests come for the engines: those of the past hour.
type arrivals struct {
	// Bins holds the engine requests of each closed bin, oldest first; unknownCount is
	// unknown. The slice is replaced, never written.
	Bins []float32 `json:"bins,omitempty"`
	// Converted is set once the engine requests per HTTP request were known: before, Bins
	// are HTTP requests.
	Converted bool `json:"converted,omitempty"`
	// Engine is the engines' own count of the last bins while no HTTP requests are known to be for
	// others, at most keptEngineBins; unknownCount is unknown. The slice is replaced, never written.
	Engine []float32 `json:"engine,omitempty"`
}

// observe appends the bins that ended.
func (a *arrivals) observe(b *bin) {
	if len(b.arrivals) == 0 {
		return
	}
	bins := make([]float32, 0, keptBins)
	keep := max(0, keptBins-len(b.arrivals))
	bins = append(bins, a.Bins[max(0, len(a.Bins)-keep):]...)
	if !a.Converted && !math.IsNaN(b.requestRatio) {
		a.Converted = true
		convert(bins, b.requestRatio)
	}
	a.Engine = a.engineBins(b, bins)
	bins = append(bins, b.demand()...)
	a.Bins = bins
}

// engineBins is what engines counted in the last bins, the ended ones included. Where HTTP requests
// turn out to be for others, too, it corrects the last bins: a burst of others would otherwise be
// planned for until it is an hour old.
func (a *arrivals) engineBins(b *bin, bins []float32) []float32 {
	if !b.others {
		counts := append(slices.Clone(a.Engine), b.engineCounts()...)
		return counts[max(0, len(counts)-keptEngineBins):]
	}
	counts := a.Engine[max(0, len(a.Engine)-len(bins)):]
	for i, n := range counts {
		if n >= 0 {
			bins[len(bins)-len(counts)+i] = n
		}
	}
	return nil
}

// engineCounts is the engine requests of each bin that ended, by the engines' own count.
func (b *bin) engineCounts() []float32 {
	perBin := float32(unknownCount)
	if n, known := b.enginePerBin(1); known {
		perBin = float32(n)
	}
	return slices.Repeat([]float32{perBin}, min(len(b.arrivals), keptEngineBins))
}

// enginePerBin is the engines' own count of requests for one of the bins that ended, with ratio engine
// requests for each HTTP request by which the queues outside grew.
func (b *bin) enginePerBin(ratio float64) (requests float64, known bool) {
	engine, known := b.engineRequests()
	return max(engine+b.queuedGain*ratio, 0) / float64(len(b.arrivals)), known
}

// demand is the engine requests of each bin that ended. Where HTTP requests are other
// requests, the engines' own count is used: a ratio would take a burst of one kind
// for one of both. Requests that give up in a queue never begin, so while clients may give up
// the ratio's share of the HTTP requests is the least.
func (b *bin) demand() []float32 {
	if math.IsNaN(b.requestRatio) || b.requestRatio == 1 {
		return b.arrivals
	}
	demand := slices.Clone(b.arrivals)
	perBin, known := b.enginePerBin(b.requestRatio)
	if !known {
		convert(demand, b.requestRatio)
		return demand
	}
	if b.others && b.mayGiveUp() {
		perBin = max(perBin, b.seen()*min(b.requestRatio, 1)/float64(len(demand)))
	}
	for i := range demand {
		demand[i] = float32(perBin)
	}
	return demand
}

// seen is the HTTP requests of the bins that ended, as far as they are known.
func (b *bin) seen() (n float64) {
	for _, of := range b.arrivals {
		n += max(float64(of), 0)
	}
	return n
}

// arrivedLast is the engine requests of the last closed bin; last is the history's value. Before the ratio is known
// it is the smaller of the history's HTTP requests and the engines' own count: a load set too high
// would overstate the capacity for half an hour.
func (b *bin) arrivedLast(last float64) float64 {
	perBin, known := b.enginePerBin(1)
	if !known || !math.IsNaN(b.requestRatio) {
		return last
	}
	return min(last, perBin)
}

// convert makes engine requests of HTTP requests.
func convert(bins []float32, ratio float64) {
	for i, n := range bins {
		if n >= 0 {
			bins[i] = float32(min(float64(n)*ratio, MaxTotal))
		}
	}
}

// last is the requests of the bin that ended last, unknownCount without one.
func (a *arrivals) last() float64 {
	if len(a.Bins) == 0 {
		return unknownCount
	}
	return float64(a.Bins[len(a.Bins)-1])
}

// estimate is the history that the plan asks questions.
func (a *arrivals) estimate() history { return newHistory(a.Bins) }

func (a *arrivals) valid() bool {
	for _, b := range a.Bins {
		if b != unknownCount && !(b >= 0 && b <= MaxTotal) {
			return false
		}
	}
	for _, b := range a.Engine {
		if b != unknownCount && !(b >= 0 && b <= MaxTotal) {
			return false
		}
	}
	return len(a.Bins) <= keptBins && len(a.Engine) <= keptEngineBins
}
