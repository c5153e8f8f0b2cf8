package collector

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// One tenant's large pages that never end leave permits for another's, and what waits
// gets a permit that comes back.
func TestLargePages_namespacesShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLargePages(Options{BodyBudget: 15 * (2<<20 + smallBody), MaxBody: 2 << 20})
		soon := turn{deadline: time.Now().Add(time.Second)}
		taken := 0
		for range 15 {
			if l.acquire(soon, "greedy") == nil {
				taken++
			}
			soon.deadline = time.Now().Add(time.Second)
		}
		if taken != 10 {
			t.Errorf("one namespace has %d of 15 permits, want 10", taken)
		}
		for i := range 3 {
			if err := l.acquire(soon, "other"); err != nil {
				t.Errorf("large page %d of another namespace: %v", i+1, err)
			}
		}
		if err := l.acquire(turn{deadline: time.Now().Add(time.Minute), quit: closed()}, "greedy"); err == nil {
			t.Error("a permit for a turn that is over")
		}
		got := make(chan error)
		go func() { got <- l.acquire(turn{deadline: time.Now().Add(time.Minute)}, "greedy") }()
		synctest.Wait()
		for range 4 {
			l.release("greedy")
		}
		if err := <-got; err != nil {
			t.Errorf("a page that waited: %v", err)
		}
		for range taken - 4 + 1 {
			l.release("greedy")
		}
		for range 3 {
			l.release("other")
		}
		if l.busy != 0 || len(l.namespaces) != 0 || len(l.waiting) != 0 {
			t.Errorf("%d permits, %v, %d waiting are left, want none", l.busy, l.namespaces, len(l.waiting))
		}
	})
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// A page takes no more room than the budget reckons with, whatever it says of its length.
func TestReadSmall_room(t *testing.T) {
	for _, tt := range []struct{ said, is, room int }{
		{-1, smallBody - 1, smallBody + 8<<10}, {75 << 10, 75 << 10, 84 << 10}, {122_624, 122_624, smallBody + 8<<10},
		{10, smallBody - 1, 2 * smallBody}, // not what HTTP would read
	} {
		s := &scratch{room: newRoom()}
		s.response.Length = int64(tt.said)
		n, err := New(Options{}).readSmall(s, bytes.NewReader(make([]byte, tt.is)))
		if err != nil || int(n) != tt.is || s.body.Cap() > tt.room {
			t.Errorf("length %d: %d bytes in a buffer of %d, %v; want at most %d", tt.said, n, s.body.Cap(), err, tt.room)
		}
	}
}
