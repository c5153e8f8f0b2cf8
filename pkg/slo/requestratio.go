package slo

import "math"

// requestRatio learns how many requests the engines begin for one HTTP request: several
// where an HTTP request carries several prompts, and less than one where some never
// reach an engine (lists of models, health checks, answers of 404).
type requestRatio struct {
	requestCounts
	// Calm is those of the bins in which nothing waited: what gives up in a queue looks as if it were
	// for no engine.
	Calm requestCounts `json:"calm,omitzero"`
	// Differ is for how many more bins HTTP requests count as other requests than the engines'.
	Differ int `json:"differ,omitempty"`
}

// requestCounts are HTTP and Engine, faded counts of requests, and Bins, the faded number of bins
// behind them.
type requestCounts struct {
	HTTP   float64 `json:"http,omitempty"`
	Engine float64 `json:"engine,omitempty"`
	Bins   float64 `json:"bins,omitempty"`
}

func (c *requestCounts) add(http, engine float64) {
	c.HTTP = max(c.HTTP*lengthsFade+http, 0)
	c.Engine = max(c.Engine*lengthsFade+engine, 0)
	c.Bins = c.Bins*lengthsFade + 1
}

func (r *requestRatio) observe(b *bin) {
	engine, known := b.engineRequests()
	http := -b.queuedGain
	for _, n := range b.arrivals {
		known = known && n >= 0
		http += float64(n)
	}
	if !known || len(b.arrivals) == 0 {
		return
	}
	r.add(http, engine)
	if b.calm() {
		r.Calm.add(http, engine)
	}
	r.Differ = max(r.Differ-1, 0)
	if c := r.Calm; c.Bins >= minOthersBins && c.HTTP >= minRatioRequests && c.HTTP-c.Engine > fewOthers*c.HTTP {
		r.Differ = keptBins
	}
}

// calm reports whether it is known that nothing waited, in engines or outside.
func (b *bin) calm() bool {
	if b.frozen > 0 {
		return false
	}
	for _, d := range b.samples {
		if d.waitingThroughout > 0 {
			return false
		}
	}
	return !(b.queued > 0) && b.queuedGain == 0
}

// mayGiveUp reports whether requests wait for so long that clients may give up: in an engine or outside, for
// persistentQueue or for the bound on the first token, whichever is less.
func (b *bin) mayGiveUp() bool {
	wait := min(b.ttft, persistentQueue)
	for _, d := range b.samples {
		if d.queueLasted(wait) {
			return true
		}
	}
	outside := min(float64(b.queued), b.queuedBefore)
	return b.frozen > 0 || outside > 0 && outside >= wait*b.begunPerSecond()
}

// known reports whether enough requests were seen.
func (r *requestRatio) known() bool {
	return r.Bins >= minRatioBins && max(r.HTTP, r.Engine) >= minRatioRequests
}

// estimate is the engine requests per HTTP request: exactly 1 where both are nearly the
// same; NaN while too few were seen. Few others in all may be many at a time, so they count
// as different for as long as the past is planned for.
func (r *requestRatio) estimate() float64 {
	switch {
	case !r.known():
		return math.NaN()
	case r.Differ == 0 && math.Abs(r.Engine-r.HTTP) < sameRatio*r.HTTP:
		return 1
	}
	return min(r.Engine/max(r.HTTP, 1), maxRatio)
}

// others reports whether some HTTP requests are known to reach no engine.
func (r *requestRatio) others() bool { return r.Differ > 0 }

func (r *requestRatio) valid() bool {
	for _, v := range [...]float64{r.HTTP, r.Engine, r.Bins, r.Calm.HTTP, r.Calm.Engine, r.Calm.Bins} {
		if !(v >= 0 && v < MaxTotal) {
			return false
		}
	}
	return r.Differ >= 0 && r.Differ <= keptBins
}

// engineRequests is what reached the engines in the bins that ended: requests that began, and
// by how much their queues grew. Pods without a sample of that time are taken for the others'
// mean; with less than half of them the number is not known. Nor is it at a
// wake: all that waited went to the first pod, which says nothing of the others, and left
// the queue in another bin than it is seen in the engine.
func (b *bin) engineRequests() (requests float64, known bool) {
	if b.wakes {
		return 0, false
	}
	span, pods := binSeconds*float64(len(b.arrivals)), 0
	for _, d := range b.samples {
		begun := d.begun()
		if begun < 0 {
			return 0, false
		}
		if math.Abs(d.interval-span) > maxIntervalError*span {
			continue // not that of these bins, as after an outage
		}
		if d.waiting >= 0 {
			begun += d.waiting - d.waitingBefore
		}
		requests += begun * d.ranks
		pods++
	}
	if pods == 0 || 2*pods < min(int(b.ready), maxFollowedPods) {
		return 0, false
	}
	return max(requests, 0) / float64(pods) * float64(max(b.ready, 1)), true
}
