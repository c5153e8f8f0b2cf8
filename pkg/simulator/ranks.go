package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// ranks is the engines of one pod: one, or with data parallelism several that
// share nothing but the pod's metrics endpoint and the balancer in front of them.
type ranks struct {
	first *engine.Engine
	// more is the others; nil with one.
	more []*engine.Engine
	// turn is the rank that goes first among equals.
	turn int
	// skew is the share of the requests that go to the first rank whatever its load, by draws; 0 is none.
	skew  float64
	draws *rand.Rand
}

// newRanks returns n idle engines.
func newRanks(p engine.Profile, n int, done func(engine.Completion)) (r ranks, err error) {
	if r.first, err = engine.New(p, done); err != nil {
		return r, err
	}
	for range n - 1 {
		e, err := engine.New(p, done)
		if err != nil {
			return r, err
		}
		r.more = append(r.more, e)
	}
	return r, nil
}

// Advance moves all engines to a time. Each reports what has ended in the order
// of time, one engine after the other.
func (r *ranks) Advance(to time.Duration) {
	r.first.Advance(to)
	for _, e := range r.more {
		e.Advance(to)
	}
}

// Drain runs all engines until nothing is left.
func (r *ranks) Drain() {
	r.first.Drain()
	for _, e := range r.more {
		e.Drain()
	}
}

// Next is the earliest of the engines.
func (r *ranks) Next() time.Duration {
	next := r.first.Next()
	for _, e := range r.more {
		next = min(next, e.Next())
	}
	return next
}

// Submit gives a request to the first rank with the probability skew, and otherwise to the rank with
// the least load, the first one left out if there is a skew.
func (r *ranks) Submit(q engine.Request) error {
	switch {
	case r.more == nil:
		return r.first.Submit(q)
	case r.skew == 0:
		return r.leastLoaded(0).Submit(q)
	case r.draws.Float64() < r.skew:
		return r.first.Submit(q)
	}
	return r.leastLoaded(1).Submit(q)
}

// leastLoaded is the rank with the least load of those from a number on, as vLLM's balancer
// weighs the load: a waiting request counts as four that run.
func (r *ranks) leastLoaded(from int) *engine.Engine {
	n := len(r.more) + 1 - from
	best, least := 0, 0
	for i := range n {
		k := from + (r.turn+i)%n
		l := r.rank(k).Load()
		if load := 4*l.Waiting + l.Running; i == 0 || load < least {
			best, least = k, load
		}
	}
	r.turn = (best - from + 1) % n
	return r.rank(best)
}

func (r *ranks) rank(i int) *engine.Engine {
	if i == 0 {
		return r.first
	}
	return r.more[i-1]
}

// Abort takes all requests out of all engines.
func (r *ranks) Abort() []engine.Request {
	lost := r.first.Abort()
	for _, e := range r.more {
		lost = append(lost, e.Abort()...)
	}
	return lost
}

// Expire takes out of all engines what has waited since before a limit.
func (r *ranks) Expire(at, limit time.Duration) []engine.Request {
	expired := r.first.Expire(at, limit)
	for _, e := range r.more {
		expired = append(expired, e.Expire(at, limit)...)
	}
	return expired
}

// Counters is what a collector makes of the pod's metrics endpoint: sums over
// the ranks, and the use of the KV cache that a request in it meets.
func (r *ranks) Counters(at time.Duration) engine.Counters {
	if r.more == nil {
		return r.first.Counters(at)
	}
	c := r.first.Counters(at)
	squares := c.KVUsage * c.KVUsage
	c.Fullest = engine.FullestRank{Running: c.Running, Waiting: c.Waiting, PromptTokens: c.PromptTokens}
	for i, e := range r.more {
		m := e.Counters(at)
		if m.PromptTokens > c.Fullest.PromptTokens {
			c.Fullest = engine.FullestRank{Number: i + 1, Running: m.Running, Waiting: m.Waiting, PromptTokens: m.PromptTokens}
		}
		squares += m.KVUsage * m.KVUsage
		c.Add(m)
	}
	c.KVUsage = weighted(c.KVUsage, squares)
	return c
}

// weighted is the mean of shares, each weighted by itself, as the collector has it.
func weighted(sum, squares float64) float64 {
	if sum <= 0 {
		return 0
	}
	return squares / sum
}

// Load is the sum over the ranks, and the use of the KV cache that a request in it meets.
func (r *ranks) Load() engine.Load {
	l := r.first.Load()
	if r.more == nil {
		return l
	}
	squares := l.KVUsage * l.KVUsage
	for _, e := range r.more {
		m := e.Load()
		l.Running, l.Waiting, l.KVUsage = l.Running+m.Running, l.Waiting+m.Waiting, l.KVUsage+m.KVUsage
		squares += m.KVUsage * m.KVUsage
	}
	l.KVUsage = weighted(l.KVUsage, squares)
	return l
}

// Work is the sum over the ranks.
func (r *ranks) Work() engine.Work {
	w := r.first.Work()
	for _, e := range r.more {
		w.Add(e.Work(), 1)
	}
	return w
}

// InFlight is the sum over the ranks.
func (r *ranks) InFlight() int {
	n := r.first.InFlight()
	for _, e := range r.more {
		n += e.InFlight()
	}
	return n
}
