package collector

import (
	"sync"
	"time"
)

// largePages are the permits for pages beyond smallBody: as many as the byte budget has
// room for pages of the largest size. Namespaces share them as they share a lane: none may
// take more than twice what is left free, so that from three permits on the slow large pages of
// one tenant leave some for the large pages of another.
type largePages struct {
	permits int

	mu         sync.Mutex
	busy       int
	namespaces map[string]int
	// waiting are the pages without a permit; the first came first.
	waiting []*permitWait
}

// permitWait is a page that waits for a permit; given is closed when the page has one.
type permitWait struct {
	namespace string
	given     chan struct{}
}

func newLargePages(o Options) *largePages {
	return &largePages{permits: int(max(o.BodyBudget/(o.MaxBody+smallBody), 1)), namespaces: map[string]int{}}
}

// acquire waits for a permit until the turn is over.
func (l *largePages) acquire(within turn, namespace string) error {
	w := &permitWait{namespace, make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, w)
	l.grant()
	l.mu.Unlock()
	timer := time.NewTimer(time.Until(within.deadline))
	defer timer.Stop()
	select {
	case <-w.given:
		return nil
	case <-within.quit:
	case <-timer.C:
	}
	l.abandon(w)
	return failed("budget", "the page is larger than %d bytes, and too many such pages were being read", smallBody)
}

// abandon takes a page that waits no longer from the queue, or gives back the permit that
// the page was given meanwhile.
func (l *largePages) abandon(w *permitWait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other == w {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
	l.giveBack(w.namespace)
}

func (l *largePages) release(namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(namespace)
}

// giveBack takes one permit back; l.mu is held.
func (l *largePages) giveBack(namespace string) {
	l.busy--
	if l.namespaces[namespace]--; l.namespaces[namespace] == 0 {
		delete(l.namespaces, namespace)
	}
	l.grant()
}

// grant gives free permits to waiting pages, the oldest first; l.mu is held.
func (l *largePages) grant() {
	left := l.waiting[:0]
	for _, w := range l.waiting {
		if l.busy < l.permits && l.namespaces[w.namespace] < 2*(l.permits-l.busy) {
			l.busy++
			l.namespaces[w.namespace]++
			close(w.given)
			continue
		}
		left = append(left, w)
	}
	clear(l.waiting[len(left):])
	l.waiting = left
}
