// Package liveness reports which loop of a process makes no progress, for its liveness probe.
//
// A loop takes part in one of three ways. A loop with a period beats. Work that ends, such as one
// key of a queue or one call of an event handler, is announced when it begins and when it ends, so
// that nothing is expected of a loop that waits for an event. A queue with workers is also checked
// for keys that no worker takes.
package liveness

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Monitor collects what the loops of a process report. It is safe for concurrent use. A nil
// Monitor and a nil Queue ignore every call. Times are monotonic: a step of the clock is no standstill.
type Monitor struct {
	mu     sync.Mutex
	beats  map[string]span
	work   map[*span]string
	queues []*Queue
}

// span is when a round of a loop began and how long it may take.
type span struct {
	began   time.Time
	allowed time.Duration
}

func (s span) late(now time.Time) time.Duration { return now.Sub(s.began) - s.allowed }

// New returns a Monitor without loops.
func New() *Monitor {
	return &Monitor{beats: map[string]span{}, work: map[*span]string{}}
}

// Beat reports a round of the loop of this name, which beats again within next. A loop that never
// beat is not checked: it has not begun.
func (m *Monitor) Beat(loop string, next time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beats[loop] = span{time.Now(), next}
}

// Begin reports that work has begun; the caller calls end when the work has ended. allowed is how
// long the work may wait for others by its own deadline, 0 for work that waits for nobody.
func (m *Monitor) Begin(work string, allowed time.Duration) (end func()) {
	if m == nil {
		return func() {}
	}
	s := &span{time.Now(), allowed}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work[s] = work
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.work, s)
	}
}

// Check returns an error that names every loop that is limit late, nil when there is none. A queue
// counts from the first Check that finds its keys waiting, so Check must be called regularly.
func (m *Monitor) Check(limit time.Duration) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var errs []error
	for loop, s := range m.beats {
		if s.late(now) > limit {
			errs = append(errs, fmt.Errorf("%s has stood still for %v", loop, now.Sub(s.began).Round(time.Second)))
		}
	}
	for s, work := range m.work {
		if s.late(now) > limit {
			errs = append(errs, fmt.Errorf("%s has not ended after %v", work, now.Sub(s.began).Round(time.Second)))
		}
	}
	for _, q := range m.queues {
		errs = append(errs, q.check(now, limit))
	}
	return errors.Join(errs...)
}
