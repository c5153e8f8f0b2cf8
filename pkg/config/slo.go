package config

import (
	"cmp"
	"fmt"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// objective reads what the metric slo is to hold. Its annotations are refused
// where the metric is not among the revision's: there they would do nothing.
func (r Resolver) objective(pa *v1alpha1.PodAutoscaler, targets []target) (decider.Objective, error) {
	if !names(targets, decider.SLO) {
		for _, a := range only(annotations.SLOOnly) {
			if key, v, ok := a.Get(pa.Annotations); ok {
				return decider.Objective{}, fmt.Errorf("%s: %q is for the metric %s; add it to %s, or remove this annotation", key, v, a.Only, knautoscaling.MetricAnnotationKey)
			}
		}
		return decider.Objective{FallbackConcurrency: r.fallbackConcurrency(pa)}, nil
	}
	o := decider.Objective{TTFT: r.Own.SLOTTFT, ITL: r.Own.SLOITL, Goal: r.Own.SLOGoal, StartupTime: r.Own.StartupTime}
	o.FallbackConcurrency = r.fallbackConcurrency(pa)
	o.LimitConcurrency(int(pa.Spec.ContainerConcurrency))
	return o, cmp.Or(
		read(pa.Annotations, autoscaling.SLOTTFTKey, &o.TTFT),
		read(pa.Annotations, autoscaling.SLOTTFTPerTokenKey, &o.TTFTPerToken),
		read(pa.Annotations, autoscaling.SLOITLKey, &o.ITL),
		read(pa.Annotations, autoscaling.SLOGoalKey, &o.Goal),
		read(pa.Annotations, autoscaling.SLOMarginKey, &o.Margin))
}

// fallbackConcurrency is the requests in flight for each replica while no engine was ever
// read: Knative's own target without the annotation target, which is of another metric.
func (r Resolver) fallbackConcurrency(pa *v1alpha1.PodAutoscaler) float64 {
	plain := pa.DeepCopy()
	for _, key := range knautoscaling.TargetAnnotation {
		delete(plain.Annotations, key)
	}
	return r.knativeTarget(plain, target{Metric: decider.Concurrency})
}

// sloKeys lists the annotations of the metric slo.
func sloKeys() string { return strings.Join(annotations.Keys(only(annotations.SLOOnly)), ", ") }
