package slo

// unloaded are the latencies of the mean request in seconds on an engine that does nothing
// else. No number of replicas lowers them. Both are 0 until the engine's steps are learned.
type unloaded struct {
	// ttft is a step with all of the prompt that is not cached, itl a step with one request.
	ttft, itl float64
}

func (c capacity) unloaded() unloaded { return unloaded{ttft: c.prompt + c.base, itl: c.base} }

// Reach says which parts of an objective no number of replicas reaches.
type Reach struct {
	// TTFT is true when the mean request gets its first token later than the objective
	// on an engine that does nothing else, and most requests miss the objective; ITL when the
	// time between tokens is longer than the objective on such an engine.
	TTFT, ITL bool
	// Misses is true when more requests than the goal allows miss the objective at any load.
	Misses bool
}

// OutOfReach returns the latencies of the objective that no number of replicas reaches, by what was
// learned. Where before is set, something already was: a tenth to spare is asked for before
// it no longer is, so that an estimate beside the limit does not change the answer.
func (p Parts) OutOfReach(o Objective, before bool) Reach {
	o = o.WithDefaults()
	latencies, allowed := 1.0, minUnreachable*(1-o.Goal)
	if before {
		latencies, allowed = reachedShare, 1-o.Goal
	}
	return Reach{
		TTFT:   float64(p.FloorTTFT) >= latencies*o.TTFT.Seconds() && float64(p.Attainment) < fewMeet/latencies,
		ITL:    float64(p.FloorITL) >= latencies*o.ITL.Seconds(),
		Misses: float64(p.Floor) > allowed && float64(p.Attainment) < o.Goal,
	}
}
