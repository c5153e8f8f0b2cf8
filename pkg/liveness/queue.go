package liveness

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Queue is a queue of keys with workers. It is safe for concurrent use.
type Queue struct {
	monitor *Monitor
	name    string
	// length is the number of keys that wait for a worker.
	length func() int
	taken  atomic.Uint64
	busy   atomic.Int64 // workers that have a key

	// lastTaken and waitsSince are of the last Check; the Monitor's lock guards them.
	lastTaken  uint64
	waitsSince time.Time
}

// Queue returns the queue of this name; its keys are checked from Follow on.
func (m *Monitor) Queue(name string) *Queue {
	if m == nil {
		return nil
	}
	return &Queue{monitor: m, name: name}
}

// Follow checks the queue from now on: call it when the workers start, at most once. length is the
// number of keys that wait for a worker now, without those that wait for a time.
func (q *Queue) Follow(length func() int) {
	if q == nil {
		return
	}
	q.monitor.mu.Lock()
	defer q.monitor.mu.Unlock()
	q.length = length
	q.monitor.queues = append(q.monitor.queues, q)
}

// Begin reports that a worker has taken a key, see Monitor.Begin.
func (q *Queue) Begin(key string, allowed time.Duration) (end func()) {
	if q == nil {
		return func() {}
	}
	q.taken.Add(1)
	q.busy.Add(1)
	ended := q.monitor.Begin("the work on "+key+" of the queue "+q.name, allowed)
	return func() {
		q.busy.Add(-1)
		ended()
	}
}

// check fails when keys have waited for limit while every worker was free and none took a key. A
// worker that has a key has a time of its own.
func (q *Queue) check(now time.Time, limit time.Duration) error {
	waiting, taken := q.length(), q.taken.Load()
	if waiting == 0 || q.busy.Load() > 0 || taken != q.lastTaken {
		q.lastTaken, q.waitsSince = taken, time.Time{}
		return nil
	}
	if q.waitsSince.IsZero() {
		q.waitsSince = now
	}
	if now.Sub(q.waitsSince) <= limit {
		return nil
	}
	return fmt.Errorf("the queue %s has %d keys, and no worker has taken one for %v", q.name, waiting,
		now.Sub(q.waitsSince).Round(time.Second))
}
