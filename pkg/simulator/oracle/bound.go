package oracle

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// Bound is the least that could have met the SLO.
type Bound struct {
	// GPUHours is what the schedule costs with its starts, FluidGPUHours the
	// work alone; both after the warm-up, times the GPUs of a replica.
	GPUHours, FluidGPUHours float64
	// Replicas is the schedule of Ready replicas, Pods the same with those that
	// load. Both begin at 0, with replicas for the warm-up. They have no room for
	// the Dropped, so they may cost a little less than GPUHours.
	Replicas, Pods []simulator.Change
	// Limit is what the engines run out of: weights, compute, kv cache or seqs.
	Limit string
	// Bin is the width of the bins that it was computed with.
	Bin time.Duration
	// Requests is how many came, Dropped how many of them the goal let the schedule leave out.
	Requests, Dropped int64
}

// maxStates bounds the dynamic program's time: a few seconds.
const maxStates = 1.5e9

// Bound computes the bound; nothing is to be added to the Demand after. It is
// an error when nothing came after the warm-up.
func (d *Demand) Bound() (Bound, error) {
	if d.requests == 0 {
		return Bound{}, errors.New("oracle: no request comes after the warm-up; shorten the warm-up or take more of the trace")
	}
	d.drop()
	tightest, work := 0, 0.
	for i := range d.limits {
		if d.served[i] > work {
			tightest, work = i, d.served[i]
		}
	}
	gpus := float64(d.config.PodGPUs()) / 3600
	p, bin := d.program(d.ledgers[tightest])
	replicas, cost := p.solve()
	b := Bound{
		Limit: d.limits[tightest].name, Bin: bin, FluidGPUHours: work * gpus,
		GPUHours: max(float64(cost), d.asked[tightest]) * gpus,
		Requests: d.requests, Dropped: d.dropped,
		Replicas: d.schedule(replicas, bin, d.warmReplicas(tightest)),
	}
	b.Pods = withStarts(b.Replicas, d.config.Lead)
	return b, nil
}

// program chooses bins as narrow, and units as fine, as the time allows: bins
// show bursts that are shorter than the TTFT. It ends with the last whole bin in
// which requests came: what is due later is not asked for.
func (d *Demand) program(l ledger) (program, time.Duration) {
	for width := d.finest; ; width *= 2 {
		bin := binWidth * time.Duration(width)
		whole := max(int(d.last/bin), 1)
		wide := ledger{came: merged(l.came, width, whole), due: merged(l.due, width, whole)}
		for _, units := range []int{4, 1} {
			p := newProgram(wide, units, bin.Seconds())
			p.least, p.start = int(max(d.config.Min, 0)), int64(d.config.Lead.Seconds())
			p.bounded()
			if p.states() <= d.states || whole == 1 {
				return p, bin
			}
		}
	}
}

// merged makes wider bins, the first n of them.
func merged(bins []float64, width, n int) []float64 {
	out := make([]float64, n)
	for k, w := range bins[:min(len(bins), n*width)] {
		out[k/width] += w
	}
	return out
}

// warmReplicas is enough for the busiest ten seconds of the warm-up.
func (d *Demand) warmReplicas(limit int) int32 {
	const width = 10
	busiest := 0.
	came := d.warmup[limit].came
	for _, w := range merged(came, width, len(came)/width+1) {
		busiest = max(busiest, w/(width*binWidth.Seconds()))
	}
	return int32(busiest) + 1
}

// schedule makes changes of the replicas of each bin.
func (d *Demand) schedule(replicas []int, bin time.Duration, warm int32) []simulator.Change {
	var changes []simulator.Change
	add := func(at time.Duration, n int32) {
		if len(changes) == 0 || changes[len(changes)-1].Replicas != n {
			changes = append(changes, simulator.Change{At: at, Replicas: n})
		}
	}
	if d.config.Warmup > 0 {
		add(0, max(warm, int32(replicas[0])))
	}
	for k, n := range replicas {
		add(d.config.Warmup+time.Duration(k)*bin, int32(n))
	}
	return changes
}

// withStarts begins every added replica the lead early, unless one that ends
// then could have stayed. Replicas of the beginning are there.
func withStarts(ready []simulator.Change, lead time.Duration) []simulator.Change {
	type delta struct {
		at time.Duration
		n  int32
	}
	var deltas []delta
	last := int32(0)
	for i, c := range ready {
		at := c.At
		if i > 0 && c.Replicas > last {
			at = max(at-lead, 0)
		}
		deltas = append(deltas, delta{at, c.Replicas - last})
		last = c.Replicas
	}
	slices.SortStableFunc(deltas, func(a, b delta) int { return cmp.Compare(a.at, b.at) })
	var pods []simulator.Change
	n := int32(0)
	for _, d := range deltas {
		n += d.n
		if len(pods) > 0 && pods[len(pods)-1].At == d.at {
			pods[len(pods)-1].Replicas = n
			continue
		}
		pods = append(pods, simulator.Change{At: d.at, Replicas: n})
	}
	return pods
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// WastedGPUHours is the GPU-hours of the replicas that a fleet had beyond those of the oracle,
// within a span.
func WastedGPUHours(oracle, fleet []simulator.Change, over Span) float64 {
	at := []time.Duration{over.From, over.To}
	for _, c := range slices.Concat(oracle, fleet) {
		if c.At > over.From && c.At < over.To {
			at = append(at, c.At)
		}
	}
	slices.Sort(at)
	hours := 0.
	for i := 1; i < len(at); i++ {
		if excess := replicasAt(fleet, at[i-1]) - replicasAt(oracle, at[i-1]); excess > 0 {
			hours += float64(excess) * (at[i] - at[i-1]).Hours()
		}
	}
	return hours * float64(max(over.GPUs, 1))
}

// Span is a part of a run, and the GPUs of one of its replicas.
type Span struct {
	From, To time.Duration
	GPUs     int
}

// replicasAt is how many there are at a time, 0 before the first change.
func replicasAt(changes []simulator.Change, at time.Duration) int32 {
	i, found := slices.BinarySearchFunc(changes, at,
		func(c simulator.Change, at time.Duration) int { return cmp.Compare(c.At, at) })
	for found && i+1 < len(changes) && changes[i+1].At == at {
		i++
	}
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	return changes[i].Replicas
}
