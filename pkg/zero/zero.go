// Package zero is the way of a routed revision from a need of 0 to no replica: when the
// activator is to be in the path, for how long the last pod stays, and when it goes. The
// reconciler follows it in a cluster, and the simulator on its clock. It is pure: Facts
// become a Step.
package zero

import "time"

// What Knative has where nobody sets anything: scale-to-zero-grace-period and progress-deadline.
const (
	DefaultGrace            = 30 * time.Second
	DefaultProgressDeadline = 600 * time.Second
)

const (
	// ActivationBuffer is what Knative adds to the progress deadline: the Deployment's own status comes first.
	ActivationBuffer = 30 * time.Second
	// ProbeAgain is the time between two questions whether the activator is in the path.
	ProbeAgain = time.Second
	// proxiedAgain is the time until the next look at a revision that was just marked inactive
	// and whose ServerlessService does not change by that. It is Knative's.
	proxiedAgain = 3 * time.Second
	// deadlineStartups is how many startup times a start may take in any case.
	deadlineStartups = 2
	// startupTimes is for how many startup times the last pod stays without traffic. Origin: a guess that a
	// user who comes back within that time should not wait for a startup. Other values were not measured;
	// KPA's fixed 90 s cost less, and more requests are late (docs/benchmarks.md, to zero and back).
	startupTimes = 2
	// maxKeepAlive bounds the stay: a pod that took an hour to load would cost hours of GPUs a day without
	// any request. Origin and other values: not measured.
	maxKeepAlive = 30 * time.Minute
)

// Facts are what the way to zero depends on.
type Facts struct {
	// Activating and Active are the states of the condition Active; else it is inactive.
	Activating, Active bool
	// ActivatingFor, ActiveFor and InactiveFor are how long it has had that state, and
	// ProxiedFor how long the activator has been in the path.
	ActivatingFor, ActiveFor, InactiveFor, ProxiedFor time.Duration
	// Proxied is true where the ServerlessService asks for the activator already.
	Proxied bool
	// Window is the stable window, Deadline that of a start, Grace the scale-to-zero grace
	// period, Retention for how long the last pod stays in any case.
	Window, Deadline, Grace, Retention time.Duration
	// InPath reports whether requests reach the activator. It is asked only where it matters.
	InPath func() bool
}

// Step is the next step of a revision that needs no replica.
type Step struct {
	// Want is the count of the status; -1 leaves what is there.
	Want int32
	// Apply is true when the scale target is to follow.
	Apply bool
	// Again is when to look again; 0 is at the next event.
	Again time.Duration
}

// Next is what Knative's own class does with a need of 0, in its order (handleScaleToZero
// in knative.dev/serving pkg/reconciler/autoscaling/kpa/scaler.go v0.50): the revision is
// active for a stable window, is marked inactive, which brings the activator into the
// path, and has its last pod until requests have reached the activator for the grace
// period and the retention period is over. TestNext has the cases.
func Next(f Facts) Step {
	switch {
	case f.Activating && f.ActivatingFor >= f.Deadline:
		return Step{Apply: true}
	case f.Activating:
		return Step{Want: -1, Again: f.Deadline - f.ActivatingFor}
	case f.Active && f.ActiveFor < f.Window:
		return Step{Want: 1, Apply: true, Again: f.Window - f.ActiveFor}
	case f.Active && f.Proxied:
		return Step{Again: proxiedAgain}
	case f.Active:
		return Step{}
	case !f.InPath():
		return Step{Again: ProbeAgain}
	case f.InactiveFor >= max(f.Grace, f.Retention):
		return Step{Apply: true}
	case f.InactiveFor < f.Retention:
		return Step{Again: f.Retention - f.InactiveFor}
	case f.ProxiedFor < f.Grace:
		return Step{Again: f.Grace - f.ProxiedFor}
	}
	return Step{Apply: true}
}

// StartDeadline is how long a start may take: the progress deadline, or two startup times where they
// are longer; 0 is a startup time that is not known.
func StartDeadline(progress, startup time.Duration) time.Duration {
	return max(progress, deadlineStartups*startup) + ActivationBuffer
}

// KeepAlive is for how long the last pod stays without traffic where nobody set it: two
// startup times, because a pod that takes minutes to load is soon missed; 0 while the
// startup time is not known.
func KeepAlive(startup time.Duration) time.Duration {
	return min(startupTimes*max(startup, 0), maxKeepAlive)
}
