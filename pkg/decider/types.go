package decider

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// Target is a metric with its value per replica.
type Target struct {
	Metric Metric
	// Value is per replica, in the metric's unit, greater than 0. For
	// Concurrency and RPS it already includes the target utilization. For SLO
	// it is ignored: Spec.SLO has the objective.
	Value float64
}

// Spec is what the user asked for, validated at the edge (see pkg/config).
// Times are durations, rates are factors. A Spec is never modified by Decide.
type Spec struct {
	// Targets holds one or more signals; the largest want wins.
	Targets []Target
	// SLO is the objective of the metric SLO; ignored without that metric.
	SLO Objective
	// MinReplicas and MaxReplicas bound every decision; MaxReplicas 0 is unlimited.
	MinReplicas, MaxReplicas int32
	// ActivationScale is the minimum of a want above 0; 0 or 1 is off.
	ActivationScale int32
	// Reachable is false for a revision that no route points to.
	Reachable bool
	// StableWindow is the averaging window of the stable mode and the time for
	// which the want of an engine metric must be low before the count falls.
	StableWindow time.Duration
	// PanicThreshold is panic want / ready pods from which panic begins, e.g. 2.
	PanicThreshold float64
	// MaxScaleUpRate and MaxScaleDownRate bound one decision relative to the ready pods, both > 1.
	MaxScaleUpRate, MaxScaleDownRate float64
	// ScaleDownDelay is the time for which the largest count is kept; 0 is off.
	ScaleDownDelay time.Duration
	// Tolerance is the relative distance from an engine metric's target within which nothing changes, e.g. 0.1.
	Tolerance float64
	// StartupDeadline is the time for which a starting pod counts as expected capacity.
	StartupDeadline time.Duration
	// TargetBurst is the requests that may come at once beyond the present load, -1 for any
	// number: while the Ready pods cannot take them, Knative's activator queues. 0
	// keeps the activator out of the path. ReplicaCapacity is what one replica takes, in
	// the unit of the demand metric, without a target utilization.
	TargetBurst, ReplicaCapacity float64
	// EarlyPanic lets the engines' count of requests start the panic mode of
	// Concurrency before the averages of the queue-proxies show the burst.
	EarlyPanic bool
}

// Types of pkg/slo that callers of Decide use as well.
type (
	// Objective is what a user of the metric SLO states.
	Objective = slo.Objective
	// StepTime models one iteration of an engine.
	StepTime = slo.StepTime
	// SLOParts are the numbers behind a want of the metric SLO.
	SLOParts = slo.Parts
)

// The range of Objective.Margin.
const MinMargin, MaxMargin = slo.MinMargin, slo.MaxMargin

// Reason is why a count is what it is. Reasons that HPA has, too, have HPA's names.
type Reason string

// The reasons of a decision, and of the steps of its trace.
const (
	DesiredWithinRange  Reason = "DesiredWithinRange"  // the wants alone decided
	NoData              Reason = "NoData"              // no metric is known: the count stays
	PartialData         Reason = "PartialData"         // a metric is unknown: the count does not fall
	PodLost             Reason = "PodLost"             // a Ready pod was lost: its load was not measured
	Panicking           Reason = "Panicking"           // panic mode: the largest count since it began
	ScaleUpLimit        Reason = "ScaleUpLimit"        // max-scale-up-rate
	NeverKnown          Reason = "NeverKnown"          // the metric was never known: it does not count
	NoEngineMetrics     Reason = "NoEngineMetrics"     // no metric was ever known: requests in flight decide
	UnconfirmedJump     Reason = "UnconfirmedJump"     // only the last sample of an engine asks for more
	JumpLimit           Reason = "JumpLimit"           // an engine alone asks for many times the Ready pods
	ScaleDownLimit      Reason = "ScaleDownLimit"      // max-scale-down-rate
	BetweenTicks        Reason = "BetweenTicks"        // a count falls on a tick only, every 2 s
	ScaleDownStabilized Reason = "ScaleDownStabilized" // an engine metric was higher within the stable window
	ScaleDownDelayed    Reason = "ScaleDownDelayed"    // scale-down-delay
	ActivationScale     Reason = "ActivationScale"     // activation-scale
	GivenBackSlowly     Reason = "GivenBackSlowly"     // replicas that a backlog brought are removed one by one
	InFlightRequests    Reason = "InFlightRequests"    // requests are in flight, or may be in an unreachable revision
	NoNewRequests       Reason = "NoNewRequests"       // no route, and no request has begun: pods go when their requests have ended
	NoReadinessGate     Reason = "NoReadinessGate"     // no route, but pods that cannot drain stay while requests are in flight
	Unreachable         Reason = "Unreachable"         // no route and no request: the pods are removed
	Idle                Reason = "Idle"                // nothing was open anywhere for a stable window
	OpenUnknown         Reason = "OpenUnknown"         // it is not known whether a request is open: one replica stays
	RequestsWait        Reason = "RequestsWait"        // requests wait for the first pod
	StartFails          Reason = "StartFails"          // pods do not become Ready, and more would not either
	Unschedulable       Reason = "Unschedulable"       // pods find no node, and more would not either
	TooFewReplicas      Reason = "TooFewReplicas"      // min-scale
	TooManyReplicas     Reason = "TooManyReplicas"     // max-scale
)

// Want is the replicas that one target needs, and the numbers behind it.
type Want struct {
	Metric Metric
	// Observed is the signal the want was computed from: the stable (or, in
	// panic, the larger of stable and panic) sum for Concurrency and RPS, the
	// mean percentage for KVCache, the sum over known pods for the rest.
	Observed Reading
	// Target is the value per replica.
	Target float64
	// Asked is the need of the metric alone, before any rule; -1 if the metric is unknown.
	Asked int32
	// Replicas is the want; -1 if the metric is unknown.
	Replicas int32
	// Reason is that of the last rule that changed the want, or DesiredWithinRange.
	Reason Reason
	// Trace has a step for each rule that changed the count between Asked and Replicas.
	Trace []Step `json:",omitempty"`
}

// Step is one rule's change of the count, or for an unreachable revision the reason
// why the count stays.
type Step struct {
	Rule          string
	Before, After int32
	Reason        Reason
}

// Decision is a replica count with the reasons for it.
type Decision struct {
	// Replicas is within [Spec.MinReplicas, Spec.MaxReplicas].
	Replicas int32
	// Reason is that of the last rule that changed the count, else of the largest
	// want, else DesiredWithinRange.
	Reason Reason
	// Metric is that of the largest want; empty if none is known.
	Metric Metric
	Wants  []Want
	Trace  []Step
	// Panicking reports whether a demand target is in panic mode.
	Panicking bool
	// ExcessBurst is what the Ready pods can take beyond the present load and
	// Spec.TargetBurst; below 0 Knative's activator belongs into the path.
	ExcessBurst Reading `json:",omitzero"`
	// SLO is the parts of the want of the metric SLO, nil without that metric.
	SLO *SLOParts `json:",omitempty"`
	// Objective is what the metric SLO aims at, the zero value without that metric.
	Objective Objective `json:",omitzero"`
}
