package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"knative.dev/pkg/kmap"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
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
	if err := checkKeys(annotations); err != nil {
		return err
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
	return checkNumbers(annotations)
}

// checkKeys refuses keys of Knative's and of our group that mean nothing, so
// that a misspelled one is noticed. One that belongs on the Service does
// nothing here; the webhook warns about it.
func checkKeys(annotations map[string]string) error {
	groups := []struct {
		prefix string
		keys   []string
	}{{knautoscaling.GroupName + "/", known()}, {autoscaling.Domain + "/", ownKeys()}}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		for _, g := range groups {
			if strings.HasPrefix(key, g.prefix) && !slices.Contains(g.keys, key) && !slices.Contains(binding.ServiceKeys(), key) {
				return fmt.Errorf("%s: %q: unknown annotation of the class %s%s", key, annotations[key], autoscaling.Class, binding.Nearest(key, g.keys))
			}
		}
	}
	return nil
}

// ownKeys lists our own annotations, with the one that we write ourselves.
func ownKeys() []string {
	return append(binding.TemplateKeys(), autoscaling.AcceptedKey)
}

// checkNumbers refuses what Knative's own validation lets through: NaN, which
// no comparison finds out of range, and an initial scale beyond 32 bits, which
// would be read as if it were not there.
func checkNumbers(annotations map[string]string) error {
	for _, r := range []struct {
		keys     kmap.KeyPriority
		min, max float64
	}{
		{knautoscaling.TargetUtilizationPercentageAnnotation, 1, 100},
		{knautoscaling.PanicWindowPercentageAnnotation, knautoscaling.PanicWindowPercentageMin, knautoscaling.PanicWindowPercentageMax},
		{knautoscaling.PanicThresholdPercentageAnnotation, knautoscaling.PanicThresholdPercentageMin, knautoscaling.PanicThresholdPercentageMax},
	} {
		key, v, _ := r.keys.Get(annotations)
		if f, err := strconv.ParseFloat(v, 64); err == nil && math.IsNaN(f) {
			return fmt.Errorf("%s: %q must be in [%v, %v]", key, v, r.min, r.max)
		}
	}
	key, v, _ := knautoscaling.InitialScaleAnnotation.Get(annotations)
	if _, err := strconv.ParseInt(v, 10, 32); errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s: %q must be at most %d", key, v, math.MaxInt32)
	}
	return nil
}

// checkDemandOnly refuses annotations that shape concurrency and rps where
// neither is among the metrics: there they would do nothing.
func checkDemandOnly(annotations map[string]string, targets []target) error {
	if names(targets, decider.Concurrency) || names(targets, decider.RPS) {
		return nil
	}
	for _, keys := range demandOnly() {
		if key, v, ok := keys.Get(annotations); ok {
			return fmt.Errorf("%s: %q is for the metrics concurrency and rps only; remove it, or name one of them in %s", key, v, knautoscaling.MetricAnnotationKey)
		}
	}
	return nil
}

// demandOnly lists the annotations that shape concurrency and rps.
func demandOnly() []kmap.KeyPriority {
	return []kmap.KeyPriority{
		knautoscaling.TargetUtilizationPercentageAnnotation,
		knautoscaling.PanicWindowPercentageAnnotation,
		knautoscaling.PanicThresholdPercentageAnnotation,
	}
}

// names reports whether a metric is among the targets.
func names(targets []target, m decider.Metric) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return t.Metric == m })
}

// checkOwn refuses wrong values of our own per-revision annotations.
func checkOwn(annotations map[string]string) error {
	if v, ok := annotations[autoscaling.StartScaleKey]; ok && v != StartAtPredecessor && v != StartAtInitial {
		return fmt.Errorf("%s: %q is not one of %q, %q", autoscaling.StartScaleKey, v, StartAtPredecessor, StartAtInitial)
	}
	if v, ok := annotations[autoscaling.MetricsPathKey]; ok {
		if err := binding.MetricsPath(v); err != nil {
			return fmt.Errorf("%s: %w", autoscaling.MetricsPathKey, err)
		}
	}
	return nil
}
