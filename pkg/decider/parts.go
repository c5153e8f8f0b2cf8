package decider

import "strings"

// Part is one of the numbers behind a want of the metric slo, with the name under which
// the log, our own metrics and the custom metrics API publish it.
type Part struct {
	// Name and Unit make the published name; Unit is empty for a number without one.
	Name, Unit string
	// Doc is what the number is, in Markdown.
	Doc string
	// LogOnly parts explain a decision and are no series.
	LogOnly bool
	Of      func(SLOParts) Reading
}

// PublishedName is the name in our own metrics, such as startup_time_seconds. The
// custom metrics API has it with slo_ before it.
func (p Part) PublishedName() string {
	if p.Unit == "" {
		return p.Name
	}
	return p.Name + "_" + p.Unit
}

// jsonName is the published name as JSON has it: startupTimeSeconds.
func (p Part) jsonName() string {
	words := strings.Split(p.PublishedName(), "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// Parts lists the parts of the metric slo in the order of the documents.
func Parts() []Part {
	return []Part{
		{"capacity", "rps", "requests per second that one replica sustains within the objective, as learned", false, func(p SLOParts) Reading { return p.CapacityRPS }},
		{"demand", "rps", "requests per second that are planned for now", false, func(p SLOParts) Reading { return p.Demand }},
		{"work", "seconds", "engine time of one request of the present mix", false, func(p SLOParts) Reading { return p.Work }},
		{"backlog", "requests", "waiting requests that more replicas could serve", false, func(p SLOParts) Reading { return p.Backlog }},
		{"startup_time", "seconds", "time from a pod's creation to Ready, as learned", false, func(p SLOParts) Reading { return p.StartupTime }},
		{"growth_factor", "", "factor on the present demand for what may arrive within a startup time", false, func(p SLOParts) Reading { return p.GrowthFactor }},
		{"target_load", "ratio", "share of a replica's modelled rate that is planned with, learned from misses", false, func(p SLOParts) Reading { return p.TargetLoad }},
		{"attainment", "ratio", "share of recent requests (half an hour, faded) that met both latencies, 0 to 1", false, func(p SLOParts) Reading { return p.Attainment }},
		{"need", "replicas", "replicas before rounding and hold-down", false, func(p SLOParts) Reading { return p.Need }},
		{"unschedulable", "replicas", "replicas that are wanted and have no node", false, func(p SLOParts) Reading { return Reading(p.Unmet) }},
		{"concurrency_target", "", "the `autoscaling.knative.dev/target` with which Knative's own class would want about as many", false, func(p SLOParts) Reading { return p.ConcurrencyTarget }},
		{"need_for_growth", "replicas", "replicas for the present demand and its growth", true, func(p SLOParts) Reading { return p.NeedLevel }},
		{"need_for_past_hour", "replicas", "replicas for the load of the past hour to come again", true, func(p SLOParts) Reading { return p.NeedPast }},
		{"unavoidable_misses", "ratio", "share of misses that no number of replicas would help", true, func(p SLOParts) Reading { return p.Floor }},
		{"unloaded_ttft", "seconds", "time to the first token of the mean request on an engine without load; 0 until it is learned", true, func(p SLOParts) Reading { return p.FloorTTFT }},
		{"unloaded_itl", "seconds", "the same of the mean time per further token", true, func(p SLOParts) Reading { return p.FloorITL }},
		{"rank_skew", "", "prompt tokens that a pod's fullest data-parallel rank is given, divided by those of its mean rank", true, func(p SLOParts) Reading { return p.RankSkew }},
		{"engine_requests_per_http_request", "", "unknown at first, and 1 is then assumed", true, func(p SLOParts) Reading { return p.RequestRatio }},
	}
}
