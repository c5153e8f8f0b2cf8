package podautoscaler

import (
	"maps"
	"sync"
	"time"
)

// drains remembers for how long pods have been draining, by namespace/name, so that a wall
// clock that is set ends no drain early. What went before this process saw a drain is read
// from the pod, so that another leader does not begin to count anew.
type drains struct {
	mu   sync.Mutex
	seen map[string]drained
}

type drained struct {
	activation
	// used is when it was asked for last, as the time for which the process ran.
	used time.Duration
}

// drainUnused is how long a drain is remembered that nobody asks for. The reconciler asks every
// second while a pod drains.
const drainUnused = time.Minute

// lasting is for how long a pod has been draining whose gate was closed at the wall clock's
// time closedAt.
func (d *drains) lasting(pod string, closedAt, wall time.Time, running time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	got, ok := d.seen[pod]
	if !ok || !got.since.Equal(closedAt) {
		maps.DeleteFunc(d.seen, func(_ string, old drained) bool { return running-old.used > drainUnused })
		got.activation = activation{since: closedAt, before: max(wall.Sub(closedAt), 0), at: running}
	}
	if d.seen == nil {
		d.seen = map[string]drained{}
	}
	got.used = running
	d.seen[pod] = got
	return got.before + running - got.at
}
