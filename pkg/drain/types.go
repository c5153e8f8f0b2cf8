package drain

import (
	"math"
	"time"
)

// Gate is the state of a pod's readiness gate.
type Gate int

const (
	// None is a pod without the gate.
	None Gate = iota
	// Unset is a pod with the gate whose condition was not written yet.
	Unset
	// Open lets the pod become Ready.
	Open
	// Closed keeps the pod out of routing: it drains.
	Closed
)

// ReleaseCost is the deletion cost of a pod that may be deleted. Pods have 0 without the
// annotation; of pods that are otherwise equal Kubernetes deletes the lowest cost first.
const ReleaseCost = math.MinInt32 + 1

// Times of a drain.
const (
	// QuietTime is how long a pod that has left routing must have nothing open before it
	// is released. Kourier's Envoy and an endpoint picker stop sending within a second of
	// the pod's becoming not Ready; what was on its way shows in the samples after that.
	QuietTime = 5 * time.Second
	// UnbornTime is how long a pod that never was Ready stays after its gate was closed: a
	// kubelet that had not heard of the gate would have made it Ready by then.
	UnbornTime = 2 * time.Second
	// LookAgain is the time between two plans while pods drain.
	LookAgain = time.Second
)

// Pod is one pod that is neither being deleted nor finished.
type Pod struct {
	Name string
	Gate Gate
	// ClosedAt is when the gate was closed, by the wall clock; zero unless it is Closed.
	ClosedAt time.Time
	// Ready is Kubernetes' word. ContainersReady is Ready but for the gate.
	Ready, ContainersReady bool
	// Assigned is true for a pod with a node, Pending while not all its containers run.
	Assigned, Pending bool
	Created           time.Time
	// Zone is empty where it is not known. Template differs between versions of the pod's
	// template.
	Zone, Template string
	// Cost is the pod's deletion cost.
	Cost int32
	// Open is the requests that the engine or the queue-proxy hold, the larger number;
	// NaN when either is unknown.
	Open float64
	// Hits is the prompt tokens that the prefix cache has served; NaN when unknown.
	Hits float64
	// Quiet is for how long samples have shown nothing open since the pod left routing;
	// negative when that is unknown, or the pod has not left.
	Quiet time.Duration
	// Unborn is true for a pod that was never Ready.
	Unborn bool
}

// Input is what a plan is made from.
type Input struct {
	// Now is the wall clock.
	Now time.Time
	// Want is the replicas that the decision asks for; negative when there is no decision.
	Want int32
	// Replicas is spec.replicas of the scale target.
	Replicas int32
	Pods     []Pod
	// Timeout is how long a pod may drain.
	Timeout time.Duration
}

// Plan is what is to be written, by the names of pods, in this order.
type Plan struct {
	// Open and Close are pods whose gate is to be opened and closed.
	Open, Close []string
	// Release are pods that get ReleaseCost, Keep those that lose it again.
	Release, Keep []string
	// Replicas is the spec.replicas to write; it is Input.Replicas when nothing changes.
	Replicas int32
	// Draining is the number of pods that are given up and still there, Rescued those
	// among Open that were, and TimedOut those that are released with work left.
	Draining, Rescued int
	TimedOut          []string
	// Again is when to plan again although nothing happened; 0 is never.
	Again time.Duration
}
