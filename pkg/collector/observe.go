package collector

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Observe returns what is known of a revision now: everything but Replicas. It is
// false when the revision is not watched. Time is the collector's, which runs on when
// the wall clock is set.
func (c *Collector) Observe(key Key) (decider.Observation, bool) {
	r := c.lookup(key)
	if r == nil {
		return decider.Observation{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	now := c.clock.now()
	o := decider.Observation{
		Time: now, Concurrency: r.demand.concurrency(now), RPS: r.demand.rps(now),
		Arrivals: r.arrivals(now), Queued: r.ledger.queued(), Open: reading(r.open(now)),
		Pods: make([]decider.Pod, 0, len(r.pods)),
	}
	inFlight := 0.0
	var readable []*latencies
	for _, p := range r.pods {
		switch n := p.inFlight(now); {
		case p.serves():
			o.Ready++
			inFlight += n
		case p.Draining && known(n):
			inFlight += n
		}
		if p.targets[enginePage].fresh(now) {
			readable = append(readable, &p.latencies)
		}
		d := p.observe(now)
		d.Age = p.age + now.Sub(p.seen)
		o.Pods = append(o.Pods, d)
	}
	// Decisions follow some pods of a large fleet only: always the same ones.
	slices.SortFunc(o.Pods, func(a, b decider.Pod) int { return cmp.Compare(a.Name, b.Name) })
	o.InFlight = reading(inFlight)
	o.TTFT = withPrevious(readable, latencyMetrics[decider.TTFTP95].windowed)
	o.ITL = withPrevious(readable, latencyMetrics[decider.ITLP95].windowed)
	return o, true
}

// arrivals is the number of requests that have arrived; unknown without a recent value.
func (r *revision) arrivals(now time.Time) decider.Reading {
	if !r.demand.known(now) {
		return decider.Unknown()
	}
	return decider.Reading(r.ledger.arrived)
}

// observe is the pod as decisions see it, but its age.
func (p *pod) observe(now time.Time) decider.Pod {
	d := decider.Pod{
		Name: p.Name, Phase: decider.Starting,
		Running: decider.Unknown(), Waiting: decider.Unknown(), KVCache: decider.Unknown(),
		PromptTokens: decider.Unknown(), GenerationTokens: decider.Unknown(),
		ReadyAfter: p.ReadyAfter, Unschedulable: p.Unschedulable, Failing: p.Failing, Ungated: p.Ungated,
	}
	switch {
	case p.Draining:
		d.Phase = decider.Draining
	case p.Ready:
		d.Phase = decider.Ready
	}
	if !p.targets[enginePage].fresh(now) {
		return d
	}
	d.Running, d.Waiting = reading(p.engine.running), reading(p.engine.waiting)
	d.Deferred = reading(p.engine.deferred)
	d.KVCache = reading(100 * p.engine.kvUsage)
	prompt, generation, _ := p.rates.perSecond()
	d.PromptTokens, d.GenerationTokens = reading(prompt), reading(generation)
	d.Previous = p.previous()
	d.Totals = p.engine.totals
	return d
}

// previous is the sample before the last one; all of it is unknown without one.
func (p *pod) previous() decider.PreviousSample {
	e := p.before
	if e.at.IsZero() {
		e.running, e.waiting, e.kvUsage = math.NaN(), math.NaN(), math.NaN()
	}
	return decider.PreviousSample{
		Kept: true, Running: reading(e.running), Waiting: reading(e.waiting), Deferred: reading(e.deferred),
		KVCache:      reading(100 * e.kvUsage),
		PromptTokens: reading(p.promptBefore), GenerationTokens: reading(p.generationBefore),
	}
}

// inFlight is the smaller of the last two samples' requests, so that a burst
// counts when it lasted over two samples; NaN without two.
func (p *pod) inFlight(now time.Time) float64 {
	if !p.targets[enginePage].fresh(now) {
		return math.NaN()
	}
	return p.persisted()
}

// persisted is the requests that the last two samples both saw; NaN without two.
func (p *pod) persisted() float64 {
	if p.before.at.IsZero() {
		return math.NaN()
	}
	return math.Min(p.engine.inFlight(), p.before.inFlight())
}

func reading(v float64) decider.Reading {
	if !known(v) {
		return decider.Unknown()
	}
	return decider.Reading(v)
}
