package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	cm "knative.dev/pkg/configmap"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Name is the name of our config map, in our own namespace.
const Name = "config-ipa"

// Config holds the cluster-wide defaults of config-ipa.
type Config struct {
	// Tolerance is the relative distance from an engine metric's target within
	// which nothing changes, in [0, 1).
	Tolerance float64
	// EarlyPanic starts panic mode for concurrency as soon as the engines hold
	// the requests of a burst.
	EarlyPanic bool
	// StartupDeadline is how long a starting pod counts as coming capacity.
	StartupDeadline time.Duration
	// Targets has the default target of each metric that has one here, within the
	// metric's range.
	Targets map[decider.Metric]float64
	// SLOTTFT, SLOITL and SLOGoal are what the metric slo holds where a revision does not say.
	SLOTTFT, SLOITL time.Duration
	SLOGoal         float64
	// MaxScale bounds a revision of our class that has no max-scale, its own or
	// config-autoscaler's; 0 is no bound.
	MaxScale int32
	// Metric is what a revision of our class scales on that names none: one that needs no
	// target of its own.
	Metric decider.Metric
	// Class is the autoscaler class of InferenceServices of KServe that name none, in the
	// namespaces that match one of ClassNamespaces: ours, or "" for KServe's own choice.
	Class           string
	ClassNamespaces []string
	// StartupTime is assumed from a pod's creation to Ready until one was seen.
	StartupTime time.Duration
	// RegisterMetricsAPI is false where another adapter is to have custom.metrics.k8s.io.
	RegisterMetricsAPI bool
}

// Default returns what an empty config-ipa means. The shipped config map's
// _example says the same; a test holds one against the other.
func Default() *Config {
	c := &Config{
		Tolerance:       decider.DefaultTolerance,
		EarlyPanic:      true,
		StartupDeadline: decider.DefaultStartupDeadline,
		Targets:         map[decider.Metric]float64{},
		SLOTTFT:         annotations.Default[time.Duration](autoscaling.SLOTTFTKey),
		SLOITL:          annotations.Default[time.Duration](autoscaling.SLOITLKey),
		SLOGoal:         annotations.Default[float64](autoscaling.SLOGoalKey),
		Metric:          decider.SLO,
		ClassNamespaces: []string{"*"},
		StartupTime:     decider.Objective{}.WithDefaults().StartupTime,

		RegisterMetricsAPI: true,
	}
	for _, d := range configured() {
		c.Targets[d.Metric] = d.Target.Value
	}
	return c
}

// configured lists the metrics whose default target is in config-ipa.
func configured() []decider.Description {
	return slices.DeleteFunc(decider.Metrics(), func(d decider.Description) bool {
		return d.Target.Default != decider.FromConfig
	})
}

// FromConfigMap reads config-ipa. The error names the key, the value and the allowed range.
func FromConfigMap(c *corev1.ConfigMap) (*Config, error) { return FromMap(c.Data) }

// FromMap reads the data of config-ipa; keys that are absent keep their default,
// unknown ones are refused: a misspelled key would silently change nothing.
func FromMap(data map[string]string) (*Config, error) {
	c := Default()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if !slices.Contains(keys(), key) && !strings.HasPrefix(key, "_") {
			return nil, fmt.Errorf("%s: unknown key %q; one of %s", Name, key, strings.Join(keys(), ", "))
		}
	}
	parsers := []cm.ParseFunc{
		cm.AsFloat64("tolerance", &c.Tolerance),
		cm.AsBool("early-panic", &c.EarlyPanic),
		cm.AsDuration("startup-deadline", &c.StartupDeadline),
		cm.AsDuration("slo-ttft-default", &c.SLOTTFT),
		cm.AsDuration("slo-itl-default", &c.SLOITL),
		cm.AsFloat64("slo-goal-default", &c.SLOGoal),
		cm.AsDuration("startup-time-default", &c.StartupTime),
		cm.AsInt32("max-scale-default", &c.MaxScale),
		cm.AsBool("register-metrics-api", &c.RegisterMetricsAPI),
		func(data map[string]string) error {
			if v, given := data[metricKey]; given {
				c.Metric = decider.Metric(strings.TrimSpace(v))
			}
			return nil
		},
		c.parseClass,
	}
	for _, d := range configured() {
		parsers = append(parsers, func(data map[string]string) error {
			v := c.Targets[d.Metric]
			err := cm.AsFloat64(d.ConfigKey(), &v)(data)
			c.Targets[d.Metric] = v
			return err
		})
	}
	if err := cm.Parse(data, parsers...); err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return c, c.validate()
}

