package slo

import (
	"math"
	"time"
)

// Need is what the policy asks for, with the parts that it came from.
type Need struct {
	Parts Parts
	// Replicas is what is needed now, before rounding; NaN when neither arrivals nor
	// requests in flight are known, or no engine was ever seen.
	Replicas float64
	// Partial is set when Replicas was made without arrivals.
	Partial bool
	// NoEngine is set while pods were Ready and no engine's metrics were ever read:
	// what a replica can do cannot be learned.
	NoEngine bool
	// Settled is set when the policy has seen as much history as it needs to ask for less.
	Settled bool
	// StartupTime is the time from a pod's creation to Ready that the plan counts on.
	StartupTime time.Duration
}

// Next returns what the objective needs at in.Time, and the state for the next
// call. It neither changes nor keeps its arguments.
func Next(o Objective, old *State, in Input) (Need, *State) {
	o = o.WithDefaults()
	s := old.continued(in.Time)
	s.lookForPages(in)
	var closed bool
	s.Load, closed = s.Load.advance(in)
	if closed || s.Plan.Limit == "" {
		s.closeBin(o, in)
	}
	n := Need{Parts: s.Plan, NoEngine: s.NoEngine, StartupTime: s.startupTime()}
	n.Parts.Backlog = waiting(in)
	n.Replicas, n.Partial = s.needNow(o, in)
	n.Settled = in.Time.Sub(s.Began) >= max(minHistory, n.StartupTime)
	return n, &s
}

// closeBin learns from the bins that ended and plans anew.
func (s *State) closeBin(o Objective, in Input) {
	s.sameModel(in)
	var buffer [marksKept]looked
	samples := buffer[:0]
	s.Engines = s.Engines.look(in.Pods, float64(in.Time.UnixMilli())/1000, s.ttft(o), func(d sample, m *mark) {
		samples = append(samples, looked{d.completed(s.Lengths), m})
	})
	s.learn(o, samples)
	s.limits(o, samples)
	s.thrash(samples)
	s.countBroken(o, in)
	c := s.capacity(o)
	s.judge(o, c, in, samples)
	s.Plan = s.parts(o, c, in.Ready)
}

// startupTime is the time from a pod's creation to Ready that the plan counts on.
func (s *State) startupTime() time.Duration {
	return time.Duration(float64(s.Plan.StartupTime) * float64(time.Second))
}

// needNow is the replicas that the plan and what waits ask for; NaN when
// neither arrivals nor requests in flight are known.
func (s *State) needNow(o Objective, in Input) (need float64, partial bool) {
	need = float64(s.Plan.Need)
	if !s.Plan.Need.Known() {
		// Requests in flight hold the queue too, so this is no more than a doubling.
		return min(inFlight(in)/float64(s.Plan.ConcurrencyTarget), 2*float64(max(in.Ready, 1))), true
	}
	if o.Has(PartBacklog) {
		need += s.occupied(in)
	}
	if s.learnedNothing(o, in) { // slow requests: arrivals alone do not tell of them
		if held := s.held(in); held > need {
			need = held
		}
	}
	return min(need, math.MaxInt32), false
}

// held is the replicas for what is in flight, NaN when that is unknown. What waits
// in the engines' queues is in flight, too, but needs no place of its own; and where
// most engines let as many wait as they run, that is all that one can run.
func (s *State) held(in Input) float64 {
	all, target := inFlight(in), float64(s.Plan.ConcurrencyTarget)
	var full int32
	var running, queued, most float64
	for _, p := range in.Pods {
		r, w := p.Running, p.Waiting
		if !r.Known() || !w.Known() {
			continue
		}
		running += float64(r)
		queued += float64(w)
		if r > 0 && w >= r {
			full++
			most += float64(r)
		}
	}
	if full*2 > in.Ready {
		target = min(target, most/float64(full)*float64(s.Plan.TargetLoad))
	}
	return max(all-queued, min(all, running)) / target
}

// full is the requests per second of one replica at a load of 1.
func (s *State) full() float64 {
	return max(float64(s.Plan.CapacityRPS)/max(float64(s.Plan.TargetLoad), minTargetLoad), 1e-6)
}

// occupied is the replicas that what waits now keeps busy for the time of
// drain. Requests in an engine's queue cannot move, so a pod counts as one at
// most, however long its queue; those outside of the engines need any pod.
func (s *State) occupied(in Input) (replicas float64) {
	most := drain.Seconds() * s.full()
	for _, p := range in.Pods {
		if w := p.Waiting; w.Known() {
			replicas += min(float64(w)/most, 1)
		}
	}
	if q := in.Queued; q.Known() {
		replicas += float64(q) / most
	}
	return replicas
}

// lookForPages notes whether an engine ever told anything, or pods were Ready
// and none did.
func (s *State) lookForPages(in Input) {
	for _, p := range in.Pods {
		s.EngineSeen = s.EngineSeen || told(p)
	}
	s.NoEngine = !s.EngineSeen && (s.NoEngine || in.Ready > 0)
}

// told reports whether a pod's page holds anything that engines tell.
func told(p Pod) bool {
	t := p.Totals
	known := p.Running.Known() || p.Waiting.Known() || p.KVCache.Known()
	if known || !t.Known {
		return known
	}
	for _, r := range [...]Reading{t.Steps, t.Finished, t.PromptTokens, t.GenerationTokens, t.KVCapacity, t.TTFT.Count, t.ITL.Count} {
		known = known || r.Known()
	}
	return known
}

// learnedNothing reports whether the engines' pages tell too little to learn
// what a replica can do, or have not told enough yet, and no queue has shown it.
func (s *State) learnedNothing(o Objective, in Input) bool {
	return o.Has(PartLearning) && s.Fit.Samples < 1 && s.Saturated.Share == 0 && in.Time.Sub(s.Began) > minHistory
}

// waiting is the requests that wait in the Ready pods' queues and outside of
// them, as far as they are known.
func waiting(in Input) (sum Reading) {
	for _, p := range in.Pods {
		if p.Waiting.Known() {
			sum += p.Waiting
		}
	}
	if in.Queued.Known() {
		sum += in.Queued
	}
	return sum
}

// inFlight is the mean requests in flight, NaN when that is unknown.
func inFlight(in Input) float64 { return float64(in.InFlight) }
