package collector

import (
	"math"
	"time"
)

// Load is what one pod holds, for the choice of pods to give up and for the end of
// those that were.
type Load struct {
	// Open is the larger of the requests in the engine and in the queue-proxy; NaN when
	// either is unknown.
	Open float64
	// Hits is the prompt tokens that the engine's prefix cache has served; NaN when unknown.
	Hits float64
	// Quiet is for how long samples of engine and queue-proxy have shown no open request
	// since the pod, which drains, was seen not Ready; negative while they show some, are
	// stale, or the pod is still Ready.
	Quiet time.Duration
	// Unborn is true for a pod that was seen from its beginning and never Ready.
	Unborn bool
}

// Loads returns what the pods of a revision hold, by their UIDs; nothing for a revision
// that is not watched.
func (c *Collector) Loads(key Key) map[string]Load {
	r := c.lookup(key)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := c.clock.now()
	loads := make(map[string]Load, len(r.pods))
	for uid, p := range r.pods {
		loads[uid] = r.load(p, now)
	}
	return loads
}

// load is what one pod holds. A pod is judged by its queue-proxy alone only where no
// engine of the revision was ever read.
func (r *revision) load(p *pod, now time.Time) Load {
	l := Load{Open: math.NaN(), Hits: math.NaN(), Quiet: -1, Unborn: p.unborn}
	var proxy, page *target = p.targets[queueProxy], p.targets[enginePage]
	if page.fresh(now) {
		l.Hits = float64(p.engine.totals.CachedTokens)
	}
	open, quiet := math.Inf(-1), time.Duration(math.MaxInt64)
	if !r.spec.EngineOnly {
		open, quiet = p.requests.concurrency, proxy.quietSince(p.left)
		if !proxy.fresh(now) {
			open, quiet = math.NaN(), -1
		}
	}
	if r.engineSeen || r.spec.EngineOnly {
		open = math.Max(open, p.engine.inFlight()) // NaN if either is
		if !page.fresh(now) {
			open, quiet = math.NaN(), -1
		}
		quiet = min(quiet, page.quietSince(p.left))
	}
	l.Open = open
	if !p.left.IsZero() {
		l.Quiet = quiet
	}
	return l
}

// noteQuiet keeps since when samples show nothing open; rev.mu is held.
func (t *target) noteQuiet(s *scratch, at time.Time) {
	open := s.requests.concurrency
	if t.source != queueProxy {
		open = s.engine.inFlight()
	}
	switch {
	case open != 0: // NaN as well
		t.quiet = time.Time{}
	case t.quiet.IsZero():
		t.quiet = at
	}
}

// quietSince is the time from the later of the first sample without open requests and
// left to the last sample; negative when there is no such time.
func (t *target) quietSince(left time.Time) time.Duration {
	if t == nil || t.quiet.IsZero() {
		return -1
	}
	from := t.quiet
	if left.After(from) {
		from = left
	}
	return t.good.Sub(from)
}

// UnknownLoad is the load of a pod that was never read.
func UnknownLoad() Load { return Load{Open: math.NaN(), Hits: math.NaN(), Quiet: -1} }
