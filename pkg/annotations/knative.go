package annotations

import (
	"knative.dev/pkg/kmap"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
)

// maxBurst is well beyond what activators can queue.
const maxBurst = 1e9

// knative lists Knative's annotations that our class gives a meaning. Knative's own code
// reads their values; a Number here is the range that it enforces.
func knative() []Annotation {
	row := func(keys kmap.KeyPriority, doc string) Annotation {
		return Annotation{Key: keys[0], Older: keys[1:], Doc: doc}
	}
	demand := func(keys kmap.KeyPriority, low, high float64, doc string) Annotation {
		a := row(keys, doc)
		a.Only, a.Kind = DemandOnly, Number{Min: low, Max: high, What: "a percentage"}
		return a
	}
	burst := row(knautoscaling.TargetBurstCapacityAnnotation, "requests that may come at once: while the Ready pods have no room for them beside the present load, Knative's activator stays in the path and queues. `-1` keeps it there always, `0` and no annotation only while no pod is Ready; above 0 for the metrics `concurrency` and `rps` only")
	burst.Kind = Number{Min: -1, Max: maxBurst, What: "a number of requests"}
	return []Annotation{
		row(knautoscaling.ClassAnnotation, "`ipa.autoscaling.knative-inference.dev` selects this class"),
		row(knautoscaling.MetricAnnotation, "as above"),
		row(knautoscaling.TargetAnnotation, "the target of a single metric; refused beside a list, or where `metric` holds the target already"),
		demand(knautoscaling.TargetUtilizationPercentageAnnotation, 1, 100, "1 to 100"),
		row(knautoscaling.MinScaleAnnotation, "the smallest count while the revision is reachable. 0 lets a revision without traffic go to [zero](#zero)"),
		row(knautoscaling.MaxScaleAnnotation, "the largest count; 0 is no limit. It also wins over the cluster's own min-scale"),
		row(knautoscaling.InitialScaleAnnotation, "replicas before the first traffic, at most max-scale; see start-scale below"),
		row(knautoscaling.ActivationScale, "the minimum of a need above 0"),
		row(knautoscaling.ScaleDownDelayAnnotation, "the largest count of this time is kept, for every metric"),
		row(knautoscaling.WindowAnnotation, "the stable window, 6 s to 1 h: the average of `concurrency` and `rps`, and the time for which the largest need of an engine metric is kept"),
		demand(knautoscaling.PanicWindowPercentageAnnotation, knautoscaling.PanicWindowPercentageMin,
			knautoscaling.PanicWindowPercentageMax, "1 to 100: the panic window as a share of the stable window"),
		demand(knautoscaling.PanicThresholdPercentageAnnotation, knautoscaling.PanicThresholdPercentageMin,
			knautoscaling.PanicThresholdPercentageMax, "110 to 1000: the need, as a share of the Ready pods, from which panic mode begins"),
		row(knautoscaling.ScaleToZeroPodRetentionPeriodAnnotation, "for how long the last pod stays without traffic. Without it, and without the cluster's, two startup times of a pod; a revision without a route goes to 0 without retention"),
		burst,
		row(knautoscaling.MetricAggregationAlgorithmAnnotation, "`linear` or `weighted-exponential`: newer values weigh more in the averages of `concurrency` and `rps`"),
	}
}
