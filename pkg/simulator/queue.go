package simulator

import (
	"errors"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// waiting is a request in front of the engines.
type waiting struct {
	request engine.Request // its Arrival is the client's
	// prefix is for the router; the engine gets it only if it has a prefix cache.
	prefix *engine.Prefix
	// retried is set when it has lost a pod already.
	retried bool
}

// queue is the activator with the queue-proxies' breakers: first come, first served.
type queue struct {
	items      []waiting
	head, size int
}

func (q *queue) push(w waiting) {
	if q.head > 1024 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, w)
	q.size++
}

func (q *queue) front() *waiting { return &q.items[q.head] }

func (q *queue) pop() waiting {
	w := q.items[q.head]
	q.items[q.head] = waiting{}
	q.head++
	if q.size--; q.size == 0 {
		q.items, q.head = q.items[:0], 0
	}
	return w
}

// route gives a request to a pod, or to the queue.
func (f *Fleet) route(w waiting) error {
	if f.queue.size > 0 {
		f.queue.push(w)
		return nil
	}
	p := f.choose(w.prefix)
	if p == nil {
		f.queue.push(w)
		return nil
	}
	return f.send(p, w)
}

// choose is the pod for a request, nil while none can take it.
func (f *Fleet) choose(prefix *engine.Prefix) *pod {
	p := f.router.idlest()
	if p == nil || f.full(p) {
		return nil
	}
	if f.cfg.Routing != PrefixAware {
		return p
	}
	if known := f.affinity.choose(prefix, p); known != nil && !f.full(known) {
		p = known
	}
	if prefix != nil {
		f.affinity.remember(p, f.cfg.Engine.KVTokens/prefix.Tokens*int(f.router.ready))
	}
	return p
}

// full reports whether a pod's queue-proxy queues requests.
func (f *Fleet) full(p *pod) bool {
	return f.cfg.ContainerConcurrency > 0 && p.inFlight >= f.cfg.ContainerConcurrency*f.http.prompts
}

// send gives a request to a pod's engine.
func (f *Fleet) send(p *pod, w waiting) error {
	r := w.request
	if r.Arrival != f.now || w.retried {
		r.ID = f.sent.put(w)
		r.Arrival = f.now
	}
	if f.cfg.PrefixCache {
		r.Prefix = w.prefix
	}
	if err := p.engine.Submit(r); err != nil {
		if r.ID != 0 {
			f.sent.take(r.ID)
		}
		if errors.Is(err, engine.ErrTooLong) {
			f.inFlight.add(f.now, -1)
			f.score.refuse(w.request.Arrival)
			return nil
		}
		return err
	}
	f.router.change(p, p.inFlight+1)
	p.due = p.engine.Next()
	f.due.fix(p)
	return nil
}

// dispatch sends queued requests while a pod can take them.
func (f *Fleet) dispatch() error {
	for f.queue.size > 0 {
		p := f.choose(f.queue.front().prefix)
		if p == nil {
			return nil
		}
		if err := f.send(p, f.queue.pop()); err != nil {
			return err
		}
	}
	return nil
}

// expire refuses what has waited for too long, in front of the engines or
// within, as Knative's queue-proxy ends a request after timeoutSeconds.
func (f *Fleet) expire() {
	if f.cfg.QueueTimeout == 0 {
		return
	}
	for _, p := range slices.Backward(f.pods) { // for one may be deleted
		f.expireIn(p)
	}
	for f.queue.size > 0 && f.now-f.queue.front().request.Arrival > f.cfg.QueueTimeout {
		w := f.queue.pop()
		f.inFlight.add(f.now, -1)
		f.score.refuse(w.request.Arrival)
	}
}

// expireIn refuses what has waited in a pod's engine. The time in an engine
// counts, and what a request has spent before does not.
func (f *Fleet) expireIn(p *pod) {
	if p.place < 0 {
		return
	}
	expired := p.engine.Expire(f.now, f.now-f.cfg.QueueTimeout)
	if len(expired) == 0 {
		return
	}
	for _, r := range expired {
		if r.ID != 0 {
			r.Arrival = f.sent.take(r.ID).arrival
		}
		f.score.refuse(r.Arrival)
	}
	f.inFlight.add(f.now, -int64(len(expired)))
	f.router.change(p, p.inFlight-len(expired))
	p.due = p.engine.Next()
	f.due.fix(p)
	if p.phase == Draining && p.inFlight == 0 {
		p.ended = f.now
		f.drained(p, f.now)
	}
}

// again sends a request whose pod is gone to another one, once: a gateway
// retries a request without an answer, and a client gives up after that.
func (f *Fleet) again(r engine.Request) error {
	w := waiting{request: r, prefix: r.Prefix, retried: true}
	if r.ID != 0 {
		before := f.sent.take(r.ID)
		if before.retried {
			f.score.lose(before.arrival)
			return nil
		}
		w.request.ID, w.request.Arrival = 0, before.arrival
	}
	f.inFlight.add(f.now, 1)
	return f.route(w)
}

// sent remembers, for the few requests that did not go straight from the
// client to an engine, what the engine does not see. IDs are above 0.
type sent struct {
	entries []sentEntry
	free    []int32
}

type sentEntry struct {
	arrival time.Duration
	retried bool
}

func (s *sent) put(w waiting) int32 {
	e := sentEntry{w.request.Arrival, w.retried}
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.entries[id-1] = e
		return id
	}
	s.entries = append(s.entries, e)
	return int32(len(s.entries))
}

func (s *sent) take(id int32) sentEntry {
	s.free = append(s.free, id)
	return s.entries[id-1]
}
