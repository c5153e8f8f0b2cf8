package slo

// Parts are the numbers behind a want of the metric SLO.
type Parts struct {
	// CapacityRPS is the requests per second that one replica sustains within the goal;
	// Limit names what limits it: compute, ITL, KV or sequences, or "queue" when a standing
	// queue showed that it is less.
	CapacityRPS Reading `json:"capacityRPS"`
	Limit       string  `json:"limit,omitempty"`
	// Demand is requests per second, Work the engine seconds of one request.
	Demand Reading `json:"demand"`
	Work   Reading `json:"work"`
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
	// Need is the replicas before rounding and memory.
	Need Reading `json:"need"`
	// NeedLevel and NeedPast are its two parts: for what comes next, and for the past hour to come again.
	NeedLevel Reading `json:"needLevel"`
	NeedPast  Reading `json:"needPast"`
	// ConcurrencyTarget is what autoscaling.knative.dev/target would have to be for Knative's own autoscaler.
	ConcurrencyTarget Reading `json:"concurrencyTarget"`
	// Attainment is the share of late requests, faded over half an hour, that met both latencies.
	Attainment Reading `json:"attainment"`
	// Unmet is the replicas that are wanted and have no place in the cluster.
	Unmet int32 `json:"unmet"`
}

// sound reports whether stored parts make sense: nothing is below 0 or endless.
func (p Parts) sound() bool {
	for _, r := range [...]Reading{p.CapacityRPS, p.Demand, p.Work, p.Backlog, p.StartupTime, p.GrowthFactor, p.TargetLoad, p.Floor, p.Need,
		p.NeedLevel, p.NeedPast, p.ConcurrencyTarget, p.Attainment} {
		if r.Known() && !(r >= 0 && r < 1e30) {
			return false
		}
	}
	made := p.CapacityRPS.Known() && p.StartupTime.Known() && p.TargetLoad.Known() && p.ConcurrencyTarget > 0 && p.StartupTime <= Reading(longestLead.Seconds())
	return p.Limit == "" || made
}

// parts plans and says what it came from.
func (s *State) parts(o Objective, c capacity, ready int32) Parts {
	m := s.Outcomes.curve()
	share := m.allowed(o.Goal)
	plan := s.plan(o, c, &m, share)
	trim := m.sustained(share)
	mu := c.rate * trim
	p := Parts{
		CapacityRPS: Reading(mu), Limit: c.limit, Work: Reading(c.work), Demand: Unknown(), Need: Unknown(),
		NeedLevel: Unknown(), NeedPast: Unknown(), Backlog: Unknown(), GrowthFactor: Unknown(),
		StartupTime: Reading(s.Engines.lead(o.LeadTime.Seconds())), TargetLoad: Reading(trim), Floor: Reading(m.floor),
		ConcurrencyTarget: Reading(c.running(s.Lengths, mu)), Attainment: s.Outcomes.attainment(),
	}
	if plan.known {
		p.Demand, p.Need = Reading(plan.now), Reading(plan.need()*s.dilution(c, plan.need(), ready))
		if p.Need > 0 {
			p.Need += Reading(s.spare(float64(p.Need)))
		}
		p.NeedLevel, p.NeedPast = Reading(plan.level), Reading(min(plan.past, plan.alike))
		p.GrowthFactor = Reading(plan.envelope)
	}
	return p
}
