package decider

import (
	"errors"
	"fmt"
	"math"
)

// maxSafeTarget is above every believable reading, and above MaxTarget; a larger target would
// overflow when it is multiplied by pods.
const maxSafeTarget = 1e12

// validate guards the arithmetic. Users' mistakes are reported by pkg/config,
// in their own words; here the field is named for whoever built the Spec.
func validate(spec Spec, obs Observation) error {
	if obs.Time.IsZero() {
		return errors.New("Observation.Time is zero: set the time of the observation")
	}
	if obs.Replicas < 0 || obs.Ready < 0 {
		return fmt.Errorf("Observation.Replicas %d, Ready %d: counts cannot be negative", obs.Replicas, obs.Ready)
	}
	if err := validateTargets(spec); err != nil {
		return err
	}
	if spec.MinReplicas < 0 || spec.MaxReplicas < 0 || spec.MaxReplicas > 0 && spec.MinReplicas > spec.MaxReplicas {
		return fmt.Errorf("Spec.MinReplicas %d, MaxReplicas %d: want 0 <= min <= max, or max 0 for no limit", spec.MinReplicas, spec.MaxReplicas)
	}
	if spec.StableWindow <= 0 {
		return fmt.Errorf("Spec.StableWindow is %v, want more than 0", spec.StableWindow)
	}
	for _, f := range [...]struct {
		name  string
		value float64
	}{{"MaxScaleUpRate", spec.MaxScaleUpRate}, {"MaxScaleDownRate", spec.MaxScaleDownRate}} {
		if !(f.value > 1) || math.IsInf(f.value, 0) {
			return fmt.Errorf("Spec.%s is %v, want a number above 1", f.name, f.value)
		}
	}
	if spec.ActivationScale < 0 || spec.ScaleDownDelay < 0 || spec.StartupDeadline < 0 {
		return fmt.Errorf("Spec.ActivationScale %d, ScaleDownDelay %v, StartupDeadline %v: none may be negative",
			spec.ActivationScale, spec.ScaleDownDelay, spec.StartupDeadline)
	}
	if !(spec.TargetBurst == -1 || spec.TargetBurst >= 0 && spec.TargetBurst <= maxSafeTarget) ||
		!(spec.ReplicaCapacity >= 0 && spec.ReplicaCapacity <= maxSafeTarget) {
		return fmt.Errorf("Spec.TargetBurst %v, ReplicaCapacity %v: want -1 or more, and 0 or more", spec.TargetBurst, spec.ReplicaCapacity)
	}
	if !(spec.Tolerance >= 0 && spec.Tolerance < 1) {
		return fmt.Errorf("Spec.Tolerance is %v, want 0 or more and less than 1", spec.Tolerance)
	}
	return nil
}

func validateTargets(spec Spec) error {
	if len(spec.Targets) == 0 {
		return errors.New("Spec.Targets is empty: name at least one metric")
	}
	for i, t := range spec.Targets {
		switch d, _ := t.Metric.Describe(); d.Kind {
		case Demand:
			if !(spec.PanicThreshold > 0) {
				return fmt.Errorf("Spec.PanicThreshold is %v, want more than 0 for the metric %s", spec.PanicThreshold, t.Metric)
			}
		case Planned:
			if err := spec.SLO.Validate(); err != nil {
				return fmt.Errorf("Spec.SLO.%w", err)
			}
			t.Value = 1
		case Level, Backlog, Percentile:
		default:
			return fmt.Errorf("Spec.Targets[%d].Metric %q is not known", i, t.Metric)
		}
		if !(t.Value > 0 && t.Value <= maxSafeTarget) {
			return fmt.Errorf("Spec.Targets[%d].Value of %s is %v, want above 0 and at most %g", i, t.Metric, t.Value, float64(maxSafeTarget))
		}
		for _, earlier := range spec.Targets[:i] {
			if earlier.Metric == t.Metric {
				return fmt.Errorf("Spec.Targets[%d].Metric %s is there twice", i, t.Metric)
			}
		}
	}
	return nil
}
