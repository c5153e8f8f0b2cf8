// Package samples says under which names and in which units the collector's
// values and the parts of a decision are published by the metrics API. The
// cluster and the playground publish the same.
package samples

import (
	"cmp"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

// published are the metrics that the API serves, in the order of their names in the API.
var published = func() (all []publishedMetric) {
	for _, d := range decider.Metrics() {
		if d.API != "" {
			all = append(all, publishedMetric{d.Metric, d.API})
		}
	}
	slices.SortFunc(all, func(a, b publishedMetric) int { return cmp.Compare(a.name, b.name) })
	return all
}()

// publishedMetric is a metric and its name in the API.
type publishedMetric struct {
	metric decider.Metric
	name   string
}

// OfValues orders a snapshot's known values by the API's metric names.
func OfValues(values map[decider.Metric]collector.Sample) []metricsapi.Sample {
	out := make([]metricsapi.Sample, 0, len(values))
	for _, p := range published {
		if s, ok := values[p.metric]; ok && s.Value.Known() {
			out = append(out, sample(p.name, s))
		}
	}
	return out
}

// OfValue returns the value of one of the API's metrics; false for what is not known.
func OfValue(values map[decider.Metric]collector.Sample, metric string) (metricsapi.Sample, bool) {
	i := slices.IndexFunc(published, func(p publishedMetric) bool { return p.name == metric })
	if i < 0 {
		return metricsapi.Sample{}, false
	}
	s, ok := values[published[i].metric]
	if !ok || !s.Value.Known() {
		return metricsapi.Sample{}, false
	}
	return sample(metric, s), true
}

func sample(name string, s collector.Sample) metricsapi.Sample {
	return metricsapi.Sample{Metric: name, Value: float64(s.Value), Time: s.Time, Window: s.Window}
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
