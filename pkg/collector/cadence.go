package collector

import (
	"math"
	"time"
)

// How often a target is read follows the number of targets, the role of this replica
// and what a page costs the engine (ADR 10):
//
//	leader:  the interval by size, but an engine no more often than the budget allows
//	standby: standbyFactor times the interval by size, and a part of the budget of its own
//
// A Python engine renders its page on the loop that streams tokens, so all readers
// together take at most engineShare of its time.
const (
	engineShare = 0.01
	// standbyShare is the standby's part of engineShare, and extraShare the leader's part
	// for readings out of turn. The leader's regular readings have the rest.
	standbyShare, extraShare = engineShare / 6, engineShare / 6
	// standbyFactor is how many times the leader's interval by size a standby's is.
	standbyFactor = 5
	// maxLeaderInterval and maxStandbyInterval bound what the budget asks for. The first is
	// a bin of the policy slo, which needs a reading in each; the second is the age of
	// values that the metrics API of a standby may serve: two periods of a
	// HorizontalPodAutoscaler.
	maxLeaderInterval, maxStandbyInterval = 10 * time.Second, 30 * time.Second
)

// affordable is the shortest interval at which this replica may read an engine whose page
// takes so much of its time. With 4 ms the leader reads every 0.6 s and the standby
// every 2.4 s, with 61 ms (16 data-parallel ranks) every 9.7 and 30 s.
func affordable(cost time.Duration, leads bool) time.Duration {
	if cost <= 0 {
		return 0
	}
	c := cost.Seconds()
	standby := min(c/standbyShare, maxStandbyInterval.Seconds())
	if !leads {
		return seconds(standby)
	}
	rest := engineShare - extraShare - c/standby
	if rest <= 0 {
		return maxLeaderInterval
	}
	return min(seconds(c/rest), maxLeaderInterval)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// setTargets fits the intervals to the number of targets of each source.
func (c *Collector) setTargets(counts [sources]int) {
	rate := 0.0
	for s, n := range counts {
		rate += float64(n) / c.o.shortest(source(s)).Seconds()
	}
	quarters := math.Ceil(4 * rate / c.o.ReadingsPerSecond)
	c.scheduler.stretch.Store(int64(max(quarters, 4)))
}

// interval is the time between two scrapes of a target of the source by the leader, as
// it follows from the number of targets.
func (c *Collector) interval(s source) time.Duration {
	shortest := c.o.shortest(s)
	longest := max(c.o.MaxEngineInterval, shortest)
	if s == queueProxy {
		longest = max(c.o.MaxQueueProxyInterval, shortest)
	}
	return min(shortest*time.Duration(c.scheduler.stretch.Load())/4, longest)
}

func (o *Options) shortest(s source) time.Duration {
	if s == queueProxy {
		return o.QueueProxyInterval
	}
	return o.EngineInterval
}

// sizeInterval is the time between two scrapes of the target in this replica's role,
// whatever a page costs.
func (t *target) sizeInterval() time.Duration {
	interval := t.rev.c.interval(t.source)
	if t.source == pickerPage && t.rev.hurried.Load() {
		interval = min(interval, fastReading(t.cost.estimate()))
	}
	if !t.rev.leads.Load() {
		interval *= standbyFactor
	}
	return interval
}

// interval is the time between two scrapes now.
func (t *target) interval() time.Duration {
	return max(t.sizeInterval(), affordable(time.Duration(t.pageCost.Load()), t.rev.leads.Load()))
}

// plan returns the time to the target's next scrape; rev.mu is held. A target that is
// read as its size allows has its place in the interval. One that the budget holds back
// waits for a whole interval, so that a reading out of turn replaces the next one.
// A failure cost the engine nothing, unless it was given too little time.
func (t *target) plan(now time.Time) time.Duration {
	interval := t.interval()
	if cheap := t.trouble != nil && t.trouble.cause != causeTimeout; cheap || interval <= t.sizeInterval() {
		interval = t.sizeInterval()
		t.planned = interval
		return t.untilNext(now, interval)
	}
	t.planned = interval
	return interval
}

// untilNext is the time to the next point of the target's grid.
func (t *target) untilNext(now time.Time, interval time.Duration) time.Duration {
	offset := int64(t.hash % uint64(interval))
	since := (now.UnixNano() - offset) % int64(interval)
	return interval - time.Duration(since)
}

// cost is what one page takes of an engine's time: the shortest response of the last
// costPeriod to twice that, so that waiting behind the engine's work is not counted as
// long as some response did not wait.
type cost struct {
	// shortest is that of the period that began at since, before that of the period before.
	shortest, before time.Duration
	since            time.Time
	// whole is true once there was a period before.
	whole bool
	// responses counts up to minResponses.
	responses int
}

const (
	costPeriod = 5 * time.Minute
	// minResponses is the number of responses before which nothing is known: the first one
	// includes a new connection, and an engine that renders its first page.
	minResponses = 3
)

// add takes the time of a response.
func (c *cost) add(at time.Time, took time.Duration) {
	if at.Sub(c.since) >= costPeriod {
		c.before, c.whole = c.shortest, !c.since.IsZero()
		c.shortest, c.since = took, at
	}
	c.shortest = min(c.shortest, took)
	c.responses = min(c.responses+1, minResponses)
}

// estimate is 0 while the cost is not known.
func (c *cost) estimate() time.Duration {
	switch {
	case c.responses < minResponses:
		return 0
	case c.whole:
		return min(c.shortest, c.before)
	}
	return c.shortest
}

// beyond is the estimate without what the way to the pod takes: the network, and this
// process where it waits for the CPU. The report of the pod's queue-proxy, which costs next
// to nothing, goes the same way. A tenth is left in any case, for a queue-proxy that is slow itself.
func (c *cost) beyond(proxy *target) time.Duration {
	whole := c.estimate()
	if proxy == nil {
		return whole
	}
	return max(whole-proxy.cost.estimate(), whole/10)
}

// allowance is the engine's time for readings out of turn, which bursts cause. It fills
// at half of extraShare, up to maxAllowance: within any minute at most a minute's
// extraShare is spent.
type allowance struct {
	spent time.Duration
	at    time.Time
}

const maxAllowance = time.Duration(extraShare * float64(30*time.Second))

// left is what may be spent at the time now.
func (a *allowance) left(now time.Time) time.Duration {
	if !a.at.IsZero() {
		a.spent -= time.Duration(extraShare / 2 * float64(now.Sub(a.at)))
	}
	a.spent, a.at = max(a.spent, 0), now
	return maxAllowance - a.spent
}

// mayConfirm reports whether a burst that a page shows may be confirmed, and takes what
// that costs; rev.mu is held. It may overdraw the allowance, by a quarter before the
// reading: so with 16 ranks a burst that was read out of turn is confirmed.
func (t *target) mayConfirm(now time.Time) bool {
	price := time.Duration(t.pageCost.Load())
	if t.source != enginePage || !t.rev.leads.Load() {
		return t.source == pickerPage
	}
	if t.out.left(now) < -maxAllowance/4 {
		return false
	}
	t.out.spent += price
	return true
}

// hasten has the pod's engine read now, because a source that costs the engine nothing
// shows a burst; rev.mu is held. An engine that is read as often as that source is left alone.
func (p *pod) hasten(now time.Time) {
	t := p.targets[enginePage]
	if t == nil || !t.rev.leads.Load() || t.planned <= t.rev.c.interval(queueProxy) {
		return
	}
	if t.trouble != nil && t.trouble.rest > 0 {
		return
	}
	price := time.Duration(t.pageCost.Load())
	if t.out.left(now) >= min(price, maxAllowance) && t.rev.c.scheduler.advance(t, now) {
		t.out.spent += price
	}
}

// isBurst reports whether a number of requests grew so suddenly that it is worth another reading.
func isBurst(before, now float64) bool { return now-before >= 2 && now >= 2*before }
