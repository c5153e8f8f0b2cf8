package rollup

import (
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// snapshotTTL is how long the metrics API reuses what is known of a revision.
// Readers of many namespaces and metrics ask for the same revision many times a
// second, and one snapshot computes every metric of all its pods: 500 lists a second
// took 1.6 ms of CPU each. A value keeps the time of
// its own sample; an engine is read every 0.25 to 2 s.
const snapshotTTL = 500 * time.Millisecond

// snapshotCache reuses snapshots for snapshotTTL. It is safe for concurrent use;
// what it returns is shared and only read.
type snapshotCache struct {
	from Snapshots

	mu     sync.Mutex
	pruned time.Time
	newest map[snapshotKey]cachedSnapshot
}

// snapshotKey is of a snapshot with or without percentiles of latencies.
type snapshotKey struct {
	collector.Key
	gauges bool
}

type cachedSnapshot struct {
	at time.Time
	collector.Snapshot
	watched bool
}

func newSnapshotCache(from Snapshots) *snapshotCache {
	return &snapshotCache{from: from, newest: map[snapshotKey]cachedSnapshot{}}
}

// Snapshot implements Snapshots.
func (c *snapshotCache) Snapshot(r collector.Key, now time.Time) (collector.Snapshot, bool) {
	return c.take(snapshotKey{r, false}, now, c.from.Snapshot)
}

// Gauges implements Snapshots.
func (c *snapshotCache) Gauges(r collector.Key, now time.Time) (collector.Snapshot, bool) {
	return c.take(snapshotKey{r, true}, now, c.from.Gauges)
}

func (c *snapshotCache) take(key snapshotKey, now time.Time,
	from func(collector.Key, time.Time) (collector.Snapshot, bool)) (collector.Snapshot, bool) {
	c.mu.Lock()
	s, ok := c.newest[key]
	c.mu.Unlock()
	if age := now.Sub(s.at); ok && age >= 0 && age < snapshotTTL {
		return s.Snapshot, s.watched
	}
	s = cachedSnapshot{at: now}
	s.Snapshot, s.watched = from(key.Key, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prune(now)
	if s.watched { // a name that is not watched takes no memory
		c.newest[key] = s
	}
	return s.Snapshot, s.watched
}

// prune drops, every ten seconds, what nobody asked for lately; c.mu is held.
func (c *snapshotCache) prune(now time.Time) {
	if age := now.Sub(c.pruned); age >= 0 && age < 10*time.Second {
		return
	}
	c.pruned = now
	for r, s := range c.newest {
		if age := now.Sub(s.at); age < 0 || age >= snapshotTTL {
			delete(c.newest, r)
		}
	}
}
