package collector

import (
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// PickerPage is the name under which the page of an endpoint picker is parsed. It looks
// like the name of an engine, and nobody may give it as one.
const PickerPage = engine.Picker

// Share is a revision's part of the requests that wait in front of it and of
// others: those that an endpoint picker holds back while the pods are full. The
// picker's pods are watched under a name of their own, with the engine Picker.
type Share struct {
	Picker Key
	// Part is from 0 to 1.
	Part float64
}

// SetHeld says which pickers hold requests of a revision; none is none. It does
// nothing for a revision that is not watched, and for a key of another kind. A picker that
// is not watched, or was never read, adds nothing.
func (c *Collector) SetHeld(key Key, shares []Share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.revisions[key]
	if !ok || key.Kind != Revision {
		return
	}
	delete(c.pickersOf, key)
	queues := make([]pickerQueue, 0, len(shares))
	for _, s := range shares {
		q := pickerQueue{part: s.Part}
		if p := c.revisions[s.Picker]; p != nil && s.Picker.Kind == Picker {
			q.source = p
		}
		queues = append(queues, q)
		c.pickersOf[key] = append(c.pickersOf[key], s.Picker)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.become(append(r.ownQueues(), queues...))
}

// affected is the revisions to notify of a change: of a picker's, those whose
// requests wait in it; c.mu is held.
func (c *Collector) affected(key Key) (keys []Key) {
	if key.Kind != Picker {
		return []Key{key}
	}
	for k, pickers := range c.pickersOf {
		if slices.Contains(pickers, key) {
			keys = append(keys, k)
		}
	}
	return keys
}

// hastenBehind has the engines behind a picker read now: its queue shows a burst.
func (c *Collector) hastenBehind(picker Key, now time.Time) {
	c.mu.Lock()
	keys := c.affected(picker)
	c.mu.Unlock()
	for _, key := range keys {
		r := c.lookup(key)
		if r == nil {
			continue
		}
		r.mu.Lock()
		for _, p := range r.pods {
			p.hasten(now)
		}
		r.mu.Unlock()
	}
}

// held is what waits in front of a revision; guarded by the revision's mutex.
type held struct {
	queues []pickerQueue
	// rate is the requests that began to wait in the last second, again those that
	// reached the pods in it after they had waited.
	rate, again float64
}

// longestStandIn is for how long at most what a picker held stands in for what it holds.
const longestStandIn = time.Minute

// queueSource is a picker, or the activators for one revision.
type queueSource interface {
	// waiting is the requests that wait there now; NaN when unknown.
	waiting(now time.Time) float64
}

// pickerQueue is a part of what one picker holds, or of what the activators hold of one
// revision; source is nil while nobody watches it.
type pickerQueue struct {
	source queueSource
	part   float64
	// last is what the source as a whole held at the time at, zero when that is too
	// long ago or was never known.
	last float64
	at   time.Time
}

// become takes other queues, and keeps what is known of those that it had.
func (h *held) become(queues []pickerQueue) {
	for i, q := range queues {
		for _, had := range h.queues {
			if q.source != nil && had.source == q.source {
				queues[i].last, queues[i].at = had.last, had.at
			}
		}
	}
	h.queues = queues
	if len(queues) == 0 {
		h.rate, h.again = 0, 0
	}
}

// waiting is the requests that wait in the source as a whole; NaN when unknown.
func (q pickerQueue) waiting(now time.Time) float64 {
	if q.source == nil {
		return math.NaN()
	}
	return q.source.waiting(now)
}

// tick takes what the pickers hold now and returns by how many requests of ours
// that grew since the second before. What was known last stands in for a picker
// that cannot be read, for a while; its growth meanwhile counts after that. A
// queue that is seen for the first time does not count as arrivals, nor does growth that
// only comes from this revision's share of the pool increasing.
func (h *held) tick(now time.Time, patience time.Duration) (growth float64) {
	lately := 0.0
	for i := range h.queues {
		q := &h.queues[i]
		v := q.waiting(now)
		if !known(v) {
			if now.Sub(q.at) > patience {
				q.last, q.at = 0, time.Time{}
			}
			continue
		}
		if !q.at.IsZero() {
			growth += q.part * (v - q.last)
			if now.Sub(q.at) <= recordGap {
				lately += q.part * (v - q.last)
			}
		}
		q.last, q.at = v, now
	}
	h.rate = max(lately, 0)
	return growth
}

// rps is the requests a second that arrive when so many reach the pods. While
// some wait it is no less than those: a queue that is worked off is no idling.
func (h *held) rps(reached float64) float64 {
	rps := max(reached-h.again, 0) + h.rate
	if h.queued() > 0 {
		return max(rps, reached)
	}
	return rps
}

// sum is what is held. A picker that holds less than at the last tick has let
// requests go, which the pods report by now.
func (h *held) sum(now time.Time) (sum float64) {
	for _, q := range h.queues {
		v := q.last
		if live := q.waiting(now); known(live) {
			v = min(v, live)
		}
		sum += q.part * v
	}
	return sum
}

// queued is what is held as decisions see it: unknown while no picker is known.
func (h *held) queued() decider.Reading {
	sum, some := 0.0, false
	for _, q := range h.queues {
		sum += q.part * q.last
		some = some || !q.at.IsZero()
	}
	if !some {
		return decider.Unknown()
	}
	return decider.Reading(sum)
}

// waiting is the requests that wait in the Ready pods of a picker; NaN when one
// of them cannot be read, for it may be the one that holds them. Of several pods
// one leads, and the others hold nothing; nor does one that is new.
func (r *revision) waiting(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, readable := 0.0, 0
	for _, p := range r.pods {
		t := p.targets[pickerPage]
		switch {
		case t == nil, t.good.IsZero() && now.Sub(p.since) <= t.patience():
		case !t.fresh(now):
			return math.NaN()
		default:
			sum += p.engine.waiting
			readable++
		}
	}
	if readable == 0 {
		return math.NaN()
	}
	return sum
}
