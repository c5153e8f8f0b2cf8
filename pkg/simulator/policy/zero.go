package policy

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

const (
	// seenAtActivator is from a request's arrival at zero to the question that it leads to: the
	// collector reads activators ten times a second then, Knative's activator reports the
	// first request at once, and WVA asks the picker ten times a second.
	seenAtActivator = 100 * time.Millisecond
	// activatorJoins is from a revision's being marked inactive to the activator's being in its path.
	activatorJoins = 2 * time.Second
)

// condition is the condition Active of a PodAutoscaler.
type condition int

const (
	unset condition = iota
	active
	activating
	inactive
)

// lastPod takes the wants of a policy to 0 as a PodAutoscaler goes there: by pkg/zero, on the
// simulated clock.
type lastPod struct {
	state condition
	since time.Time
}

// keeping is what of the way to zero does not depend on the past.
type keeping struct{ window, deadline, grace, retention time.Duration }

// next is the count for a want; only that of a last step is 0.
func (l *lastPod) next(obs decider.Observation, want int32, k keeping) int32 {
	if l.state == unset {
		l.observe(obs, max(want, 1))
	}
	count := want
	if want == 0 && obs.Replicas > 0 {
		step := zero.Next(l.facts(obs.Time, k))
		if want, count = step.Want, step.Want; !step.Apply {
			count = obs.Replicas
		}
	}
	l.observe(obs, want)
	return count
}

func (l *lastPod) facts(now time.Time, k keeping) zero.Facts {
	f := zero.Facts{
		Activating: l.state == activating, Active: l.state == active,
		Window: k.window, Deadline: k.deadline, Grace: k.grace, Retention: k.retention,
	}
	switch so := now.Sub(l.since); l.state {
	case activating:
		f.ActivatingFor = so
	case active:
		f.ActiveFor = so
	case inactive, unset:
		f.InactiveFor, f.ProxiedFor = so, so
	}
	f.InPath = func() bool { return f.ProxiedFor >= activatorJoins }
	return f
}

// observe sets the condition as Knative's reconciler does (computeActiveCondition).
func (l *lastPod) observe(obs decider.Observation, want int32) {
	state := l.state
	switch {
	case want == 0:
		state = inactive
	case want < 0 && l.state == inactive: // stays
	case obs.Ready == 0:
		state = activating
	default:
		state = active
	}
	if state != l.state {
		l.state, l.since = state, obs.Time
	}
}

// atLeastOne is a policy that cannot go to zero, whatever the run allows.
func atLeastOne(p simulator.Policy) simulator.Policy { return neverZero{p} }

type neverZero struct{ simulator.Policy }

// Want is the policy's, and one at least.
func (n neverZero) Want(obs decider.Observation) (simulator.Want, error) {
	w, err := n.Policy.Want(obs)
	w.Replicas = max(w.Replicas, 1)
	return w, err
}
