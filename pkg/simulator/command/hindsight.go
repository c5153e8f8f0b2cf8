package command

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
)

// Two rows of a comparison are nobody's policy, for they need to know the trace:
//
//	static  the smallest fleet of fixed size that holds the goal
//	oracle  the oracle's schedule, for as much more work as it takes to do so
//
// The oracle's bound is below the latter: it leaves out queueing, and that
// load is never spread quite evenly. Both are found by trying.

// longLoad is from where on a run takes so long that none is searched for.
const longLoad = 5_000_000

// trial makes a run of a size.
type trial func(n int32) (simulator.Result, error)

// negligible is a difference in the share of requests at which two runs count as equal.
const negligible = 0.001

// least returns the run of the smallest n that holds the goal. Where not even
// the largest does, it is the smallest that is as good as the largest.
func (t trial) least(from, most int32, goal float64) (simulator.Result, error) {
	best, err := t(most)
	if err != nil {
		return best, err
	}
	if best.SLOShare() < goal {
		goal = best.SLOShare() - negligible
	}
	for from < most {
		n := from + (most-from)/2
		r, err := t(n)
		if err != nil {
			return r, err
		}
		if r.SLOShare() >= goal {
			best, most = r, n
			continue
		}
		from = n + 1
	}
	return best, nil
}

// cheapestStatic is the row static. Of a long load it is the fleet that the
// oracle needs at its peak.
func (c *comparison) cheapestStatic(ctx context.Context, j job, b oracle.Bound,
	at func(time.Duration)) (simulator.Result, error) {
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

// The schedules that are tried are for 1.08^n times the work, four times at most.
const (
	moreWork = 1.08
	maxTimes = 18
)

// cheapestSchedule is the row oracle: the schedule for the least more work that
// holds the goal. Of a long load it is the one for a quarter more.
func (c *comparison) cheapestSchedule(ctx context.Context, j job, at func(time.Duration)) (simulator.Result, error) {
	run := trial(func(n int32) (simulator.Result, error) {
		replicas, err := c.schedule(ctx, j.config, math.Pow(moreWork, float64(n)), at)
		if err != nil {
			return simulator.Result{}, err
		}
		sized := j
		sized.candidate = candidate{label: "oracle replayed", make: policy.Schedule(replicas)}
		sized.config.Initial = min(replicas[0].Replicas, j.config.Max)
		return c.one(ctx, sized, oracle.Bound{}, at)
	})
	if c.size.requests > longLoad {
		return run(3)
	}
	return run.least(0, maxTimes, j.config.SLO.Goal)
}

// divisible is how many requests a pod has to let in for a little fewer to be
// the same as a little more work; below it there are more pods instead.
const divisible = 8

// atMost is an engine that runs no more requests than its queue-proxy lets in; 0 is no limit.
func atMost(p engine.Profile, let int) engine.Profile {
	if let > 0 {
		p.MaxNumSeqs = min(p.MaxNumSeqs, let)
	}
	return p
}

// letIn is the prompts that the queue-proxy lets into each engine of a pod at once; 0 is no limit.
func letIn(c simulator.Config) int {
	return (c.ContainerConcurrency*c.PromptsPerRequest + c.Ranks - 1) / c.Ranks
}

// schedule is the oracle's, to be replayed, for a factor on the work.
func (c *comparison) schedule(ctx context.Context, config simulator.Config, factor float64,
	at func(time.Duration)) ([]simulator.Change, error) {
	more, let := 1.0, letIn(config)
	if let > 0 && let < divisible {
		more = factor
	} else {
		config.Engine = harder(atMost(config.Engine, let), factor)
	}
	asleep := config.Min == 0
	config.Min = max(config.Min, 1)
	d, err := c.demand(ctx, config, at)
	if err != nil {
		return nil, err
	}
	d.Rough()
	b, err := d.Bound()
	if err != nil {
		return nil, err
	}
	if config.Length < c.size.span+lastMinutes {
		b.Replicas = kept(b.Replicas, c.size.span-lastMinutes)
	}
	all := times(b.Replicas, more)
	if asleep {
		return c.asleep(all, config)
	}
	return all, nil
}

// times is a schedule with a factor on the replicas.
func times(schedule []simulator.Change, factor float64) []simulator.Change {
	for i := range schedule {
		schedule[i].Replicas = int32(math.Ceil(float64(schedule[i].Replicas) * factor))
	}
	return schedule
}

// lastMinutes is the end of a load, in which the bound lets replicas go that
// the last requests still need: what is due after the end it does not ask for.
const lastMinutes = 2 * time.Minute

// kept is a schedule that does not shrink from a time on.
func kept(schedule []simulator.Change, from time.Duration) []simulator.Change {
	var kept []simulator.Change
	for _, c := range schedule {
		if n := len(kept); n == 0 || c.At < from || c.Replicas > kept[n-1].Replicas {
			kept = append(kept, c)
		}
	}
	return kept
}

// harder is an engine for which every request is times the work, and takes times
// the room.
func harder(p engine.Profile, factor float64) engine.Profile {
	p.PerSequence, p.PerToken = p.PerSequence*factor, p.PerToken*factor
	p.PerKVToken, p.PerTokenPair = p.PerKVToken*factor, p.PerTokenPair*factor
	p.KVTokens = max(int(float64(p.KVTokens)/factor), p.BlockSize)
	p.MaxNumSeqs = max(int(float64(p.MaxNumSeqs)/factor), 1)
	return p
}
