// Package samples says under which names and in which units the collector's
// values and the parts of a decision are published by the metrics API. The
// cluster and the playground publish the same.
package samples

import (
	"maps"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

// OfValues orders a snapshot's known values by the API's metric names.
func OfValues(values map[decider.Metric]collector.Sample) []metricsapi.Sample {
	out := make([]metricsapi.Sample, 0, len(values))
	for _, m := range slices.Sorted(maps.Keys(values)) {
		s := values[m]
		if !s.Value.Known() {
			continue
		}
		out = append(out, metricsapi.Sample{Metric: name(m), Value: float64(s.Value), Time: s.Time, Window: s.Window})
	}
	return out
}

// OfValue returns the known value of one of the API's metrics, or nothing.
func OfValue(values map[decider.Metric]collector.Sample, metric string) []metricsapi.Sample {
	m := decider.Metric(metric)
	if metric == autoscaling.RequestsPerSecond {
		m = decider.RPS
	}
	s, ok := values[m]
	if !ok || !s.Value.Known() || name(m) != metric {
		return nil
	}
	return []metricsapi.Sample{{Metric: metric, Value: float64(s.Value), Time: s.Time, Window: s.Window}}
}

func name(m decider.Metric) string {
	if m == decider.RPS {
		return autoscaling.RequestsPerSecond
	}
	return string(m)
}

// OfParts are the parts of a decision on the metric slo, made at a time; a part
// that is not known is absent, as is everything without that metric.
func OfParts(p *decider.SLOParts, at time.Time) (out []metricsapi.Sample) {
	if p == nil {
		return nil
	}
	for _, part := range []struct {
		metric string
		value  decider.Reading
	}{
		{"slo_capacity_rps", p.CapacityRPS},
		{"slo_demand_rps", p.Demand},
		{"slo_work_seconds", p.Work},
		{"slo_backlog_requests", p.Backlog},
		{"slo_lead_time_seconds", p.StartupTime},
		{"slo_envelope_ratio", p.GrowthFactor},
		{"slo_trim_ratio", p.TargetLoad},
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
