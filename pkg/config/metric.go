package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// target is one entry of the metric annotation; Value 0 means none was given.
type target struct {
	Metric decider.Metric
	Value  float64
}

// parseMetrics reads autoscaling.knative.dev/metric: one name, or a list of
// name=target. The empty string is the default that is passed in.
func parseMetrics(value string, otherwise decider.Metric) ([]target, error) {
	if strings.TrimSpace(value) == "" {
		return []target{{Metric: otherwise}}, nil
	}
	list, err := annotations.List(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", knautoscaling.MetricAnnotationKey, err)
	}
	var targets []target
	for _, entry := range list {
		t, err := parseMetric(entry)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(targets, func(o target) bool { return o.Metric == t.Metric }) {
			return nil, fmt.Errorf("%s: %q names %s twice; give each metric once", knautoscaling.MetricAnnotationKey, value, t.Metric)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

func parseMetric(entry string) (target, error) {
	name, number, given := strings.Cut(entry, "=")
	t := target{Metric: decider.Metric(strings.TrimSpace(name))}
	d, known := t.Metric.Describe()
	if !known {
		return t, fmt.Errorf("%s: unknown metric %q%s", knautoscaling.MetricAnnotationKey, t.Metric,
			annotations.Nearest(string(t.Metric), metricNames()))
	}
	if !given {
		return t, nil
	}
	if d.Target.Default == decider.NoTarget {
		return t, fmt.Errorf("%s: %q: %s takes no target; set %s", knautoscaling.MetricAnnotationKey, entry, t.Metric, sloKeys())
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return t, fmt.Errorf("%s: target %q of %s is not a number%s", knautoscaling.MetricAnnotationKey, number, t.Metric, inUnit(d.Target.Unit))
	}
	t.Value = v
	return t, checkTarget(knautoscaling.MetricAnnotationKey, t)
}

// inUnit says how a target is written that has a unit.
func inUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return "; write the number of " + unit + " alone"
}

// checkTarget holds a given target against the metric's range. Where the metric has
// none the lower limit is Knative's.
func checkTarget(key string, t target) error {
	d, _ := t.Metric.Describe()
	r := d.Target
	minValue, maxValue := cmp.Or(r.Min, knautoscaling.TargetMin), cmp.Or(r.Max, decider.MaxTarget)
	if t.Value >= minValue && t.Value <= maxValue { // false for NaN
		return nil
	}
	text := fmt.Sprintf("%s: target %v of %s must be in [%v, %v]", key, t.Value, t.Metric, minValue, maxValue)
	if r.Unit != "" {
		text += " " + r.Unit
	}
	return errors.New(text + anotherUnit(t.Value, r))
}

// anotherUnit says what a target below the metric's range most likely is.
func anotherUnit(v float64, r decider.TargetRule) string {
	if v > 0 && v < r.Min && r.SmallerIs != "" {
		return fmt.Sprintf("; %v looks like %s", v, r.SmallerIs)
	}
	return ""
}

func metricNames() (names []string) {
	for _, d := range decider.Metrics() {
		names = append(names, string(d.Metric))
	}
	return names
}
