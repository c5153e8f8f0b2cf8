package slo

import (
	"encoding/json"
	"errors"
	"math"
	"time"
)

// StateVersion changes with the meaning of State. A state of another version
// is not used: the policy begins anew. Every change of what is stored raises it.
const StateVersion = 11

// State is what the SLO policy remembers: what each learner does, and the last plan. It
// holds no more than an hour of bins and the counters of maxFollowedPods pods: below
// 16 KiB as JSON.
type State struct {
	Version int `json:"v"`
	// Began is the first decision of this state, Last the latest.
	Began time.Time `json:"began"`
	Last  time.Time `json:"last"`

	// Counter and Sampler turn counters into bins and samples.
	Counter counter `json:"counter"`
	Sampler sampler `json:"sampler"`

	// The learners. None of them sees another's memory.
	Arrivals    arrivals         `json:"arrivals"`
	Ratio       requestRatio     `json:"ratio,omitzero"`
	Lengths     lengths          `json:"lengths"`
	Outputs     tokensPerOutput  `json:"outputs,omitzero"`
	StepTime    regression       `json:"stepTime"`
	Concurrency concurrencyLimit `json:"concurrency,omitzero"`
	Queue       queueEvidence    `json:"queue,omitzero"`
	KVBackoff   kvBackoff        `json:"kvBackoff"`
	Misses      missCurve        `json:"misses"`
	Startups    startupTimes     `json:"startups,omitzero"`
	Missing     missingReplicas  `json:"missing,omitzero"`
	Skew        rankSkew         `json:"skew,omitzero"`

	// KV is the size of one rank's KV cache in tokens, 0 when not known; Ranks is the
	// data-parallel ranks of a pod, 0 is one.
	KV    float64 `json:"kv,omitempty"`
	Ranks int     `json:"ranks,omitempty"`
	// Plan is that of the last closed bin, with the parts that it came from.
	Plan Parts `json:"plan"`
	// EngineSeen is set once an engine's metrics were read, NoEngine while pods were Ready
	// and none ever was.
	EngineSeen bool `json:"engineSeen,omitempty"`
	NoEngine   bool `json:"noEngine,omitempty"`

	checked bool // not stored: what comes from a store is checked once
}

func newState(now time.Time) State {
	return State{
		Version: StateVersion, Began: now, Last: now, Counter: newCounter(now), Lengths: newLengths(),
		KVBackoff: kvBackoff{1}, checked: true,
	}
}

// UnmarshalJSON reads a stored state. Of a state of another version, whose fields may
// mean something else, it reads the version alone; Valid then refuses the state.
func (s *State) UnmarshalJSON(b []byte) error {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if head.Version != StateVersion {
		*s = State{Version: head.Version}
		return nil
	}
	type plain State // without this method
	return json.Unmarshal(b, (*plain)(s))
}

// Valid returns why a stored state cannot be used; the policy then begins anew. A
// nil state is one of nothing and valid.
func (s *State) Valid() error {
	switch {
	case s == nil:
		return nil
	case s.Version != StateVersion:
		return errors.New("state of the SLO policy: another version; it begins anew")
	case !s.valid(), !s.Plan.valid(), !(s.KV >= 0 && s.KV < 1e15), !(s.Ranks >= 0 && s.Ranks <= maxRanks):
		return errors.New("state of the SLO policy: numbers out of range; it begins anew")
	}
	return nil
}

// valid reports whether everything that learns can use its stored memory.
func (s *State) valid() bool {
	for _, l := range [...]interface{ valid() bool }{
		&s.Counter, &s.Sampler, &s.Arrivals, &s.Ratio, &s.Lengths, &s.Outputs, &s.StepTime, &s.Concurrency, &s.Queue,
		&s.KVBackoff, &s.Misses, &s.Startups, &s.Missing, &s.Skew,
	} {
		if !l.valid() {
			return false
		}
	}
	return true
}

// continued is a copy of the state to go on with at now. After an outage it
// has to see a startup time of the present before it lowers anything.
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
	return next
}

