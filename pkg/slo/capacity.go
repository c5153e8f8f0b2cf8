package slo

import "math"

// capacity is what one replica sustains.
type capacity struct {
	// work is the seconds of engine that a request takes besides the fixed part
	// of each step; base is that part.
	work, base float64
	// prompt is the part of work that computes the prompt, output the tokens that follow.
	prompt, output float64
	// rate is the requests per second at which a replica's load is 1.
	rate float64
	// limit names what limits the rate: compute, ITL, KV or sequences, or
	// "queue" when a queue showed that the rate is less.
	limit string
	// ranks is how many engines share the rate, at least 1, and allRanks how many the replica has; they differ
	// where the fullest is given more than the others. work, base and prompt are those of one.
	ranks, allRanks float64
}

// limits is what was learned of a replica besides its step time.
type limits struct {
	// Concurrency is the requests that an engine runs at once.
	Concurrency int
	// QueueShare is the share of the modelled rate that replicas reached under a
	// queue; 0 while the model was not refuted.
	QueueShare float64
}

// stepTime is the time of a step: a prior, and what multiplies its three parts (the
// base, sequences with their context, and prompt tokens).
type stepTime struct {
	prior  StepTime
	factor [3]float64
}

func (t stepTime) base() float64 { return t.factor[0] * t.prior.Base }

// token is what a further token costs at a context.
func (t stepTime) token(context float64) float64 {
	return t.factor[1] * (t.prior.Sequence + t.prior.KVToken*context)
}

// prompt is what the mean prompt costs.
func (t stepTime) prompt(r request) float64 {
	return t.factor[2] * t.prior.PromptToken * r.Prompt * r.Computed
}

// replica models one replica in its steady state (algorithms 2.2).
type replica struct {
	step stepTime
	// itl is the objective in seconds, kvTokens the KV cache that is planned with; 0 is unknown.
	itl, kvTokens float64
	// maxAdmitted is the engine requests that queue-proxies admit to the fullest rank at once, 0 where they set no limit.
	maxAdmitted int
}

// capacity solves the steady state. With load rho = rate*work a step takes
// base/(1-rho) and rate*output*base/(1-rho) requests run; each limit gives a
// rate, and the lowest counts.
//
// Worked: base 11 ms, work 0.1 s, ITL 100 ms: (1-11/100)/0.1 = 8.9 requests/s, limited by ITL.
//
// That is for an engine whose step takes the sum of its parts. Where prompts hide behind the
// reading of the weights, a prompt seems to cost a base less than it computes, until steps are
// full: then the rate is 1/(work+base), and before that a step is as long as
// without prompts. The counters do not say which engine it is. The higher rate counts,
// up to maxHidden times the other, and the miss curve finds the load if that is too much. Requests that
// queue-proxies hold back miss in front of the engine, where the curve does not see the misses: the sum then
// bounds the rate.
func (m replica) capacity(r request, l limits) capacity {
	c := capacity{ranks: 1, allRanks: 1, base: m.step.base(), prompt: m.step.prompt(r), output: r.Output}
	tokens := r.Output * m.step.token(r.context())
	c.work = max(c.prompt+tokens, minWork)
	c.rate, c.limit = m.limited(r, c, l, c.work)
	hidden, _ := m.limited(r, c, l, max(tokens, minWork))
	c.rate = max(c.rate, min(hidden, maxComputeLoad/(c.work+c.base), maxHidden*c.rate, m.rateOfAdmitted(c)))
	if l.QueueShare > 0 {
		c.rate *= l.QueueShare
		c.limit = "queue"
	}
	return c
}

// limited is the rate at which the first limit is reached when a request lengthens steps by work.
func (m replica) limited(r request, c capacity, l limits, work float64) (rate float64, limit string) {
	rate, limit = maxComputeLoad/work, "compute"
	switch free := 1 - c.base/m.itl; {
	case free <= 0:
		limit = "ITL out of reach"
	case free < maxComputeLoad:
		rate, limit = max(free, minComputeLoad)/work, "ITL"
	}
	if least := c.rateOfFullSlots(l.Concurrency, work); least < rate {
		rate, limit = least, "sequences"
	}
	if kv := maxKVLoad * m.kvTokens; kv > 0 {
		if least := kv / (c.base*r.Output*r.context() + kv*work); least < rate {
			rate, limit = least, "KV"
		}
	}
	return rate, limit
}

// rateOfFullSlots is the rate of an engine whose slots are full, when a request lengthens steps by work.
func (c capacity) rateOfFullSlots(slots int, work float64) float64 {
	return float64(slots) / (c.base*c.output + float64(slots)*work)
}

// rateOfAdmitted is the rate of an engine that runs all requests that queue-proxies admit, and whose steps take the
// sum of their parts. It is infinite where queue-proxies set no limit.
func (m replica) rateOfAdmitted(c capacity) float64 {
	if m.maxAdmitted <= 0 {
		return math.Inf(1)
	}
	return c.rateOfFullSlots(m.maxAdmitted, c.work)
}

// times is the capacity of a replica with all these ranks, which sustains as much as that many equally loaded ranks.
func (c capacity) times(ranks float64, all int) capacity {
	c.ranks, c.allRanks = c.ranks*ranks, c.allRanks*float64(all)
	c.rate *= ranks
	return c
}

// running is the mean requests in one replica at a rate: the concurrency to
// which Knative's own autoscaler would have to be set for the same load.
func (c capacity) running(rate float64) float64 {
	fullest, others := rate/c.ranks, c.allRanks-1
	all := c.runningInRank(fullest)
	if others > 0 {
		all += others * c.runningInRank((rate-fullest)/others)
	}
	return max(all, minConcurrencyTarget)
}

// runningInRank is the mean requests in one rank at its rate.
func (c capacity) runningInRank(rate float64) float64 {
	rho := min(rate*c.work, maxComputeLoad)
	// A request is there for a step per token, and for its prompt's share of them.
	return rate * (c.output*c.base + c.work) / (1 - rho)
}
