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

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// checkAnnotations refuses what this class cannot do: an annotation either
// works or is refused, it is never ignored.
func checkAnnotations(given map[string]string, kn *autoscalerconfig.Config) error {
	if err := checkKeys(given); err != nil {
		return err
	}
	if key, v, ok := knautoscaling.MetricAggregationAlgorithmAnnotation.Get(given); ok && v != knautoscaling.MetricAggregationAlgorithmLinear {
		return fmt.Errorf("%s: %q is not supported by the class %s; use %q or remove it", key, v, autoscaling.Class, knautoscaling.MetricAggregationAlgorithmLinear)
	}
	if key, v, ok := knautoscaling.TargetBurstCapacityAnnotation.Get(given); ok && v != "0" {
		return fmt.Errorf("%s: %q is not supported by the class %s, which keeps the activator out of the path while a pod is Ready; use \"0\" or remove it", key, v, autoscaling.Class)
	}
	if errs := knautoscaling.ValidateAnnotations(context.Background(), kn, given); errs != nil {
		return fmt.Errorf("%w", errs)
	}
	return checkNumbers(given)
}

// checkKeys refuses keys of Knative's and of our group that mean nothing, so
// that a misspelled one is noticed. One that belongs on the Service does
// nothing here; the webhook warns about it.
func checkKeys(given map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		for _, domain := range []string{knautoscaling.GroupName, autoscaling.Domain} {
			if _, known := annotations.ByKey(key); known || !strings.HasPrefix(key, domain+"/") {
				continue
			}
			return fmt.Errorf("%s: %q: unknown annotation of the class %s%s", key, given[key], autoscaling.Class, annotations.Nearest(key, keysOf(domain)))
		}
	}
	return nil
}

// keysOf lists the annotations of a revision with a domain.
func keysOf(domain string) []string {
	return annotations.Keys(annotations.Where(func(a annotations.Annotation) bool {
		return a.Domain() == domain && a.Place != annotations.Service
	}))
}

// checkNumbers refuses what Knative's own validation lets through: NaN, which
// no comparison finds out of range, and an initial scale beyond 32 bits, which
// would be read as if it were not there.
func checkNumbers(given map[string]string) error {
	for _, a := range annotations.Where(func(a annotations.Annotation) bool { return a.Domain() == knautoscaling.GroupName }) {
		key, v, _ := a.Get(given)
		kind, ok := a.Kind.(annotations.Number)
		if f, err := strconv.ParseFloat(v, 64); ok && err == nil && math.IsNaN(f) {
			return fmt.Errorf("%s: %q must be in [%v, %v]", key, v, kind.Min, kind.Max)
		}
	}
	key, v, _ := knautoscaling.InitialScaleAnnotation.Get(given)
	if _, err := strconv.ParseInt(v, 10, 32); errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s: %q must be at most %d", key, v, math.MaxInt32)
	}
	return nil
}

// checkDemandOnly refuses annotations that shape concurrency and rps where
// neither is among the metrics: there they would do nothing.
func checkDemandOnly(given map[string]string, targets []target) error {
	if names(targets, decider.Concurrency) || names(targets, decider.RPS) {
		return nil
	}
	for _, a := range only(annotations.DemandOnly) {
		if key, v, ok := a.Get(given); ok {
			return fmt.Errorf("%s: %q is for the metrics %s only; remove it, or name one of them in %s", key, v, a.Only, knautoscaling.MetricAnnotationKey)
		}
	}
	return nil
}

// only lists the annotations that are for some metrics alone.
func only(m annotations.Metrics) []annotations.Annotation {
	return annotations.Where(func(a annotations.Annotation) bool { return a.Only == m })
}

// names reports whether a metric is among the targets.
func names(targets []target, m decider.Metric) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return t.Metric == m })
}

// read sets to to an annotation's value; the error begins with the key.
func read[T any](given map[string]string, key string, to *T) error {
	if err := annotations.Read(given, key, to); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
