package decider

import "time"

// Tick is the longest time between two decisions of one revision. Only on a tick may a count
// fall. Knative's autoscaler has the same.
const Tick = 2 * time.Second

// What a Spec has where nobody sets anything else. The three of Knative are the defaults of
// config-autoscaler; a test of pkg/config compares them.
const (
	// DefaultTolerance is HPA's (horizontal-pod-autoscaler-tolerance).
	DefaultTolerance = 0.1
	// DefaultStartupDeadline is well beyond the time in which a large model loads.
	DefaultStartupDeadline = 15 * time.Minute
	// KnativePanicThreshold is panic want / Ready pods.
	KnativePanicThreshold = 2
	// KnativeMaxScaleUpRate and KnativeMaxScaleDownRate are relative to the Ready pods.
	KnativeMaxScaleUpRate, KnativeMaxScaleDownRate = 1000, 2
	// KnativeRPS is the requests per second that Knative gives a replica which is scaled on rps, before the
	// target utilization (requests-per-second-target-default).
	KnativeRPS = 200
)

// DefaultSpec is a routed revision of the metric SLO that sets nothing: SLO, StableWindow and
// the bounds of the count are to be added.
func DefaultSpec() Spec {
	return Spec{
		Targets: []Target{{Metric: SLO}}, Reachable: true,
		PanicThreshold: KnativePanicThreshold,
		MaxScaleUpRate: KnativeMaxScaleUpRate, MaxScaleDownRate: KnativeMaxScaleDownRate,
		Tolerance: DefaultTolerance, StartupDeadline: DefaultStartupDeadline, EarlyPanic: true,
	}
}
