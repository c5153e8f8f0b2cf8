package simulator

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Policy is what a run asks for a replica count: ours, or a rival's. A Policy
// is used by one run only and may keep state. It has no clock: the time is in
// the observation.
type Policy interface {
	// Period is the time between two calls of Want.
	Period() time.Duration
	// Want returns the replica count for what is known now; the run applies the
	// bounds of its Config. An error ends the run.
	Want(decider.Observation) (Want, error)
}

// Want is a policy's answer.
type Want struct {
	Replicas int32
	// Why is a line for people, empty when the policy gives none.
	Why string
}

// Surroundings are what a policy's components do besides setting a count, in a fleet that
// may have no replica. In others they change nothing.
type Surroundings struct {
	// Wakes is how soon the policy is asked, beside its Period, once a request waits for a
	// fleet of no replica; 0 is at its next Period.
	Wakes time.Duration
	// Drains is true where the pods with the fewest open requests are given up, are seen while
	// they drain, have to be without requests for drain.QuietTime, and come back when load
	// does. Else Kubernetes deletes those that were Ready last.
	Drains bool
}

// Surrounded is a Policy with Surroundings.
type Surrounded interface {
	Surroundings() Surroundings
}

// NewPolicy makes a fresh policy for one run of a config.
type NewPolicy func(Config) (Policy, error)