// forgetEngine forgets what was learned of engines. Arrivals and lengths belong to the
// users and stay, as does the attainment. k is what the limits of that engine divided its rate by.
func (s *State) forgetEngine(k float64) {
	s.StepTime, s.KVBackoff, s.Concurrency, s.Queue = regression{}, kvBackoff{1}, concurrencyLimit{}, queueEvidence{}
	s.Skew = rankSkew{}
	s.Misses.forgetEngine(k)
}

// ratio is the engine requests per HTTP request, 1 while that is not known.
func (s *State) ratio() float64 {
	if r := s.Ratio.estimate(); !math.IsNaN(r) {
		return r
	}
	return 1
}

// slots is the engine requests that the fullest rank of a pod runs at once, before a lower limit is learned.
func (s *State) slots(o Objective) int { return o.rankConcurrency(s.effectiveRanks(), s.ratio()) }

// replica is the model of one replica.
func (s *State) replica(o Objective) replica {
	factor, _ := s.StepTime.estimate()
	return replica{
		step: stepTime{o.Prior, factor}, itl: o.ITL.Seconds(), kvTokens: s.KV * s.KVBackoff.estimate(),
		maxAdmitted: o.maxAdmitted(s.slots(o)),
	}
}

// dividedBy is by what the limits that were learned divide the rate that the model of a step promises.
func (s *State) dividedBy(o Objective) float64 {
	assumed, r, m := s.slots(o), s.Lengths.estimate(), s.replica(o)
	l := limits{s.Concurrency.estimate(assumed), s.Queue.estimate()}
	return m.capacity(r, limits{Concurrency: assumed}).rate / m.capacity(r, l).rate
}

// sameEngine notes the KV cache's size, and reports whether it is still that of the same
// engine: another size is another GPU, model or setting.
func (s *State) sameEngine(in Input) bool {
	before := s.KV
	s.KV = kvTokens(in, before)
	return !(before > 0 && math.Abs(s.KV/before-1) > sameKV)
}

// effectiveRanks is the ranks that a pod's capacity is worth: all, or fewer where one is full before the others.
func (s *State) effectiveRanks() float64 {
	return max(float64(max(s.Ranks, 1))/s.Skew.estimate(), 1)
}

// ranksOf is the most ranks of the Ready pods that report anything, or what was known before.
func ranksOf(in Input, before int) int {
	ranks := 0
	for _, p := range in.Pods {
		if p.Totals.Known {
			ranks = max(ranks, p.ranks())
		}
	}
	if ranks == 0 {
		return before
	}
	return ranks
}

// kvTokens is the smallest KV cache of the Ready pods' ranks, or what was known before.
func kvTokens(in Input, before float64) float64 {
	smallest := math.Inf(1)
	for _, p := range in.Pods {
		if kv := p.Totals.KVCapacity.Within(1e12); p.Totals.Known && kv >= 1 {
			smallest = min(smallest, float64(kv)/float64(p.ranks()))
		}
	}
	if math.IsInf(smallest, 1) {
		return before
	}
	return smallest
}

// noteEngines notes whether an engine's metrics were ever read, or pods were Ready
// and none were.
func (s *State) noteEngines(in Input) {
	for _, p := range in.Pods {
		s.EngineSeen = s.EngineSeen || p.hasMetrics()
	}
	s.NoEngine = !s.EngineSeen && (s.NoEngine || in.Ready > 0)
}

// hasMetrics reports whether a pod's metrics endpoint reports anything that engines do.
func (p Pod) hasMetrics() bool {
	t := p.Totals
	known := p.Running.Known() || p.Waiting.Known() || p.KVCache.Known()
	if known || !t.Known {
		return known
	}
	for _, r := range [...]Reading{t.Steps, t.Finished, t.PromptTokens, t.GenerationTokens, t.KVCapacity,
		t.TTFT.Count, t.ITL.Count} {
		known = known || r.Known()
	}
	return known
}
