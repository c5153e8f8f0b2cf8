package slo

import "time"

// Next returns what the objective needs at in.Time, and the state for the next
// call. It neither changes nor keeps its arguments.
func Next(o Objective, old *State, in Input) (Need, *State) {
	o = o.WithDefaults()
	s := old.continued(in.Time)
	s.noteEngines(in)
	if arrived := s.Counter.advance(in); arrived != nil || s.Plan.Limit == "" {
		s.closeBin(o, in, arrived)
	}
	in = s.believed(s.inEngineRequests(in))
	n := Need{Parts: s.Plan, NoEngine: s.NoEngine, StartupTime: s.startupTime()}
	n.Parts.Backlog = waiting(in)
	n.Replicas, n.Partial = needNow(o, s.Plan, in, s.unlearned(o, in))
	n.Settled = in.Time.Sub(s.Began) >= max(minHistory, n.StartupTime)
	return n, &s
}

// closeBin learns from the bins that ended and plans anew. Each step (steps.go) adds its estimates
// to the bin, and the next ones observe them.
func (s *State) closeBin(o Objective, in Input, arrived []float32) {
	b := newBin(o, in, arrived)
	s.startOverOnAnotherEngine(in, b) // 1. Another engine begins with what is believed of any.
	s.readPods(in, b)                 // 2. What each pod did since it was read last.
	s.countRequests(in, b)            // 3. How many requests come for the engines, and how long they are.
	s.timeSteps(b)                    // 4. How long a step of an engine takes.
	s.limitConcurrency(b)             // 5. How many requests run at once, and what a queue refutes.
	s.limitKVCache(b)                 // 6. How much of the KV cache can be used.
	s.countStartups(b)                // 7. How long pods start, and how many are missing.
	s.weighMisses(b)                  // 8. What a replica sustains, and which share missed at which load.
	s.makePlan(b)                     // 9. The fewest replicas whose misses are within the goal.
}

// inEngineRequests is the input with what others than the engines count in engine requests.
// Requests that never reach an engine are hardly ever in flight.
func (s *State) inEngineRequests(in Input) Input {
	r := s.ratio()
	in.Queued *= Reading(r)
	in.InFlight *= Reading(max(r, 1))
	return in
}

// believed is the input in which no more requests wait in a frozen pod than the queue-proxies have open. The
// gauges of such a pod may be frozen, too, and would hold replicas for ever.
func (s *State) believed(in Input) Input {
	if !in.InFlight.Known() {
		return in
	}
	copied := false
	for _, c := range s.Sampler.Pods {
		if !c.frozen() {
			continue
		}
		for i, p := range in.Pods {
			if !(p.Waiting > in.InFlight) || PodHash(p.Name) != c.pod {
				continue
			}
			if !copied {
				in.Pods, copied = append([]Pod(nil), in.Pods...), true
			}
			in.Pods[i].Waiting = in.InFlight
		}
	}
	return in
}

// startupTime is the time from a pod's creation to Ready that the plan counts on.
func (s *State) startupTime() time.Duration {
	return time.Duration(float64(s.Plan.StartupTime) * float64(time.Second))
}

// unlearned reports whether the engines report too little to learn what a replica
// can do, or have not reported enough yet, and no queue has shown it.
func (s *State) unlearned(o Objective, in Input) bool {
	return o.Has(FeatureLearning) && s.StepTime.Samples < 1 && s.Queue.estimate() == 0 && in.Time.Sub(s.Began) > minHistory
}