// defaultTarget is the target of a metric whose default is ours.
func (c *Config) defaultTarget(d decider.Description) float64 {
	switch d.Target.Default {
	case decider.FromTTFT:
		return 1000 * c.SLOTTFT.Seconds()
	case decider.FromITL:
		return 1000 * c.SLOITL.Seconds()
	default:
		return c.Targets[d.Metric]
	}
}

func keys() []string {
	all := []string{
		"tolerance", "early-panic", "startup-deadline",
		"slo-ttft-default", "slo-itl-default", "slo-goal-default", "startup-time-default", "max-scale-default", metricKey,
		classKey, classNamespacesKey, "register-metrics-api",
	}
	for _, d := range configured() {
		all = append(all, d.ConfigKey())
	}
	return all
}

func (c *Config) validate() error {
	switch {
	case !(c.Tolerance >= 0 && c.Tolerance < 1):
		return fmt.Errorf("%s: tolerance = %v, must be in [0, 1)", Name, c.Tolerance)
	case c.StartupDeadline <= 0:
		return fmt.Errorf("%s: startup-deadline = %v, must be positive", Name, c.StartupDeadline)
	case c.MaxScale < 0:
		return fmt.Errorf("%s: max-scale-default = %d, must be 0 (no bound) or more", Name, c.MaxScale)
	}
	for _, d := range configured() {
		if v, r := c.Targets[d.Metric], d.Target; !(v > 0 && v >= r.Min && v <= cmp.Or(r.Max, decider.MaxTarget)) {
			return fmt.Errorf("%s: %s = %v, must be in %s%s", Name, d.ConfigKey(), v, rangeOf(r), anotherUnit(v, r))
		}
	}
	if err := checkDefaultMetric(c.Metric); err != nil {
		return err
	}
	return c.validateSLO()
}

// rangeOf is where the default target of a metric may lie.
func rangeOf(r decider.TargetRule) string {
	maxValue := cmp.Or(r.Max, decider.MaxTarget)
	if r.Min == 0 {
		return fmt.Sprintf("(0, %g]", maxValue)
	}
	return fmt.Sprintf("[%g, %g] %s", r.Min, maxValue, r.Unit)
}

func (c *Config) validateSLO() error {
	ttft, itl := durationOf(autoscaling.SLOTTFTKey), durationOf(autoscaling.SLOITLKey)
	for _, d := range []struct {
		key   string
		value time.Duration
		in    annotations.Duration
	}{
		{"slo-ttft-default", c.SLOTTFT, ttft},
		{"slo-itl-default", c.SLOITL, itl},
		{"startup-time-default", c.StartupTime, annotations.Duration{Min: time.Second, Max: time.Hour}},
	} {
		if d.value < d.in.Min || d.value > d.in.Max {
			return fmt.Errorf("%s: %s = %v, must be in [%v, %v]", Name, d.key, d.value, d.in.Min, d.in.Max)
		}
	}
	a, _ := annotations.ByKey(autoscaling.SLOGoalKey)
	if goal, ok := a.Kind.(annotations.Number); !ok || !(c.SLOGoal >= goal.Min && c.SLOGoal <= goal.Max) {
		return fmt.Errorf("%s: slo-goal-default = %v, must be in [%v, %v]", Name, c.SLOGoal, goal.Min, goal.Max)
	}
	return nil
}

// durationOf is the range of an annotation that is a duration.
func durationOf(key string) annotations.Duration {
	a, _ := annotations.ByKey(key)
	d, _ := a.Kind.(annotations.Duration)
	return d
}
