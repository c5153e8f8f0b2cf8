package liveness

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const limit = 30 * time.Second

// standsStill waits and checks what Check says then: part of an error, or "" for none.
func standsStill(t *testing.T, m *Monitor, after time.Duration, want string) {
	t.Helper()
	time.Sleep(after)
	switch err := m.Check(limit); {
	case want == "" && err != nil:
		t.Errorf("after %v more: %v, want no error", after, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("after %v more: %v, want %q", after, err, want)
	}
}

func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		standsStill(t, m, 24*time.Hour, "") // nothing has begun
		m.Beat("the clock", time.Hour)
		standsStill(t, m, time.Hour+limit, "")
		standsStill(t, m, time.Second, "the clock has stood still for 1h0m31s")
		m.Beat("the clock", time.Hour)
		standsStill(t, m, time.Hour, "")
	})
}

func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		short, long := m.Begin("a call", 0), m.Begin("a request", time.Minute)
		standsStill(t, m, limit, "")
		standsStill(t, m, time.Second, "a call has not ended after 31s")
		short()
		standsStill(t, m, 0, "")
		standsStill(t, m, time.Minute, "a request has not ended after 1m31s")
		long()
		standsStill(t, m, 24*time.Hour, "")
	})
}

// The error of Check names every loop that hangs. A nil Monitor reports none.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		m.Beat("a", 0)
		m.Begin("b", 0)
		time.Sleep(time.Minute)
		standsStill(t, m, 0, "a has stood still")
		standsStill(t, m, 0, "b has not ended")

		var none *Monitor
		none.Beat("a", 0)
		none.Begin("b", 0)()
		q := none.Queue("q")
		q.Follow(func() int { return 1 })
		q.Begin("k", 0)()
		standsStill(t, none, time.Hour, "")
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		q, waiting := m.Queue("q"), 5
		standsStill(t, m, time.Hour, "") // the workers have not begun
		q.Follow(func() int { return waiting })
		for range 6 { // the workers wait for a slow API server, each until its deadline
			end := q.Begin("k", limit)
			standsStill(t, m, limit/2, "")
			standsStill(t, m, limit/2, "")
			standsStill(t, m, 0, "")
			end()
		}
		standsStill(t, m, limit, "") // the first look since a worker was seen
		standsStill(t, m, limit, "")
		standsStill(t, m, time.Second, "the queue q has 5 keys, and no worker has taken one for 31s")
		q.Begin("k", 0)()
		standsStill(t, m, 0, "")

		waiting = 0
		standsStill(t, m, 24*time.Hour, "") // nothing to do
		waiting = 1
		standsStill(t, m, 0, "") // what came now has not waited since yesterday
		q.Begin("stuck", limit)
		standsStill(t, m, 2*limit+time.Second, "the work on stuck of the queue q has not ended after 1m1s")
	})
}
