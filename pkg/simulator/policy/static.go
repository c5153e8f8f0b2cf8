package policy

import (
	"flag"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// maxReplicas bounds every count that is written as an option.
const maxReplicas = 1_000_000

// static never changes its mind.
type static int32

func defineStatic(options *flag.FlagSet) simulator.NewPolicy {
	replicas := int32(1)
	options.Var(count{&replicas, 0, maxReplicas}, "replicas", "the size of the fleet; not given, the smallest that holds the goal")
	return func(simulator.Config) (simulator.Policy, error) { return static(replicas), nil }
}

// Period is short, for the first call sets the size.
func (s static) Period() time.Duration { return 10 * time.Second }

// Want returns the size.
func (s static) Want(decider.Observation) (simulator.Want, error) {
	return simulator.Want{Replicas: int32(s)}, nil
}

// Schedule replays changes in order of time; the first is the beginning of the
// run: pods are started StartsEarly, so that they are Ready when the schedule has them,
// and stopped on time. A run asks first one period
// after its beginning.
func Schedule(changes []simulator.Change) simulator.NewPolicy {
	return func(c simulator.Config) (simulator.Policy, error) {
		return &schedule{changes: changes, lead: StartsEarly(c)}, nil
	}
}

// StartsEarly is how long before it is needed a schedule starts a pod: the mean of the run's lead, so
// that half of the pods come late. In a fleet that may have no replica a pod that is late
// leaves requests waiting, so there 99 of 100 are in time, and the time is paid for.
func StartsEarly(c simulator.Config) time.Duration {
	if c.Min > 0 {
		return c.Lead
	}
	const quantile = 2.326 // of the normal distribution at 0.99
	sigma := math.Sqrt(math.Log1p(c.LeadCV * c.LeadCV))
	return time.Duration(float64(c.Lead) * math.Exp(quantile*sigma-sigma*sigma/2))
}

type schedule struct {
	changes []simulator.Change
	lead    time.Duration
	start   time.Time
	// from is the index of the change that holds now.
	from int
}

// Period is that of the schedule's bins, halved.
func (s *schedule) Period() time.Duration { return 5 * time.Second }

// Want is the largest size from now until a pod of now would be Ready.
func (s *schedule) Want(obs decider.Observation) (simulator.Want, error) {
	if s.start.IsZero() {
		s.start = obs.Time.Add(-s.Period())
	}
	now := obs.Time.Sub(s.start)
	for s.from+1 < len(s.changes) && s.changes[s.from+1].At <= now {
		s.from++
	}
	most := int32(math.MinInt32)
	for _, c := range s.changes[min(s.from, len(s.changes)):] {
		if c.At > now+s.lead {
			break
		}
		most = max(most, c.Replicas)
	}
	return simulator.Want{Replicas: max(most, 0)}, nil
}
