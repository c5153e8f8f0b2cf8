package slo

import (
	"errors"
	"math"
	"time"
)

// StateVersion changes with the meaning of State. 2: the wants of the
// hold-down time are in TargetState, as those of the other metrics are.
const StateVersion = 2

// State is what the SLO policy remembers. It holds no more than an hour of
// bins and the counters of marksKept pods: below 16 KiB as JSON.
type State struct {
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
	Plan Parts `json:"plan"`
	// Broken is the mean replicas that are missing though none was ordered lately;
	// Ordered is the last count seen, Grown when it last grew.
	Broken  float64   `json:"broken,omitempty"`
	Ordered int32     `json:"ordered,omitempty"`
	Grown   time.Time `json:"grown,omitzero"`
	// Thrash is the share of the KV cache that is planned with, below 1 after preemptions.
	Thrash float64 `json:"thrash"`

	// EngineSeen is set once an engine's metrics were read, NoEngine while pods were Ready
	// and none ever was.
	EngineSeen bool `json:"paged,omitempty"`
	NoEngine   bool `json:"bare,omitempty"`

	checked bool // not stored: what comes from a store is checked once
}

func newState(now time.Time) State {
	return State{Version: StateVersion, Began: now, Last: now, Load: newArrivals(now), Lengths: newLengths(), Thrash: 1, checked: true}
}

// Valid returns why a stored state cannot be used; Decide then begins anew. A
// nil state is one of nothing and valid.
func (s *State) Valid() error {
	switch {
	case s == nil:
		return nil
	case s.Version != StateVersion:
		return errors.New("state of the SLO policy: another version; it begins anew")
	case !s.Load.sound(), !s.Engines.sound(), !s.Fit.sound(), !s.Lengths.sound(), !s.Outcomes.sound(), !s.Seqs.sound(), !s.Saturated.sound(),
		!s.Plan.sound(), !(s.KV >= 0 && s.KV < 1e15), !(s.Thrash >= thrashLeast && s.Thrash <= 1), !(s.Broken >= 0 && s.Broken < 1e10):
		return errors.New("state of the SLO policy: numbers out of range; it begins anew")
	}
	return nil
}

// continued is a copy of the state to go on with at now. After an outage it
// has to see a lead time of the present before it lowers anything.
func (s *State) continued(now time.Time) State {
	if s == nil || !s.checked && s.Valid() != nil || s.Last.Sub(now) > time.Minute {
		return newState(now)
	}
	next := *s
	next.checked = true
	if now.Sub(s.Last) > outage {
		next.Began = now
	}
	next.Last = now
	// What was learned came from pages, also that of older states.
	next.EngineSeen = next.EngineSeen || next.KV > 0 || next.Fit.Samples > 0 || next.Lengths.Seen > 0
	return next
}

// ttft is the bound that first tokens are counted against, in seconds. It
// moves with the mean prompt only when that has become another, for the counts
// of two bounds cannot be compared.
func (s *State) ttft(o Objective) float64 {
	bound := o.TTFT.Seconds() + o.TTFTPerToken.Seconds()*s.Lengths.Prompt
	if kept := s.Engines.TTFT; kept > 0 && math.Abs(bound/kept-1) < 0.2 && o.TTFTPerToken > 0 {
		return kept
	}
	return bound
}

// sameModel forgets what was learned of the engine when its KV cache has
// another size: that is another GPU, model or setting. Arrivals and lengths
// belong to the users and stay.
func (s *State) sameModel(in Input) {
	kv := kvTokens(in, s.KV)
	if s.KV > 0 && math.Abs(kv/s.KV-1) > sameCache {
		s.Fit, s.Thrash, s.Seqs, s.Saturated = fit{}, 1, seqs{}, saturation{}
		s.Outcomes.scale(inherited)
	}
	s.KV = kv
}

// limits learns the engines' limit of running requests, and whether a queue
// refutes the capacity. When either turns out to be another, what was seen under a
// load was under as many times that load.
func (s *State) limits(o Objective, samples []looked) {
	if !o.Has(PartLearning) {
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

// thrash plans with less of the KV cache while most pods throw requests out.
func (s *State) thrash(samples []looked) {
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
func (s *State) countBroken(o Objective, in Input) {
	if in.Replicas > s.Ordered || s.Grown.IsZero() {
		s.Grown = in.Time
	}
	s.Ordered = in.Replicas
	missing := 0.0
	if settled := 1.5 * s.Engines.lead(o.LeadTime.Seconds()); in.Time.Sub(s.Grown).Seconds() > settled {
		missing = float64(max(0, in.Replicas-in.Ready-in.Unschedulable))
	}
	s.Broken += (1 - outcomesFade) * (missing - s.Broken)
}

// spare is the replicas to have for those that break: their mean, and up to a
// standard deviation of how many there are at a time.
func (s *State) spare(need float64) float64 {
	return min(s.Broken+math.Sqrt(s.Broken)*min(s.Broken*4, 1), max(1, need*spareShare))
}

// kvTokens is the least KV cache of the Ready pods, or what was known before.
func kvTokens(in Input, before float64) float64 {
	least := math.Inf(1)
	for _, p := range in.Pods {
		if kv := p.Totals.KVCapacity.Within(1e12); p.Totals.Known && kv >= 1 {
			least = min(least, float64(kv))
		}
	}
	if math.IsInf(least, 1) {
		return before
	}
	return least
}
