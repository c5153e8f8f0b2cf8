package command

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
)

// Two rows of a comparison are nobody's policy, for they need to know the trace:
//
//	static  the smallest fleet of fixed size that holds the goal
//	oracle  the smallest multiple of the oracle's schedule that does
//
// The oracle's bound is below the latter: it leaves out queueing, and that
// load is never spread quite evenly. Both are found by halving.

// longLoad is from where on a run takes so long that none is searched for.
const longLoad = 5_000_000

// trial makes a run of a size, or of percents of the oracle's schedule.
type trial func(n int32) (simulator.Result, error)

// least returns the run of the smallest n that holds the goal, or of most.
func (t trial) least(from, most int32, goal float64) (simulator.Result, error) {
	best, err := t(most)
	for err == nil && from < most {
		var r simulator.Result
		n := from + (most-from)/2
		if r, err = t(n); err == nil && r.SLOShare() >= goal {
			best, most = r, n
			continue
		}
		from = n + 1
	}
	return best, err
}

// leastStatic is the row static. Of a long load it is the fleet that the
// oracle needs at its peak.
func (c *comparison) leastStatic(ctx context.Context, j job, b oracle.Bound, at func(time.Duration)) (simulator.Result, error) {
	run := trial(func(n int32) (simulator.Result, error) {
		made, err := policy.New(fmt.Sprintf("static:replicas=%d", n))
		if err != nil {
			return simulator.Result{}, err
		}
		sized := j
		sized.candidate = candidate{label: fmt.Sprintf("static %d", n), make: made}
		sized.config.Initial = n
		return c.one(ctx, sized, b, at)
	})
	size := max(report.Peak(b.Replicas), j.config.Min, 1)
	if c.size.requests > longLoad {
		return run(size)
	}
	return run.least(max(j.config.Min, 1), min(4*size, j.config.Max), j.config.SLO.Goal)
}

// leastSchedule is the row oracle. Of a long load it is the schedule and a quarter.
func (c *comparison) leastSchedule(ctx context.Context, j job, b oracle.Bound, at func(time.Duration)) (simulator.Result, error) {
	run := trial(func(twentieths int32) (simulator.Result, error) {
		changes := multiplied(b.Replicas, float64(twentieths)/20)
		sized := j
		sized.candidate = candidate{label: "oracle replayed", make: policy.Schedule(changes)}
		if len(changes) > 0 {
			sized.config.Initial = min(changes[0].Replicas, j.config.Max)
		}
		return c.one(ctx, sized, b, at)
	})
	if c.size.requests > longLoad {
		return run(25)
	}
	return run.least(20, 80, j.config.SLO.Goal)
}

// multiplied is a schedule with more replicas at any time.
func multiplied(schedule []simulator.Change, factor float64) (more []simulator.Change) {
	for _, c := range schedule {
		more = append(more, simulator.Change{At: c.At, Replicas: int32(math.Ceil(factor*float64(c.Replicas) - 1e-9))})
	}
	return more
}
