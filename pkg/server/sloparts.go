package server

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// decisions is what the view reads from the decision loops.
type decisions interface {
	Last(r collector.Revision) (multiscaler.Record, bool)
}

// sloSamples are the parts of a revision's newest decision on the metric slo; a
// part that is not known is absent, as is everything without that metric.
func sloSamples(d decisions, r collector.Revision) []metricsapi.Sample {
	if d == nil {
		return nil
	}
	record, ok := d.Last(r)
	if !ok || record.Decision.SLO == nil {
		return nil
	}
	return partSamples(*record.Decision.SLO, record.Time)
}

func partSamples(p decider.SLOParts, at time.Time) (out []metricsapi.Sample) {
	for _, part := range []struct {
		metric string
		value  decider.Reading
	}{
		{"slo_capacity_rps", p.Mu},
		{"slo_demand_rps", p.Demand},
		{"slo_work_seconds", p.Work},
		{"slo_backlog_requests", p.Backlog},
		{"slo_lead_time_seconds", p.LeadTime},
		{"slo_envelope_ratio", p.Envelope},
		{"slo_trim_ratio", p.Trim},
		{"slo_attainment_percent", 100 * p.Attainment},
		{"slo_need_replicas", p.Need},
		{"slo_unmet_replicas", decider.Reading(p.Unmet)},
		{"slo_concurrency_target", p.ConcurrencyTarget},
	} {
		if part.value.Known() {
			out = append(out, metricsapi.Sample{Metric: part.metric, Value: float64(part.value), Time: at})
		}
	}
	return out
}
