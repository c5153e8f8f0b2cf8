package collector

import "time"

// Knative's activator (v0.50.0) counts a request as queued for ever when the activator's code panics, for
// example when a revision has just lost its last pod (index out of range in randomChoice2Policy of
// pkg/activator/net). The count would keep the last pod of a revision that gets no requests. The concurrency
// that the activator reports is not affected by the panic: from the second report on, each queued
// request adds 1 to the concurrency.

const (
	// leakAfter is the time for which the concurrency has to be 0 before the requests that were queued all
	// that time are ignored. The activator reports its concurrency each second. Not measured: one
	// pod for a minute after each panic costs less than a real request that is ignored because the
	// activator is starved and reports late.
	leakAfter = time.Minute
	// heldAfter is the time for which the concurrency has to show a request, while all queued requests are
	// ignored, before they count again. Not measured: a request that has ended is part of the
	// concurrency for up to two seconds; the rest allows for an activator that reports late.
	heldAfter = 5 * time.Second
	// oneHeld is the lowest concurrency that a queued request makes; shorter requests make less.
	oneHeld = 0.99
)

// leak is the number of requests of one revision that an activator counts as queued and does not hold,
// and what is needed to find that number.
type leak struct {
	// forgotten is that number.
	forgotten float64
	// idleSince is the time since which the concurrency is 0 while requests are queued; zero: it is not.
	idleSince time.Time
	// minQueued is the smallest number of queued requests since idleSince.
	minQueued float64
	// heldSince is the time since which the concurrency shows a request while all queued requests are
	// forgotten; zero: it does not.
	heldSince time.Time
}

// observe takes a reading in. known is false where the page has no concurrency of the revision.
func (l *leak) observe(h activatorHeld, concurrency float64, known bool, now time.Time) {
	if h.queued < l.forgotten { // the counter began anew
		*l = leak{}
	}
	l.heldSince = since(known && concurrency >= h.active+oneHeld && h.queued == l.forgotten, l.heldSince, now)
	if !l.heldSince.IsZero() && now.Sub(l.heldSince) >= heldAfter {
		l.forgotten = 0
	}
	l.idleSince = since(known && concurrency == 0, l.idleSince, now)
	if l.idleSince.Equal(now) {
		l.minQueued = h.queued
	}
	l.minQueued = min(l.minQueued, h.queued)
	if !l.idleSince.IsZero() && now.Sub(l.idleSince) >= leakAfter {
		l.forgotten = l.minQueued
	}
}

// since is the time at which a condition became true: before, or now if before is zero. It is zero while
// the condition is false.
func since(is bool, before, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case before.IsZero():
		return now
	}
	return before
}

// withoutForgotten removes the forgotten requests from a page and returns what the activator holds. It logs
// when the number of forgotten requests of a revision rises. The caller holds activators.mu.
func (a *activators) withoutForgotten(r *activator, p activatorPage) map[Key]activatorHeld {
	if p.started == "" || p.started != r.started {
		r.leaks = nil
	}
	now, before := a.now(), r.leaks
	r.started, r.leaks = p.started, map[Key]leak{}
	for rev, h := range p.held {
		l := before[rev]
		was := l.forgotten
		concurrency, known := p.concurrency[rev]
		l.observe(h, concurrency, known, now)
		r.leaks[rev] = l
		h.queued -= l.forgotten
		p.held[rev] = h
		if h == (activatorHeld{}) {
			delete(p.held, rev)
		}
		if l.forgotten > was {
			a.log.Warn("the activator counts queued requests that its concurrency of 0 denies, after a panic of its own; "+
				"they are ignored until it restarts", "pod", r.Name, "namespace", rev.Namespace, "revision", rev.Name, "requests", l.forgotten)
		}
	}
	return p.held
}
