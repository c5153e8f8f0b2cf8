package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// observed is what observations are made of, once per fleet.
type observed struct {
	pods                    []decider.Pod
	ttft, itl, e2e, prompts []float64 // bounds in seconds
	capacity                decider.Reading
	ranks                   int
}

func newObserved(cfg Config) observed {
	p := cfg.Engine
	return observed{
		ttft: inSeconds(engine.TTFTBounds()), itl: inSeconds(engine.TokenGapBounds()), e2e: inSeconds(engine.E2EBounds()),
		prompts:  inTokens(engine.PromptBounds()),
		capacity: decider.Reading(p.KVTokens / p.BlockSize * p.BlockSize * max(cfg.Ranks, 1)), ranks: max(cfg.Ranks, 1),
	}
}

func inSeconds(bounds []time.Duration) (s []float64) {
	for _, b := range bounds {
		s = append(s, b.Seconds())
	}
	return s
}

func inTokens(bounds []int) (n []float64) {
	for _, b := range bounds {
		n = append(n, float64(b))
	}
	return n
}

// Observe advances to a time and returns what a collector would know then. The
// slice of pods is used again by the next call; their histograms are not.
func (f *Fleet) Observe(at time.Duration) (decider.Observation, error) {
	if err := f.Advance(at); err != nil {
		return decider.Observation{}, err
	}
	o := decider.Observation{
		Time: f.demand.begin.Add(f.now), Replicas: f.wanted, Ready: f.router.ready,
		Arrivals: decider.Reading(f.http.arrived(f.arrived)), Queued: decider.Reading(f.http.of(int64(f.queue.size))),
	}
	o.Concurrency, o.RPS = f.demand.windowed(f.now)
	f.observed.pods = f.observed.pods[:0]
	var ttft, itl latency
	for _, p := range f.pods {
		if p.phase == Draining && !f.reads(p) {
			continue
		}
		if in := p.samples.inFlight(f.now, f.cfg); p.phase == Ready || p.phase == Draining && in.Known() {
			o.InFlight += in
		}
		d := f.observePod(p)
		f.hiding.of(&d)
		f.observed.pods = append(f.observed.pods, d)
		at := f.demand.begin.Add(p.samples.at)
		ttft.add(&p.samples.ttft, d.Totals.TTFT, at, f.cfg.StableWindow)
		itl.add(&p.samples.itl, d.Totals.ITL, at, f.cfg.StableWindow)
	}
	o.TTFT, o.ITL = ttft.result(), itl.result()
	if f.cfg.Min == 0 {
		o.Open = f.open()
	}
	if f.hiding.inFlight {
		o.InFlight = decider.Unknown()
	}
	o.Pods = f.observed.pods
	return o, nil
}

func (f *Fleet) observePod(p *pod) decider.Pod {
	d := decider.Pod{
		Name: p.name, Phase: decider.Starting, Age: f.now - p.created, Unschedulable: p.phase == Unschedulable,
		ReadyAfter: p.samples.readyAfter,
		Running:    decider.Unknown(), Waiting: decider.Unknown(), KVCache: decider.Unknown(),
		PromptTokens: decider.Unknown(), GenerationTokens: decider.Unknown(),
	}
	switch p.phase {
	case Ready:
		d.Phase = decider.Ready
	case Draining:
		d.Phase = decider.Draining
	case Unschedulable, Loading, Gone: // starting, or not there
	}
	s := &p.samples
	if !s.fresh(f.now, f.cfg) {
		return d
	}
	d.Running, d.Waiting = decider.Reading(s.last.Running), decider.Reading(s.last.Waiting)
	d.KVCache = decider.Reading(100 * s.last.KVUsage)
	d.PromptTokens, d.GenerationTokens = s.perSecond()
	d.Previous = s.previous
	if !s.totals.Known || s.totalsAt != s.at {
		s.totals, s.totalsAt = f.observed.totals(&s.last), s.at
	}
	d.Totals = s.totals
	return d
}

// inFlight is the smaller of the last two pages' requests; unknown without two that are fresh.
func (s *samples) inFlight(at time.Duration, cfg Config) decider.Reading {
	if !s.fresh(at, cfg) || s.before < 0 {
		return decider.Unknown()
	}
	return decider.Reading(min(s.last.Running+s.last.Waiting, s.before))
}

// fullest is the rank with the most prompt tokens, the zero value where there is one or nothing was computed.
func fullest(c *engine.Counters) decider.FullestRank {
	if c.Fullest.PromptTokens == 0 {
		return decider.FullestRank{}
	}
	return decider.FullestRank{
		ID: float64(c.Fullest.Number), PromptTokens: decider.Reading(c.Fullest.PromptTokens),
		Running: decider.Reading(c.Fullest.Running), Waiting: decider.Reading(c.Fullest.Waiting),
	}
}

// totals is a page's counters. Its counts are one allocation, which is not used again.
func (o *observed) totals(c *engine.Counters) decider.Totals {
	all := make([]float64, len(o.ttft)+len(o.itl)+3*len(o.e2e)+len(o.prompts))
	histogram := func(bounds []float64, counts *engine.Histogram, sum float64) decider.Histogram {
		h := decider.Histogram{Bounds: bounds, Counts: all[:len(bounds):len(bounds)], Sum: decider.Reading(sum)}
		all = all[len(bounds):]
		n := int64(0)
		for i := range bounds {
			n += counts[i]
			h.Counts[i] = float64(n)
		}
		h.Count = decider.Reading(n + counts[len(bounds)])
		return h
	}
	return decider.Totals{
		Known: true, Ranks: o.ranks, Fullest: fullest(c),
		Steps: decider.Reading(c.Steps), Preemptions: decider.Reading(c.Preemptions), Finished: decider.Reading(c.Completed),
		PromptTokens: decider.Reading(c.PromptTokens), CachedTokens: decider.Reading(c.CachedTokens),
		GenerationTokens: decider.Reading(c.GenerationTokens), KVCapacity: o.capacity,
		TTFT: histogram(o.ttft, &c.TTFTs, c.TTFT.Seconds()), ITL: histogram(o.itl, &c.TokenGaps, c.TokenGap.Seconds()),
		E2E: histogram(o.e2e, &c.E2Es, c.E2E.Seconds()), QueueTime: histogram(o.e2e, &c.QueueTimes, c.QueueTime.Seconds()),
		PrefillTime:   histogram(o.e2e, &c.PrefillTimes, c.PrefillTime.Seconds()),
		PromptLengths: histogram(o.prompts, &c.Lengths, float64(c.Prompts)),
	}
}
