package command

import (
	"cmp"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
)

// gap is a time without an arrival.
type gap struct{ from, to time.Duration }

// asleep is a schedule with zero in every gap between two arrivals that is longer than a
// start takes, for there a replica that goes and comes back costs less than one that stays;
// and zero after the last arrival. What is open when a replica goes ends first.
func (c *comparison) asleep(schedule []simulator.Change, config simulator.Config) ([]simulator.Change, error) {
	gaps, err := c.gaps(config.Seed, policy.StartsEarly(config))
	if err != nil {
		return nil, err
	}
	out := slices.Clone(schedule)
	for _, g := range gaps {
		out = withGap(out, g)
	}
	return out, nil
}

// A schedule is followed every 5 s, so a pod is wanted that much before it is needed; and it is there
// for a request that comes with the gap's beginning.
const aheadOfGap, intoGap = 5 * time.Second, time.Second

// gaps are those of a load's arrivals that are longer than a time, and that after the last.
func (c *comparison) gaps(seed uint64, longer time.Duration) (gaps []gap, err error) {
	requests, err := c.load.requests(seed)
	if err != nil {
		return nil, err
	}
	last := time.Duration(0)
	for q, err := range requests {
		if err != nil {
			return nil, err
		}
		if q.Arrival-last > longer+aheadOfGap+intoGap {
			gaps = append(gaps, gap{last + intoGap, q.Arrival - aheadOfGap})
		}
		last = q.Arrival
	}
	return append(gaps, gap{last + intoGap, never}), nil
}

// never is after every schedule.
const never = time.Duration(1<<63 - 1)

// withGap is a schedule that is zero in a gap.
func withGap(schedule []simulator.Change, g gap) []simulator.Change {
	var out []simulator.Change
	now := int32(0) // what holds at the end of the gap
	for _, s := range schedule {
		if s.At <= g.to {
			now = s.Replicas
		}
		if s.At < g.from || s.At > g.to {
			out = append(out, s)
		}
	}
	out = append(out, simulator.Change{At: g.from})
	if g.to < never {
		out = append(out, simulator.Change{At: g.to, Replicas: now})
	}
	slices.SortStableFunc(out, func(a, b simulator.Change) int { return cmp.Compare(a.At, b.At) })
	return out
}
