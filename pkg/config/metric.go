package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// maxTarget bounds a target per replica; no engine serves more of anything.
const maxTarget = 1e9

// maxLatency bounds a latency target in milliseconds: an hour, as for slo-ttft.
const maxLatency = 3600e3

var metrics = []decider.Metric{
	decider.Concurrency, decider.RPS, decider.Running, decider.Waiting,
	decider.KVCache, decider.PromptTokens, decider.GenerationTokens,
	decider.TTFTP95, decider.ITLP95, decider.SLO,
}

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
	var targets []target
	for entry := range strings.SplitSeq(value, ",") {
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
	if !slices.Contains(metrics, t.Metric) {
		return t, fmt.Errorf("%s: unknown metric %q%s", knautoscaling.MetricAnnotationKey, t.Metric,
			annotations.Nearest(string(t.Metric), metricNames()))
	}
	if !given {
		return t, nil
	}
	if t.Metric == decider.SLO {
		return t, fmt.Errorf("%s: %q: %s takes no target; set %s", knautoscaling.MetricAnnotationKey, entry, t.Metric, sloKeys())
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return t, fmt.Errorf("%s: target %q of %s is not a number", knautoscaling.MetricAnnotationKey, number, t.Metric)
	}
	t.Value = v
	return t, checkTarget(knautoscaling.MetricAnnotationKey, t)
}

// targetRange is what a metric's target may be. below says what a smaller
// target most likely is: the same value in another unit.
type targetRange struct {
	min, max    float64
	unit, below string
}

// targetRangeOf returns the range of a metric's targets. Where no unit can be
// mistaken the lower limit is Knative's.
func targetRangeOf(m decider.Metric) targetRange {
	switch m {
	case decider.KVCache:
		return targetRange{2, 100, "percent", "a share of 1, as vLLM's own gauge reports; 70 % is 70"}
	case decider.TTFTP95, decider.ITLP95:
		return targetRange{1, maxLatency, "milliseconds", "seconds; half a second is 500"}
	}
	return targetRange{min: knautoscaling.TargetMin, max: maxTarget}
}

// checkTarget holds a given target against the metric's range.
func checkTarget(key string, t target) error {
	r := targetRangeOf(t.Metric)
	if t.Value >= r.min && t.Value <= r.max { // false for NaN
		return nil
	}
	text := fmt.Sprintf("%s: target %v of %s must be in [%v, %v]", key, t.Value, t.Metric, r.min, r.max)
	if r.unit != "" {
		text += " " + r.unit
	}
	if t.Value > 0 && t.Value < r.min && r.below != "" {
		text += fmt.Sprintf("; %v looks like %s", t.Value, r.below)
	}
	return errors.New(text)
}

func metricNames() []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = string(m)
	}
	return names
}
