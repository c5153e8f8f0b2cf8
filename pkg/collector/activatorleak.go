package collector

import "time"

// Knative's activator (v0.50.0) forgets to count a request down when its own code panics, for example
// when a revision has just lost its last pod (index out of range in randomChoice2Policy of
// pkg/activator/net). The counter then stands above 0 until the activator restarts, and
// would keep the last pod of a revision that nobody asks. The activator's
// concurrency does not have this mistake: a request that is held shows there.

// leakAfter is how long a concurrency of 0 has to contradict a counter before what the counter showed
// all the time is taken for forgotten. The activator renews concurrencies each second, and the
// first two may leave the first request out. Not measured: a minute of one pod, once for
// each such panic, is cheap beside a request that is not seen because an activator is starved.
const leakAfter = time.Minute

// heldAfter is how long the concurrency has to show a request where none is left without the
// forgotten ones, before these count again. A request that has ended shows for up to two
// seconds; more is for an activator that is late. Not measured.
const heldAfter = 5 * time.Second

// counted is what an activator's counters of one revision have shown.
type counted struct {
	// idleSince is when the concurrency began to be 0 while the counters were not, busySince when it began
	// to show a request while nothing but forgotten ones was counted; zero is no such
	// time. least is the smallest count since idleSince.
	idleSince, busySince time.Time
	least                activatorHeld
	// forgotten is what the activator no longer holds, and counts still.
	forgotten activatorHeld
}

// see takes a reading in and returns what the activator holds.
func (c *counted) see(h activatorHeld, idle bool, now time.Time) activatorHeld {
	c.forgotten = least(c.forgotten, h) // a counter that fell began anew
	c.busySince = lasting(!idle && c.forgotten == h, c.busySince, now)
	if !c.busySince.IsZero() && now.Sub(c.busySince) >= heldAfter {
		c.forgotten = activatorHeld{}
	}
	if c.idleSince = lasting(idle, c.idleSince, now); c.idleSince.Equal(now) {
		c.least = h
	}
	c.least = least(c.least, h)
	if idle && now.Sub(c.idleSince) >= leakAfter {
		c.forgotten = c.least
	}
	return activatorHeld{queued: h.queued - c.forgotten.queued, active: h.active - c.forgotten.active}
}

// lasting is since when something is true: since, or now where that is the beginning.
func lasting(is bool, since, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case since.IsZero():
		return now
	}
	return since
}

func least(a, b activatorHeld) activatorHeld {
	return activatorHeld{queued: min(a.queued, b.queued), active: min(a.active, b.active)}
}

// believed takes from the counters what the activator has forgotten to count down, and says so
// once; activators.mu is held.
func (a *activators) believed(r *activator, p activatorPage) map[Key]activatorHeld {
	now, before := a.now(), r.counted
	r.counted = map[Key]counted{}
	held := map[Key]activatorHeld{}
	for rev, h := range p.held {
		c := before[rev]
		known := c.forgotten
		if held[rev] = c.see(h, p.reports && !p.busy[rev], now); held[rev] == (activatorHeld{}) {
			delete(held, rev)
		}
		r.counted[rev] = c
		if c.forgotten.queued > known.queued || c.forgotten.active > known.active {
			a.log.Warn("the activator counts requests that it does not hold (its concurrency is 0); they are left out until it restarts",
				"pod", r.Name, "namespace", rev.Namespace, "revision", rev.Name, "queued", c.forgotten.queued, "active", c.forgotten.active)
		}
	}
	return held
}
