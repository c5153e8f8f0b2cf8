package decider

import (
	"errors"
	"math"
	"time"
)

// stateVersion changes with the meaning of SLOState. 2: the wants of the
// hold-down time are in TargetState, as those of the other metrics are.
const stateVersion = 2

// SLOState is what the SLO policy remembers. It holds no more than an hour of
// bins and the counters of marksKept pods: below 16 KiB as JSON.
type SLOState struct {
	Version int `json:"v"`
	// Began is the first decision of this state, Last the latest.
	Began   time.Time `json:"began"`
	Last    time.Time `json:"last"`
	Load    arrivals  `json:"load"`
	Engines engines   `json:"engines"`
	Fit     fit       `json:"fit"`
	Lengths lengths   `json:"lengths"`
	// Outcomes is what the misses were by load.
	Outcomes outcomes `json:"outcomes"`
	// KV is the size of one replica's KV cache in tokens, 0 when not known.
	KV float64 `json:"kv,omitempty"`
	// Seqs is how many requests an engine runs at once.
	Seqs seqs `json:"seqs,omitzero"`
	// Saturated is what replicas did under a queue.
	Saturated saturation `json:"saturated,omitzero"`
	// Plan is that of the last closed bin, with the parts that it came from.
	Plan SLOParts `json:"plan"`
	// Broken is the mean replicas that are missing though none was ordered lately;
	// Ordered is the last count seen, Grown when it last grew.
	Broken  float64   `json:"broken,omitempty"`
	Ordered int32     `json:"ordered,omitempty"`
	Grown   time.Time `json:"grown,omitzero"`
	// Thrash is the share of the KV cache that is planned with, below 1 after preemptions.
	Thrash float64 `json:"thrash"`

	// Paged tells that an engine's page was read once, Bare that pods were Ready and none ever was.
	Paged bool `json:"paged,omitempty"`
	Bare  bool `json:"bare,omitempty"`

	checked bool // not stored: what comes from a store is checked once
}

func newSLOState(now time.Time) SLOState {
	return SLOState{Version: stateVersion, Began: now, Last: now, Load: newArrivals(now), Lengths: newLengths(), Thrash: 1, checked: true}
}

// Valid returns why a stored state cannot be used; Decide then begins anew. A
// nil state is one of nothing and valid.
func (s *SLOState) Valid() error {
	switch {
	case s == nil:
		return nil
	case s.Version != stateVersion:
		return errors.New("state of the SLO policy: another version; it begins anew")
	case !s.Load.sound(), !s.Engines.sound(), !s.Fit.sound(), !s.Lengths.sound(), !s.Outcomes.sound(), !s.Seqs.sound(), !s.Saturated.sound(),
		!s.Plan.sound(), !(s.KV >= 0 && s.KV < 1e15), !(s.Thrash >= thrashLeast && s.Thrash <= 1), !(s.Broken >= 0 && s.Broken < 1e10):
		return errors.New("state of the SLO policy: numbers out of range; it begins anew")
	}
	return nil
}

// continued is a copy of the state to go on with at now. After an outage it
// has to see a lead time of the present before it lowers anything.
func (s *SLOState) continued(now time.Time) SLOState {
	if s == nil || !s.checked && s.Valid() != nil || s.Last.Sub(now) > time.Minute {
		return newSLOState(now)
	}
	next := *s
	next.checked = true
	if now.Sub(s.Last) > outage {
		next.Began = now
	}
	next.Last = now
	// What was learned came from pages, also that of older states.
	next.Paged = next.Paged || next.KV > 0 || next.Fit.Samples > 0 || next.Lengths.Seen > 0
	return next
}

// closeBin learns from the bins that ended and plans anew.
func (s *SLOState) closeBin(o Objective, obs Observation) {
	s.sameModel(obs)
	var buffer [marksKept]looked
	samples := buffer[:0]
	s.Engines = s.Engines.look(obs.Pods, float64(obs.Time.UnixMilli())/1000, s.ttft(o), func(d sample, m *mark) {
		samples = append(samples, looked{d.completed(s.Lengths), m})
	})
	s.learn(o, samples)
	s.limits(o, samples)
	s.thrash(samples)
	s.countBroken(o, obs)
	c := s.capacity(o)
	s.judge(o, c, obs, samples)
	s.Plan = s.parts(o, c, obs.Ready)
}

