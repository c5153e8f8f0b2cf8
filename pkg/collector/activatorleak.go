package collector

import "time"

// Knative's activator (v0.50.0) counts a request as queued for ever when its own code panics, for
// example when a revision has just lost its last pod (index out of range in
// randomChoice2Policy of pkg/activator/net). Without the code below such a request would
// keep the last pod of a revision that nobody asks. The activator's concurrency is right all the
// same: a request that is queued shows as 1 from the second report on.

const (
	// leakAfter is how long a concurrency of 0 has to contradict the queue before the smallest queue of
	// that time is taken for forgotten. The activator reports concurrencies each second. Not measured: a
	// minute of one pod after each such panic is cheap beside a request that is not seen because the
	// activator is starved.
	leakAfter = time.Minute
	// heldAfter is how long the concurrency has to show a request that only a forgotten one could be,
	// before the forgotten ones count again. Not measured: a request that has ended shows
	// for up to two seconds, the rest is for an activator that is late.
	heldAfter = 5 * time.Second
	// oneHeld is the concurrency of a request that is held; short ones are below it.
	oneHeld = 0.99
)

// leak is what an activator has forgotten of one revision, and how that is found.
type leak struct {
	// forgotten requests are counted as queued and not held any more.
	forgotten float64
	// idleSince is when the concurrency began to be 0 while requests were queued, minQueued the fewest
	// since then; heldSince when it began to show a request where all that are queued are
	// forgotten. Zero is no such time.
	idleSince, heldSince time.Time
	minQueued            float64
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

// since is when something began to be true: before, or now where before is zero.
func since(is bool, before, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case before.IsZero():
		return now
	}
	return before
}

// withoutForgotten is what an activator holds, without the requests that it has forgotten, and logs
// each revision that has such requests once in a life of the activator; activators.mu is held.
func (a *activators) withoutForgotten(r *activator, p activatorPage) map[Key]activatorHeld {
	if p.started == "" || p.started != r.started {
		r.leaks = nil
	}
	now, before := a.now(), r.leaks
	r.started, r.leaks = p.started, map[Key]leak{}
	held := make(map[Key]activatorHeld, len(p.held))
	for rev, h := range p.held {
		l := before[rev]
		was := l.forgotten
		concurrency, known := p.concurrency[rev]
		l.observe(h, concurrency, known, now)
		r.leaks[rev] = l
		if h.queued -= l.forgotten; h != (activatorHeld{}) {
			held[rev] = h
		}
		if l.forgotten > was {
			a.log.Warn("the activator counts queued requests that its concurrency of 0 denies, after a panic of its own; "+
				"they are ignored until it restarts", "pod", r.Name, "namespace", rev.Namespace, "revision", rev.Name, "requests", l.forgotten)
		}
	}
	return held
}
