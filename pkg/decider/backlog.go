package decider

import (
	"math"
	"time"
)

// Waiting requests are a backlog, not a level. With enough replicas no request waits, and the
// queue does not show how many replicas are too many. While ordered replicas load, the queue
// grows, and does not show how few are missing. So the count is not the queue over the target.
// It is the replicas for the demand, plus the replicas that work off the queue above the
// target within one stable window:
//
//	demand / (utilization * capacity) + max(0, waiting - target * replicas) / (capacity * window)
//
// Demand is the requests per second that arrive. Capacity is the requests per second that one
// replica begins while requests wait in it. Both are learned from the engines' counters; ADR 9
// has the figures. The numbers are in tuning.go.

// backlogState is what num_requests_waiting remembers: the beginning of the present bin, and
// what was learned. The slice is never written.
type backlogState struct {
	At time.Time `json:"at,omitzero"`
	// Outside is the requests that wait outside of the engines.
	Outside  Reading      `json:"outside"`
	Arrivals Reading      `json:"arrivals"`
	Pods     []backlogPod `json:"pods,omitempty"`
	// Demand is requests per second, unknown until it was measured; Capacity those that one
	// replica begins while requests wait in it, 0 until it was measured.
	Demand   Reading `json:"demand"`
	Capacity Reading `json:"capacity"`
	// Lowered is when the want was last lowered, or last asked for no less than there was.
	Lowered time.Time `json:"lowered,omitzero"`
	// IdleSince is since when no engine runs or queues a request; zero while one does or may.
	IdleSince time.Time `json:"idleSince,omitzero"`
}

// backlogPod is one engine's requests begun since it started, and those that wait in it.
type backlogPod struct {
	Name    string  `json:"name"`
	Begun   Reading `json:"begun"`
	Waiting Reading `json:"waiting"`
}

// newBacklog knows nothing and gives nothing back for a stable window.
func newBacklog(obs Observation) backlogState {
	return backlogState{Demand: Unknown(), Lowered: obs.Time}
}

func (st backlogState) measured() bool { return st.Capacity > 0 && st.Demand.Known() }

// observe returns the state after an observation, of a target per replica.
func (st backlogState) observe(obs Observation, target float64, window time.Duration) backlogState {
	next := st
	switch {
	case !enginesIdle(obs):
		next.IdleSince = time.Time{}
	case next.IdleSince.IsZero():
		next.IdleSince = obs.Time
	}
	passed := obs.Time.Sub(st.At)
	if passed >= 0 && passed < backlogBin {
		return next
	}
	next.At, next.Arrivals, next.Pods, next.Outside = obs.Time, obs.Arrivals.Within(math.MaxFloat64),
		backlogPodsOf(obs), queued(obs)
	if passed > 0 && passed <= maxBacklogBins*backlogBin { // otherwise there is nothing to compare with
		m := binRates{replicas: readyPods(obs), seconds: passed.Seconds(), minQueue: max(1, queueOfTarget*target)}
		m.measure(st, next)
		next.Demand = m.demand(st.Demand, passed.Seconds()/window.Seconds())
		next.Capacity = m.capacity(st.Capacity, next.Demand, passed)
	}
	return next
}

func backlogPodsOf(obs Observation) (pods []backlogPod) {
	for _, p := range obs.Pods {
		if p.Phase == Ready && len(pods) < backlogPods {
			pods = append(pods, backlogPod{p.Name, begun(p.Totals), believableRequests(p.Last().queue())})
		}
	}
	return pods
}

// begun is the requests that an engine has begun to answer; those that it has finished, where
// it does not say; unknown without both.
func begun(t Totals) Reading {
	switch {
	case !t.Known:
		return Unknown()
	case t.TTFT.Count.Known():
		return t.TTFT.Count
	}
	return t.Finished
}

// binRates is what changed in one bin. A pod has a queue if at least minQueue requests wait.
type binRates struct {
	replicas, seconds, minQueue float64
	// each is the requests per second that a replica begins on average, queued the same of
	// replicas with a queue. grown is the growth of all queues per second, came the HTTP
	// requests per second. A rate that was not measured is unknown.
	each, queued, grown, came Reading
}

