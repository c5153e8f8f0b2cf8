package collector

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Sample is a value with the time of its measurement and the window before
// that time which it covers; 0 is an instant.
type Sample struct {
	Value  decider.Reading
	Time   time.Time
	Window time.Duration
}

// PodSnapshot is what is known of one pod. Unknown and stale values are absent.
type PodSnapshot struct {
	Pod    Pod
	Values map[decider.Metric]Sample
}

// Snapshot is what is known of one revision. Its values are, for concurrency
// and rps, averages over the stable window of the sum over pods; for engine
// metrics sums over the pods that are known, for KV-cache usage the mean of those
// that serve, for latencies the percentile of all that ended within the stable
// window, with the time of the oldest sample. An unknown value is
// absent.
type Snapshot struct {
	// At is when it was taken, by the wall clock of who asked.
	At     time.Time
	Values map[decider.Metric]Sample
	Pods   []PodSnapshot
}

// Snapshot returns the current values for the metrics API, with their times by a wall
// clock that is at wall now. It is false when the revision is not watched.
func (c *Collector) Snapshot(key Key, wall time.Time) (Snapshot, bool) {
	return c.snapshot(key, wall, true)
}

// Gauges is Snapshot without percentiles of latencies, which take half of its time.
func (c *Collector) Gauges(key Key, wall time.Time) (Snapshot, bool) {
	return c.snapshot(key, wall, false)
}

func (c *Collector) snapshot(key Key, wall time.Time, percentiles bool) (Snapshot, bool) {
	r := c.lookup(key)
	if r == nil {
		return Snapshot{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	now := c.clock.now()
	s := Snapshot{At: wall, Values: map[decider.Metric]Sample{}, Pods: make([]PodSnapshot, 0, len(r.pods))}
	count := map[decider.Metric]int{}
	var readable []*latencies
	for _, p := range r.pods {
		one := p.snapshot(now)
		if percentiles && p.targets[enginePage].fresh(now) {
			readable = append(readable, &p.latencies)
			putLatencies(one.Values, readable[len(readable)-1:])
		}
		s.Pods = append(s.Pods, one)
		for m, v := range one.Values {
			if p.Draining && isMean(m) {
				continue // of a mean over the pods that serve
			}
			count[m]++
			s.Values[m] = combine(s.Values[m], v, count[m])
		}
	}
	for m, v := range s.Values {
		if isMean(m) {
			v.Value /= decider.Reading(count[m])
			s.Values[m] = v
		}
	}
	putLatencies(s.Values, readable)
	r.snapshotDemand(s.Values, now)
	s.setWall(now, wall)
	return s, true
}

// isMean reports whether a revision's value is the mean over its pods.
func isMean(m decider.Metric) bool {
	d, _ := m.Describe()
	return d.Over == decider.Mean
}

// setWall turns times of the collector's clock, which is at now, into the wall clock's.
func (s *Snapshot) setWall(now, wall time.Time) {
	turn := func(values map[decider.Metric]Sample) {
		for m, v := range values {
			v.Time = toWall(v.Time, now, wall)
			values[m] = v
		}
	}
	turn(s.Values)
	for _, p := range s.Pods {
		turn(p.Values)
	}
}

// combine adds the n-th pod's sample; the sum is as old as its oldest part.
func combine(sum, v Sample, n int) Sample {
	if n == 1 {
		return v
	}
	sum.Value += v.Value
	if v.Time.Before(sum.Time) {
		sum.Time = v.Time
	}
	sum.Window = max(sum.Window, v.Window)
	return sum
}

// snapshotDemand replaces the pods' last reports by the windows' averages.
func (r *revision) snapshotDemand(values map[decider.Metric]Sample, now time.Time) {
	delete(values, decider.Concurrency)
	delete(values, decider.RPS)
	if !r.demand.known(now) {
		return
	}
	at, covered := r.demand.last, r.demand.covered()
	values[decider.Concurrency] = Sample{r.demand.concurrency(now).Stable, at, covered}
	values[decider.RPS] = Sample{r.demand.rps(now).Stable, at, covered}
}

// snapshot is without percentiles.
func (p *pod) snapshot(now time.Time) PodSnapshot {
	s := PodSnapshot{Pod: p.Pod, Values: map[decider.Metric]Sample{}}
	put := func(m decider.Metric, v float64, at time.Time, window time.Duration) {
		if known(v) {
			s.Values[m] = Sample{decider.Reading(v), at, window}
		}
	}
	if t := p.targets[queueProxy]; t.fresh(now) {
		put(decider.Concurrency, p.requests.concurrency, t.good, reportPeriod)
		put(decider.RPS, p.requests.rps, t.good, reportPeriod)
	}
	if p.targets[enginePage].fresh(now) {
		for metric, of := range engineMetrics {
			v, window := of.value(p)
			put(metric, v, p.engine.at, window)
		}
	}
	return s
}
