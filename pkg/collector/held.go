package collector

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
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
	// NegativeWaits is true if requests of a negative priority do not wake the revision:
	// while it has no pod they do not count.
	NegativeWaits bool
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
	queues := make([]queueShare, 0, len(shares))
	for _, s := range shares {
		q := queueShare{part: s.Part}
		if p := c.revisions[s.Picker]; p != nil && s.Picker.Kind == Picker {
			q.source = p
			if s.NegativeWaits {
				q.source = wakingQueue{p, r}
			}
		}
		queues = append(queues, q)
		c.pickersOf[key] = append(c.pickersOf[key], s.Picker)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger.follow(append(r.ownQueues(), queues...))
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

// hurryPickers has the pickers read fast whose revisions wait for their first pod, and the
// others no more.
func (c *Collector) hurryPickers(podless map[Key]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hurried := map[Key]bool{}
	for key, pickers := range c.pickersOf {
		for _, p := range pickers {
			hurried[p] = hurried[p] || podless[key]
		}
	}
	for key, r := range c.revisions {
		if key.Kind == Picker {
			r.hurried.Store(hurried[key])
		}
	}
}

// hurryPickersOf has the pickers of a revision that lost its last pod read fast from now on.
func (c *Collector) hurryPickersOf(key Key) {
	now := c.clock.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pickersOf[key] {
		if r := c.revisions[p]; r != nil {
			r.hurried.Store(true)
			r.readSoon(now)
		}
	}
}

// PickerProblem is the reason why it is not known how many requests of a revision wait in
// endpoint pickers; nil while it is known, and where none has any.
func (c *Collector) PickerProblem(key Key) error {
	r := c.lookup(key)
	if r == nil {
		return nil
	}
	c.mu.Lock()
	pickers := slices.Clone(c.pickersOf[key])
	c.mu.Unlock()
	now := c.clock.now()
	for _, p := range pickers {
		held := c.lookup(p)
		if held == nil || !known(held.waiting(now)) {
			return fmt.Errorf("the metrics of endpoint picker %s/%s do not say how many requests its flow control holds", p.Namespace, p.Name)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lacksPicker() {
		return errNoPicker
	}
	return nil
}

// lacksPicker reports whether a picker may hold requests of the revision and SetHeld named
// none; r.mu is held.
func (r *revision) lacksPicker() bool {
	return r.spec.Pooled && len(r.ledger.queues) <= len(r.ownQueues())
}

var errNoPicker = errors.New("the endpoint picker of the revision's InferencePool is not read yet")

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

// wakingQueue is a picker as one of the queues in front of a revision that requests of a
// negative priority do not wake.
type wakingQueue struct{ picker, behind *revision }

// waiting is the requests that wait in the picker; while the revision has no pod, those
// that wake it. NaN is unknown. behind.mu is held.
func (q wakingQueue) waiting(now time.Time) float64 {
	if len(q.behind.pods) > 0 || q.behind.listed.IsZero() {
		return q.picker.waiting(now)
	}
	return q.picker.held(now, engineSample.waking)
}

// waking is the requests in a picker that have no negative priority. Where the page does not
// say how many those are, it is all.
func (e engineSample) waking() float64 {
	if !known(e.waitingNegative) {
		return e.waiting
	}
	return max(e.waiting-e.waitingNegative, 0)
}

// WaitingIn is the requests that wait in a picker, with waking only those without a negative
// priority; NaN when that is not known.
func (c *Collector) WaitingIn(picker Key, waking bool) float64 {
	r := c.lookup(picker)
	switch {
	case r == nil || picker.Kind != Picker:
		return math.NaN()
	case waking:
		return r.held(c.clock.now(), engineSample.waking)
	}
	return r.waiting(c.clock.now())
}

// waiting is the requests that wait in the Ready pods of a picker; NaN when unknown.
func (r *revision) waiting(now time.Time) float64 {
	return r.held(now, func(e engineSample) float64 { return e.waiting })
}

// held sums what the Ready pods of a picker hold; NaN when one
// of them cannot be read, for it may be the one that holds them. Of several pods
// one leads, and the others hold nothing; nor does one that is new.
func (r *revision) held(now time.Time, count func(engineSample) float64) float64 {
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
			sum += count(p.engine)
			readable++
		}
	}
	if readable == 0 {
		return math.NaN()
	}
	return sum
}
