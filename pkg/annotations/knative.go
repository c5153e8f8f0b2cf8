package annotations

import (
	"knative.dev/pkg/kmap"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
)

// knative lists Knative's annotations that our class gives a meaning. Knative's own code
// reads their values; a Number here is the range that it enforces.
func knative() []Annotation {
	row := func(keys kmap.KeyPriority, doc string) Annotation {
		return Annotation{Key: keys[0], Older: keys[1:], Doc: doc}
	}
	demand := func(keys kmap.KeyPriority, min, max float64, doc string) Annotation {
		a := row(keys, doc)
		a.Only, a.Kind = DemandOnly, Number{Min: min, Max: max, What: "a percentage"}
		return a
	}
	return []Annotation{
		row(knautoscaling.ClassAnnotation, "`ipa.autoscaling.knative-inference.dev` selects this class"),
		row(knautoscaling.MetricAnnotation, "as above"),
		row(knautoscaling.TargetAnnotation, "the target of a single metric; refused beside a list, or where `metric` holds the target already"),
		demand(knautoscaling.TargetUtilizationPercentageAnnotation, 1, 100, "1 to 100"),
		row(knautoscaling.MinScaleAnnotation, "the smallest count while the revision is reachable. 0 is taken as 1: scaling a reachable revision to zero is not here yet, and the condition ScaleToZero says so"),
		row(knautoscaling.MaxScaleAnnotation, "the largest count; 0 is no limit. It also wins over the cluster's own min-scale"),
		row(knautoscaling.InitialScaleAnnotation, "replicas before the first traffic, at most max-scale; see start-scale below"),
		row(knautoscaling.ActivationScale, "the minimum of a need above 0"),
		row(knautoscaling.ScaleDownDelayAnnotation, "the largest count of this time is kept, for every metric"),
		row(knautoscaling.WindowAnnotation, "the stable window, 6 s to 1 h: the average of `concurrency` and `rps`, and the time for which the largest need of an engine metric is kept"),
		demand(knautoscaling.PanicWindowPercentageAnnotation, knautoscaling.PanicWindowPercentageMin, knautoscaling.PanicWindowPercentageMax, "1 to 100: the panic window as a share of the stable window"),
		demand(knautoscaling.PanicThresholdPercentageAnnotation, knautoscaling.PanicThresholdPercentageMin, knautoscaling.PanicThresholdPercentageMax, "110 to 1000: the need, as a share of the Ready pods, from which panic mode begins"),
		row(knautoscaling.ScaleToZeroPodRetentionPeriodAnnotation, "accepted, no effect yet: a routed revision keeps one pod anyway, and the condition ScaleToZero names it; one without a route goes to 0 without retention"),
		row(knautoscaling.TargetBurstCapacityAnnotation, "only `\"0\"`, which is what this class does: the activator is in the path only while no pod is Ready. Anything else is refused"),
		row(knautoscaling.MetricAggregationAlgorithmAnnotation, "only `linear`; weighted exponential averaging is refused"),
	}
}
