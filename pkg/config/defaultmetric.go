package config

import (
	"fmt"
	"slices"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// metricKey is the key of config-ipa with the metric of revisions that name none.
const metricKey = "default-metric"

// defaultMetric is what a revision scales on that names no metric: what config-ipa says.
// An annotation that is for some metrics only decides first: a target, or the shape of a
// window that only Knative's own metrics have, means concurrency, as with Knative's own
// class; a latency means slo. So an edit of config-ipa never makes an annotation wrong
// that was accepted before.
func (r Resolver) defaultMetric(pa *v1alpha1.PodAutoscaler) decider.Metric {
	_, _, targeted := knautoscaling.TargetAnnotation.Get(pa.Annotations)
	isDemand := r.Own.Metric == decider.Concurrency || r.Own.Metric == decider.RPS
	switch {
	case targeted || hasAny(pa, demandOnly(pa.Annotations)):
		if isDemand {
			return r.Own.Metric
		}
		return decider.Concurrency
	case hasAny(pa, only(annotations.SLOOnly)):
		return decider.SLO
	default:
		return r.Own.Metric
	}
}

// NamesMetric reports whether the annotations name a metric, or an objective, which means slo.
func NamesMetric(pa *v1alpha1.PodAutoscaler) bool {
	metric := strings.TrimSpace(pa.Annotations[knautoscaling.MetricAnnotationKey])
	return metric != "" || hasAny(pa, only(annotations.SLOOnly))
}

// hasAny reports whether a PodAutoscaler has one of the annotations.
func hasAny(pa *v1alpha1.PodAutoscaler, all []annotations.Annotation) bool {
	return slices.ContainsFunc(all, func(a annotations.Annotation) bool {
		_, _, given := a.Get(pa.Annotations)
		return given
	})
}

// checkDefaultMetric refuses what cannot scale a revision that says nothing: a metric that
// is unknown, or whose target depends on model and GPU.
func checkDefaultMetric(m decider.Metric) error {
	d, known := m.Describe()
	switch {
	case !known:
		return fmt.Errorf("%s: %s = %q, must be one of %s", Name, metricKey, m, strings.Join(defaultMetrics(), ", "))
	case d.Target.Default == decider.Required:
		return fmt.Errorf("%s: %s = %q: %s needs a target, which depends on model and GPU, so only a revision can name it; must be one of %s",
			Name, metricKey, m, m, strings.Join(defaultMetrics(), ", "))
	}
	return nil
}

// defaultMetrics lists the metrics that can be the default: those that take no target, or
// have one where none is given.
func defaultMetrics() (names []string) {
	for _, d := range decider.Metrics() {
		if d.Target.Default != decider.Required {
			names = append(names, string(d.Metric))
		}
	}
	return names
}