// ttft is the bound that first tokens are counted against, in seconds. It
// moves with the mean prompt only when that has become another, for the counts
// of two bounds cannot be compared.
func (s *SLOState) ttft(o Objective) float64 {
	bound := o.TTFT.Seconds() + o.TTFTPerToken.Seconds()*s.Lengths.Prompt
	if kept := s.Engines.TTFT; kept > 0 && math.Abs(bound/kept-1) < 0.2 && o.TTFTPerToken > 0 {
		return kept
	}
	return bound
}

// inherited is the weight that misses by load keep for another model: load is
// relative to what a replica can do, so they say something of it.
const inherited = 0.1

// sameCache is how far the KV caches of one model's pods may be apart: vLLM
// takes what memory it finds free.
const sameCache = 0.15

// sameModel forgets what was learned of the engine when its KV cache has
// another size: that is another GPU, model or setting. Arrivals and lengths
// belong to the users and stay.
func (s *SLOState) sameModel(obs Observation) {
	kv := kvTokens(obs, s.KV)
	if s.KV > 0 && math.Abs(kv/s.KV-1) > sameCache {
		s.Fit, s.Thrash, s.Seqs, s.Saturated = fit{}, 1, seqs{}, saturation{}
		s.Outcomes.scale(inherited)
	}
	s.KV = kv
}

// limits learns the engines' limit of running requests, and whether a queue
// refutes the capacity. When either turns out to be another, what was seen under a
// load was under as many times that load.
func (s *SLOState) limits(o Objective, samples []looked) {
	if !o.has(PartLearning) {
		return
	}
	was := *s
	s.Seqs.learn(samples)
	s.Saturated.learn(samples, s.Lengths, s.ttft(o), func(l lengths) capacity { return s.modelled(o, l) })
	if s.Seqs.limit(o.MaxNumSeqs) == was.Seqs.limit(o.MaxNumSeqs) && s.Saturated.Share == was.Saturated.Share {
		return
	}
	times := was.capacity(o).rate / s.capacity(o).rate
	s.Outcomes = s.Outcomes.times(times)
	for i := range s.Engines.Marks { // made anew by look
		s.Engines.Marks[i][markLoad] *= times
	}
}

// What preemptions of most pods take from the KV cache that is planned with,
// and what a bin without gives back.
const (
	thrashCut, thrashBack, thrashLeast = 0.9, 1.003, 0.5
)

// thrash plans with less of the KV cache while most pods throw requests out.
func (s *SLOState) thrash(samples []looked) {
	preempting := 0
	for _, d := range samples {
		if d.preempted > 0 {
			preempting++
		}
	}
	if preempting*2 > len(samples) {
		s.Thrash = max(s.Thrash*thrashCut, thrashLeast)
	} else {
		s.Thrash = min(s.Thrash*thrashBack, 1)
	}
}

// countBroken averages the replicas that are missing while nothing was ordered
// for longer than they take: pods that failed, or were moved.
func (s *SLOState) countBroken(o Objective, obs Observation) {
	if obs.Replicas > s.Ordered || s.Grown.IsZero() {
		s.Grown = obs.Time
	}
	s.Ordered = obs.Replicas
	missing := 0.0
	if settled := 1.5 * s.Engines.lead(o.LeadTime.Seconds()); obs.Time.Sub(s.Grown).Seconds() > settled {
		missing = float64(max(0, obs.Replicas-obs.Ready-unplaced(obs)))
	}
	s.Broken += (1 - outcomesFade) * (missing - s.Broken)
}

// spareShare is the most spares by need: pods that can never be Ready, as of an
// image that cannot be pulled, would otherwise bring more of their kind.
const spareShare = 0.25

// spare is the replicas to have for those that break: their mean, and up to a
// standard deviation of how many there are at a time.
func (s *SLOState) spare(need float64) float64 {
	return min(s.Broken+math.Sqrt(s.Broken)*min(s.Broken*4, 1), max(1, need*spareShare))
}

// kvTokens is the least KV cache of the Ready pods, or what was known before.
func kvTokens(obs Observation, before float64) float64 {
	least := math.Inf(1)
	for _, p := range obs.Pods {
		if kv := within(p.Totals.KVCapacity, 1e12); p.Phase == Ready && p.Totals.Known && kv >= 1 {
			least = min(least, float64(kv))
		}
	}
	if math.IsInf(least, 1) {
		return before
	}
	return least
}
