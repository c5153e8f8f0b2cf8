package collector

import (
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Picker is the Target.Engine of an endpoint picker.
const Picker = engine.Picker

// Share is a revision's part of the requests that wait in front of it and of
// others: those that an endpoint picker holds back while the pods are full. The
// picker's pods are watched under a name of their own, with the engine Picker.
type Share struct {
	Picker Revision
	// Part is from 0 to 1.
	Part float64
}

// SetHeld says which pickers hold requests of a revision; none is none. It does
// nothing for a revision that is not watched; a picker that is not watched, or
// cannot be read, leaves what is held unknown.
func (c *Collector) SetHeld(key Revision, shares []Share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.revisions[key]
	if !ok {
		return
	}
	queues := make([]pickerQueue, 0, len(shares))
	for _, s := range shares {
		queues = append(queues, pickerQueue{picker: c.revisions[s.Picker], part: s.Part})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.queues = queues
}

// pickerQueue is a part of what one picker holds; picker is nil while nobody watches it.
type pickerQueue struct {
	picker *revision
	part   float64
}

// held is what waits in front of a revision; guarded by the revision's mutex.
type held struct {
	queues []pickerQueue
	// last is what was known at lastAt, 0 when that is too long ago.
	last   float64
	lastAt time.Time
	// growth is by how much it grew in the last second.
	growth float64
}

// now is the requests that are held; NaN while a picker cannot be read, and
// without any.
func (h *held) now(at time.Time) float64 {
	if len(h.queues) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, q := range h.queues {
		sum += q.part * q.picker.waiting(at)
	}
	return sum
}

// waiting is the requests that wait in the Ready pods of a picker; NaN when none
// can be read. Of several pods one leads, and the others hold nothing.
func (r *revision) waiting(now time.Time) float64 {
	if r == nil {
		return math.NaN()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, readable := 0.0, 0
	for _, p := range r.pods {
		if p.Ready && p.targets[pickerPage].fresh(now) {
			sum += p.engine.waiting
			readable++
		}
	}
	if readable == 0 {
		return math.NaN()
	}
	return sum
}

// tick notes the growth since the second before. What was known last stands in
// for a picker that cannot be read, for as long as patience; then nothing does.
func (h *held) tick(at time.Time, patience time.Duration) {
	before := h.last
	switch v := h.now(at); {
	case known(v):
		fresh := h.lastAt.IsZero()
		h.last, h.lastAt = v, at
		if fresh {
			before = v // what waited before we looked has not come now
		}
	case at.Sub(h.lastAt) > patience:
		h.last, h.lastAt, before = 0, time.Time{}, 0
	}
	h.growth = h.last - before
}

// add counts what is held as Knative counts what its activator holds: in flight,
// and as having arrived when it began to wait rather than when it ends to.
func (h *held) add(s requestSample) requestSample {
	return requestSample{concurrency: s.concurrency + h.last, rps: max(0, s.rps+h.growth)}
}

// queued is what is held as decisions see it.
func (h *held) queued(now time.Time) decider.Reading { return reading(h.now(now)) }

// waitsIn reports whether requests of the revision wait in a picker.
func (r *revision) waitsIn(picker *revision) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.held.queues, func(q pickerQueue) bool { return q.picker == picker })
}

// affected is who is to hear of a change: of a picker's, the revisions whose
// requests wait in it; c.mu is held.
func (c *Collector) affected(key Revision) (keys []Revision) {
	picker := c.revisions[key]
	if picker == nil || !picker.isPicker() {
		return []Revision{key}
	}
	for k, r := range c.revisions {
		if r != picker && r.waitsIn(picker) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (r *revision) isPicker() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target.Engine == engine.Picker
}
