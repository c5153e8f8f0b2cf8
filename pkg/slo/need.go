package slo

import "time"

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

// Parts are the numbers behind a need.
type Parts struct {
	// CapacityRPS is the requests per second that one replica sustains within the goal;
	// Limit names what limits the rate: compute, ITL, KV or sequences, or "queue" when a
	// persistent queue showed that the rate is less.
	CapacityRPS Reading `json:"capacityRPS"`
	Limit       string  `json:"limit,omitempty"`
	// Demand is requests per second, Work the engine seconds of one request.
	Demand Reading `json:"demand"`
	Work   Reading `json:"work"`
	// RequestRatio is the engine requests per HTTP request; NaN when not known, and 1 is then
	// assumed. Demand and CapacityRPS are engine requests.
	RequestRatio Reading `json:"requestRatio"`
	// RankSkew is the prompt tokens that a pod's fullest data-parallel rank is given, divided by those of its
	// mean rank; 1 where the ranks are equally loaded, or a pod is one engine.
	RankSkew Reading `json:"rankSkew"`
	// Backlog is the requests that wait and that more replicas can take.
	Backlog Reading `json:"backlog"`
	// StartupTime is seconds from a pod's creation to Ready.
	StartupTime Reading `json:"startupTime"`
	// GrowthFactor is the factor on the level of arrivals for what may come within a startup time.
	GrowthFactor Reading `json:"growthFactor"`
	// TargetLoad is the share of a replica's modelled rate that is planned with, learned from the misses.
	TargetLoad Reading `json:"targetLoad"`
	// Floor is the share of misses that no number of replicas would help.
	Floor Reading `json:"floor"`
	// FloorTTFT and FloorITL are the seconds to the first token and between tokens of the mean
	// request on an engine that does nothing else; 0 until they are learned. FloorTTFT is
	// without what Objective.TTFTPerToken allows for the prompt.
	FloorTTFT Reading `json:"floorTTFT"`
	FloorITL  Reading `json:"floorITL"`
	// Need is the replicas before rounding and memory.
	Need Reading `json:"need"`
	// NeedLevel and NeedPast are its two parts: for what comes next, and for the past hour to come again.
	NeedLevel Reading `json:"needLevel"`
	NeedPast  Reading `json:"needPast"`
	// ConcurrencyTarget is the requests in flight per replica that the need amounts to: the target with which an
	// autoscaler by concurrency would give as many replicas.
	ConcurrencyTarget Reading `json:"concurrencyTarget"`
	// Attainment is the share of late requests, faded over half an hour, that met both latencies.
	Attainment Reading `json:"attainment"`
	// Unmet is the replicas that are wanted and have no place in the cluster.
	Unmet int32 `json:"unmet"`
}

// valid reports whether stored parts make sense: nothing is below 0 or endless.
func (p Parts) valid() bool {
	for _, r := range [...]Reading{
		p.CapacityRPS, p.Demand, p.Work, p.Backlog, p.StartupTime, p.GrowthFactor, p.TargetLoad, p.Floor, p.Need,
		p.NeedLevel, p.NeedPast, p.ConcurrencyTarget, p.Attainment, p.RequestRatio, p.RankSkew, p.FloorTTFT, p.FloorITL,
	} {
		if r.Known() && !(r >= 0 && r < 1e30) {
			return false
		}
	}
	made := p.CapacityRPS.Known() && p.StartupTime.Known() && p.TargetLoad.Known() && p.ConcurrencyTarget > 0 &&
		p.StartupTime <= Reading(maxStartupTime.Seconds())
	return p.Limit == "" || made
}

// ratePerReplica is the requests per second of one replica at a load of 1.
func (p Parts) ratePerReplica() float64 {
	return max(float64(p.CapacityRPS)/max(float64(p.TargetLoad), minTargetLoad), 1e-6)
}

// parts plans and says what the plan came from, but for what waits now and the
// attainment.
func (e *estimates) parts(o Objective) Parts {
	share := e.curve.allowed(o.Goal, e.hopeless)
	plan := e.plan(o, share)
	target := e.curve.sustained(share)
	rate := e.capacity.rate * target
	p := Parts{
		CapacityRPS: Reading(rate), Limit: e.capacity.limit, Work: Reading(e.capacity.work), Demand: Unknown(),
		Need:      Unknown(),
		NeedLevel: Unknown(), NeedPast: Unknown(), Backlog: Unknown(), GrowthFactor: Unknown(),
		StartupTime: Reading(e.startupTime), TargetLoad: Reading(target), Floor: Reading(e.curve.floor + e.hopeless),
		ConcurrencyTarget: Reading(e.capacity.running(rate)),
	}
	if plan.known {
		p.Demand, p.Need = Reading(plan.level), Reading(e.needed(plan))
		p.NeedLevel, p.NeedPast = Reading(plan.neededNext), Reading(min(plan.neededReplayed, plan.neededScaled))
		p.GrowthFactor = Reading(plan.growthFactor)
	}
	return p
}
