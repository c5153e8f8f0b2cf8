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
	"time"

	"knative.dev/pkg/apis"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
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
	if key, v, _ := knautoscaling.MetricAggregationAlgorithmAnnotation.Get(given); v != "" &&
		v != knautoscaling.MetricAggregationAlgorithmLinear && !isWeighted(given) {
		return fmt.Errorf("%s: %q must be %q or %q", key, v, knautoscaling.MetricAggregationAlgorithmLinear,
			knautoscaling.MetricAggregationAlgorithmWeightedExponential)
	}
	if errs := knautoscaling.ValidateAnnotations(context.Background(), kn, given); errs != nil {
		return withFix(errs, given)
	}
	return checkNumbers(given)
}

// withFix says of a refusal by Knative's own code which annotation it is about, and of an
// "invalid value" how one is written.
func withFix(errs *apis.FieldError, given map[string]string) error {
	all := errs.WrappedErrors()
	if len(all) != 1 || len(all[0].Paths) != 1 {
		return fmt.Errorf("%w", errs)
	}
	key, e := all[0].Paths[0], all[0]
	value, ok := given[key]
	if !ok {
		return fmt.Errorf("%w", errs)
	}
	if e.Message != apis.ErrInvalidValue(value, key).Message {
		return fmt.Errorf("%s: %q: %s", key, value, e.Message)
	}
	form := "a number, such as \"10\""
	switch {
	case strings.HasSuffix(strings.ToLower(key), "scale"): // min-scale, minScale
		form = "a whole number of replicas, such as \"3\""
	case slices.Contains(timeKeys, key):
		form = "a duration with its unit, such as \"60s\""
	case slices.Contains(knautoscaling.TargetBurstCapacityAnnotation, key):
		form = "-1, nor a number of requests from 0"
	}
	return fmt.Errorf("%s: %q is not %s", key, value, form)
}

// timeKeys are Knative's annotations that are durations.
var timeKeys = slices.Concat(knautoscaling.WindowAnnotation, knautoscaling.ScaleDownDelayAnnotation,
	knautoscaling.ScaleToZeroPodRetentionPeriodAnnotation)

// checkKeys refuses keys of Knative's and of our group that mean nothing, so
// that a misspelled one is noticed. One that belongs on the Service does
// nothing here; the webhook warns about it.
func checkKeys(given map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		for _, domain := range []string{knautoscaling.GroupName, autoscaling.Domain} {
			if _, known := annotations.ByKey(key); known || !strings.HasPrefix(key, domain+"/") {
				continue
			}
			meant := annotations.Nearest(key, keysOf(domain))
			if other := annotations.Elsewhere(key); other != "" {
				meant = fmt.Sprintf("; did you mean %s?", other)
			}
			return fmt.Errorf("%s: %q: unknown annotation of the class %s%s", key, given[key], autoscaling.Class, meant)
		}
	}
	return nil
}

// keysOf lists the annotations of a revision with a domain.
func keysOf(domain string) []string {
	return annotations.Keys(annotations.Where(func(a annotations.Annotation) bool {
		return a.Domain() == domain && a.Place == annotations.Template
	}))
}

// checkNumbers refuses what Knative's own validation lets through: NaN, which
// no comparison finds out of range, and an initial scale beyond 32 bits, which
// would be read as if it were not there.
func checkNumbers(given map[string]string) error {
	for _, a := range annotations.Where(
		func(a annotations.Annotation) bool { return a.Domain() == knautoscaling.GroupName }) {
		key, v, _ := a.Get(given)
		kind, ok := a.Kind.(annotations.Number)
		if f, err := strconv.ParseFloat(v, 64); ok && err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
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
	for _, a := range demandOnly(given) {
		if key, v, ok := a.Get(given); ok {
			return fmt.Errorf("%s: %q is for the metrics %s only; remove it, or name one of them in %s", key, v, annotations.DemandOnly, knautoscaling.MetricAnnotationKey)
		}
	}
	return nil
}

// only lists the annotations that are for some metrics alone.
func only(m annotations.Metrics) []annotations.Annotation {
	return annotations.Where(func(a annotations.Annotation) bool { return a.Only == m })
}

// demandOnly lists the annotations that shape concurrency and rps alone, also those that do
// for some values only: a target-burst-capacity above 0 is in requests or requests per
// second, and an average that is not linear is one of theirs.
func demandOnly(given map[string]string) []annotations.Annotation {
	all := only(annotations.DemandOnly)
	if _, v, _ := knautoscaling.TargetBurstCapacityAnnotation.Get(given); v != "" && v != "0" && v != "-1" {
		burst, _ := annotations.ByKey(knautoscaling.TargetBurstCapacityKey)
		all = append(all, burst)
	}
	if isWeighted(given) {
		algorithm, _ := annotations.ByKey(knautoscaling.MetricAggregationAlgorithmKey)
		all = append(all, algorithm)
	}
	return all
}

// isWeighted reports whether newer values weigh more in the averages.
func isWeighted(given map[string]string) bool {
	_, v, _ := knautoscaling.MetricAggregationAlgorithmAnnotation.Get(given)
	return v == knautoscaling.MetricAggregationAlgorithmWeightedExponential ||
		v == knautoscaling.MetricAggregationAlgorithmWeightedExponentialAlt
}

// names reports whether a metric is among the targets.
func names(targets []target, m decider.Metric) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return t.Metric == m })
}

// DrainTimeout is the annotation of that name; 0 without it and where it is invalid.
func DrainTimeout(pa *v1alpha1.PodAutoscaler) (timeout time.Duration) {
	if read(pa.Annotations, autoscaling.DrainTimeoutKey, &timeout) != nil {
		return 0
	}
	return timeout
}

// read sets to to an annotation's value; the error begins with the key.
func read[T any](given map[string]string, key string, to *T) error {
	if err := annotations.Read(given, key, to); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