// measure compares pods that are known at both ends: a queue that is not known did not shrink.
// Engines without counters are measured by the requests that came and do not wait, if the
// queues of all pods are known.
func (m *binRates) measure(st, end backlogState) {
	var begun, busy, pods, full, grew, known, stood float64
	for _, p := range end.Pods {
		before, ok := st.pod(p.Name)
		if !ok {
			continue
		}
		queue := float64(min(p.Waiting, before.Waiting))
		if n := float64(p.Begun - before.Begun); n >= 0 { // false for unknown, and after a restart
			begun, pods = begun+n, pods+1
			if queue >= m.minQueue {
				busy, full = busy+n, full+1
			}
		}
		if d := p.Waiting - before.Waiting; d.Known() {
			grew, known = grew+float64(d), known+1
			if queue >= m.minQueue {
				stood++
			}
		}
	}
	m.each, m.queued, m.grown = Unknown(), Unknown(), Unknown()
	m.came = (end.Arrivals - st.Arrivals) / Reading(m.seconds)
	if known > 0 {
		grew *= max(1, m.replicas/known)
		if d := end.Outside - st.Outside; d.Known() {
			grew += float64(d)
		}
		m.grown = Reading(grew / m.seconds)
	}
	switch {
	case pods > 0:
		m.each = Reading(begun / pods / m.seconds)
		if full > 0 {
			m.queued = Reading(busy / full / m.seconds)
		}
	case known >= m.replicas && m.came >= 0:
		m.each = max(0, m.came-m.grown) / Reading(m.replicas)
		if stood == known {
			m.queued = m.each
		}
	}
}

func (st backlogState) pod(name string) (backlogPod, bool) {
	for _, p := range st.Pods {
		if p.Name == name {
			return p, true
		}
	}
	return backlogPod{}, false
}

// capacity is the capacity after a bin. An engine that begins nothing while requests wait is
// stuck, which says nothing of its capacity. Without a queue the demand that each replica
// serves, a mean over a stable window, shows the least that the capacity can be.
func (m binRates) capacity(old, demand Reading, passed time.Duration) Reading {
	switch {
	case m.queued > 0 && old > 0:
		return old + capacityWeight*(m.queued-old)
	case m.queued > 0:
		return m.queued
	case !(old > 0):
		return 0
	}
	regained := old * Reading(1+capacityRegain*passed.Minutes())
	if served := demand / Reading(m.replicas); m.grown <= 0 && served > regained {
		return served
	}
	return regained
}

// demand is the demand after a bin, a mean over about a stable window.
func (m binRates) demand(old Reading, share float64) Reading {
	served := m.each * Reading(m.replicas)
	now := served + m.grown
	if !now.Known() {
		return old
	}
	limit := served
	if m.came > limit {
		limit = m.came
	}
	now = min(max(0, now), maxDemandGrowth*limit)
	if !old.Known() {
		return now
	}
	return old + Reading(min(1, share))*(now-old)
}

// count is the number of replicas for the backlog. Until the capacity was measured it is HPA's,
// the backlog over the target, and no more than there are while replicas start.
//
// Worked: 2 replicas begin 1.5 requests/s each, 4 come, 60 wait, the target is 5 and the
// window a minute: 4 / (0.8*1.5) + (60 - 2*5) / (1.5*60) = 3.33 + 0.56, so 4 replicas, where
// the backlog over the target is 12.
func (st backlogState) count(pods podSum, spec Spec, t Target, obs Observation) int32 {
	if !st.measured() {
		n := pods.count(spec, t, obs)
		if anyComing(spec, obs) {
			return min(n, obs.Replicas)
		}
		return n
	}
	tolerated := t.Value * float64(pods.known+pods.missing)
	need := float64(st.Demand) / (utilization * float64(st.Capacity))
	if pods.sum <= tolerated*(1+spec.Tolerance) {
		return toCount(math.Ceil(need * (1 - epsilon)))
	}
	need += (pods.sum - tolerated) / (float64(st.Capacity) * spec.StableWindow.Seconds())
	return max(obs.Replicas, toCount(math.Ceil(need*(1-epsilon))))
}
