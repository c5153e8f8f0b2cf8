package rollup

import (
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

const (
	// warmShare is the share of the Ready pods that has to be read once before a
	// replica is Ready: a few pods that do not answer are usual, for example while
	// their engine loads.
	warmShare = .95
	// warmLimit is how long a replica waits for that. 10,000 pods are read once
	// within the interval of their engine, 2 s, after their PodAutoscalers are
	// reconciled; a replica is to be Ready within 30 s of its start.
	warmLimit = 20 * time.Second
)

// WarmUp holds readiness back until the replica has numbers to serve, so that a
// HorizontalPodAutoscaler does not get 404 from a new replica during a rollout.
// Once Ready it stays so: pods that go stale later are no reason to take the
// metrics API away from the others. It is safe for concurrent use.
type WarmUp struct {
	view View
	log  *slog.Logger

	mu    sync.Mutex
	since time.Time
	done  bool
}

// NewWarmUp returns a WarmUp whose wait has not begun.
func NewWarmUp(v View, log *slog.Logger) *WarmUp { return &WarmUp{view: v, log: log} }

// Ready reports whether enough pods were read, or the wait is over. The wait
// begins with the first question after the caches are synced.
func (w *WarmUp) Ready(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return true
	}
	if w.since.IsZero() {
		w.since = now
	}
	read, pods := w.view.readOnce()
	switch {
	case float64(read) >= warmShare*float64(pods):
		w.done = true
	case now.Sub(w.since) >= warmLimit:
		w.done = true
		w.log.Warn("Ready although pods were not read yet: they do not answer, or there are more than this replica reads in time; the metrics API has no values of them",
			"read", read, "pods", pods, "waited", warmLimit.String())
	}
	return w.done
}

// readOnce counts the Ready pods of the observed revisions, and those with a
// value. A revision that is not watched yet counts as one pod that was not read.
func (v View) readOnce() (read, pods int) {
	for _, pa := range v.observed("", labels.Everything()) {
		s, ok := v.snapshot(revisionOf(pa))
		if !ok {
			pods++
			continue
		}
		for _, p := range s.Pods {
			if !p.Pod.Ready {
				continue
			}
			pods++
			if len(p.Values) > 0 {
				read++
			}
		}
	}
	return read, pods
}
