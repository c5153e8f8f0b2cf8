package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// known lists the autoscaling.knative.dev annotations that this class gives a
// meaning; camelCase spellings are Knative's own older ones.
func known() []string {
	return slices.Concat[[]string](
		knautoscaling.ClassAnnotation,
		knautoscaling.MetricAnnotation,
		knautoscaling.TargetAnnotation,
		knautoscaling.TargetUtilizationPercentageAnnotation,
		knautoscaling.TargetBurstCapacityAnnotation,
		knautoscaling.MinScaleAnnotation,
		knautoscaling.MaxScaleAnnotation,
		knautoscaling.InitialScaleAnnotation,
		knautoscaling.ActivationScale,
		knautoscaling.ScaleDownDelayAnnotation,
		knautoscaling.ScaleToZeroPodRetentionPeriodAnnotation,
		knautoscaling.MetricAggregationAlgorithmAnnotation,
		knautoscaling.WindowAnnotation,
		knautoscaling.PanicWindowPercentageAnnotation,
		knautoscaling.PanicThresholdPercentageAnnotation,
	)
}

// checkAnnotations refuses what this class cannot do: an annotation either
// works or is refused, it is never ignored.
func checkAnnotations(annotations map[string]string, kn *autoscalerconfig.Config) error {
	knownKeys := known()
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if strings.HasPrefix(key, knautoscaling.GroupName+"/") && !slices.Contains(knownKeys, key) {
			return fmt.Errorf("%s: unknown annotation; the class %s knows %s", key, autoscaling.Class, strings.Join(knownKeys, ", "))
		}
	}
	if key, v, ok := knautoscaling.MetricAggregationAlgorithmAnnotation.Get(annotations); ok && v != knautoscaling.MetricAggregationAlgorithmLinear {
		return fmt.Errorf("%s: %q is not supported by the class %s; use %q or remove it", key, v, autoscaling.Class, knautoscaling.MetricAggregationAlgorithmLinear)
	}
	if key, v, ok := knautoscaling.TargetBurstCapacityAnnotation.Get(annotations); ok && v != "0" {
		return fmt.Errorf("%s: %q is not supported by the class %s, which keeps the activator out of the path while a pod is Ready; use \"0\" or remove it", key, v, autoscaling.Class)
	}
	if errs := knautoscaling.ValidateAnnotations(context.Background(), kn, annotations); errs != nil {
		return fmt.Errorf("%w", errs)
	}
	return nil
}

// checkOwn refuses wrong values of our own per-revision annotations.
func checkOwn(annotations map[string]string) error {
	if v, ok := annotations[autoscaling.StartScaleKey]; ok && v != StartAtPredecessor && v != StartAtInitial {
		return fmt.Errorf("%s: %q is not one of %q, %q", autoscaling.StartScaleKey, v, StartAtPredecessor, StartAtInitial)
	}
	if v, ok := annotations[autoscaling.MetricsPathKey]; ok && !strings.HasPrefix(v, "/") {
		return fmt.Errorf("%s: %q must begin with \"/\"", autoscaling.MetricsPathKey, v)
	}
	return nil
}
