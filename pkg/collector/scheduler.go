package collector

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// scheduler gives every target its turn. No goroutine waits for a single target:
//
//	due (heap by time) --dispatch--> lane (a queue per namespace) --worker--> due
//
// While its mutex is held nothing else is locked but a connection that is closed.
type scheduler struct {
	mu   sync.Mutex
	due  dueHeap
	wake chan struct{}
	// lanes are of targets that answer soon, and of those that fail or are slow.
	lanes [2]*lane
	// stretch is by how much the intervals are longer than the shortest ones, in quarters.
	stretch atomic.Int64
}

const (
	healthyLane = iota
	slowLane
)

// slowAfter is the time of a scrape from which its target counts as slow: a real
// engine answers in 1 to 20 ms, and a slot is taken for as long as an answer takes.
const slowAfter = 250 * time.Millisecond

func newScheduler(parallelism int) *scheduler {
	slow := max(parallelism/2, 1)
	s := &scheduler{wake: make(chan struct{}, 1), lanes: [2]*lane{newLane(parallelism - slow), newLane(slow)}}
	s.stretch.Store(4)
	return s
}

// add gives a target its first turn at the time at.
func (s *scheduler) add(t *target, at time.Time) {
	s.mu.Lock()
	t.next = at
	heap.Push(&s.due, t)
	s.mu.Unlock()
	s.awake()
}

// advance moves a target's turn to the time at; false when its turn is no later, or has
// come already.
func (s *scheduler) advance(t *target, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.gone || !t.due || !at.Before(t.next) {
		return false
	}
	t.next = at
	heap.Fix(&s.due, t.index)
	if s.due[0] == t {
		s.awake()
	}
	return true
}

// awake makes dispatch look at what is due.
func (s *scheduler) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drop ends a target, and its scrape if one is under way.
func (s *scheduler) drop(t *target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.gone {
		return
	}
	t.gone = true
	close(t.quit)
	t.connection.Close()
}

// enqueue moves what is due at now to the lanes and returns the time until the next.
func (s *scheduler) enqueue(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 {
		t := s.due[0]
		if wait := t.next.Sub(now); wait > 0 && !t.gone {
			return wait
		}
		heap.Pop(&s.due)
		if !t.gone {
			s.lanes[t.lane].push(t)
		}
	}
	return time.Hour
}

// take returns a target of the lane that may be scraped now; nil when there is none.
func (s *scheduler) take(lane int) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[lane].next()
}

// done gives the target's slot back and plans its next turn.
func (s *scheduler) done(t *target, lane int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[lane].release(t.rev.key.Namespace)
	if t.gone {
		return
	}
	t.next = next
	heap.Push(&s.due, t)
	if s.due[0] == t {
		s.awake()
	}
}

// dispatch starts workers for what is due until ctx ends.
func (c *Collector) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.scheduler.wake:
		}
		wait := c.scheduler.enqueue(c.clock.now())
		for lane := range c.scheduler.lanes {
			c.startWorkers(ctx, lane)
		}
		timer.Reset(wait)
	}
}

// startWorkers starts a worker for every target of a lane that may be scraped now.
func (c *Collector) startWorkers(ctx context.Context, lane int) {
	for {
		t := c.scheduler.take(lane)
		if t == nil {
			return
		}
		c.pollers.Go(func() { c.work(ctx, t, lane) })
	}
}

// work scrapes a target, and then others of the lane as long as any waits.
func (c *Collector) work(ctx context.Context, t *target, lane int) {
	for t != nil {
		s := c.takeScratch()
		confirm := c.scrapeSafely(t, s)
		c.giveScratch(s)
		c.scheduler.done(t, lane, c.nextTurn(t, confirm))
		if ctx.Err() != nil {
			return
		}
		t = c.scheduler.take(lane)
	}
}

// nextTurn is when a target is scraped again, and sets its lane for that.
func (c *Collector) nextTurn(t *target, confirm bool) time.Time {
	now := c.clock.now()
	t.rev.mu.Lock()
	defer t.rev.mu.Unlock()
	t.lane = healthyLane
	if t.misses > 0 || t.took > slowAfter {
		t.lane = slowLane
	}
	if confirm && t.mayConfirm(now) {
		return now.Add(confirmAfter)
	}
	wait := t.plan(now) + t.extra
	if t.trouble != nil {
		wait += t.trouble.rest
	}
	return now.Add(wait)
}

// extra is what a page that costs n bytes adds to the interval of its target: a second per
// MiB beyond smallBody. A MiB takes 1 to 3 ms to parse, so that 300 pods with pages
// of 2 MiB take less than half a core.
func extra(n int) time.Duration {
	return time.Second * time.Duration(max(n-smallBody, 0)) >> 20
}

// dueHeap is a heap.Interface of targets by the time of their next turn.
type dueHeap []*target

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	t := x.(*target)
	t.index, t.due = len(*h), true
	*h = append(*h, t)
}

func (h *dueHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	t.due = false
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}
