// Package samples says under which names and in which units the collector's
// values and the parts of a decision are published by the metrics API. The
// cluster and the playground publish the same.
package samples

import (
	"maps"
	"slices"
	"time"

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
	for m, s := range values {
		if name(m) == metric && s.Value.Known() {
			return []metricsapi.Sample{{Metric: metric, Value: float64(s.Value), Time: s.Time, Window: s.Window}}
		}
	}
	return nil
}

func name(m decider.Metric) string {
	d, _ := m.Describe()
	return d.API
}

// OfParts are the parts of a decision on the metric slo, made at a time; a part
// that is not known is absent, as is everything without that metric.
func OfParts(p *decider.SLOParts, at time.Time) (out []metricsapi.Sample) {
	if p == nil {
		return nil
	}
	for _, part := range decider.Parts() {
		if v := part.Of(*p); v.Known() && !part.LogOnly {
			out = append(out, metricsapi.Sample{
				Metric: metricsapi.PartPrefix + part.PublishedName(), Value: float64(v), Time: at,
			})
		}
	}
	return out
}
