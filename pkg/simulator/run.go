package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// grace is what requests in flight at the last arrival have to end.
const grace = 10 * time.Minute

// Run replays requests on a fleet that a policy sizes, and returns what that
// cost and gave. The policy is asked every Period, from one Period on; the
// run ends with the last arrival. The same arguments give the same Result, CPU
// aside. An error of the trace or the policy ends the run. To follow
// the progress or to stop the run, wrap the requests.
func Run(cfg Config, requests trace.Requests, policy Policy) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := run{cfg: cfg, policy: policy, period: policy.Period(), cpu: threadCPU()}
	if r.period <= 0 {
		return Result{}, fmt.Errorf("policy: a period of %v; it must be above 0", r.period)
	}
	for q, err := range requests {
		if err == nil {
			err = r.take(q)
		}
		if err != nil {
			return Result{}, err
		}
	}
	result, err := r.finish()
	result.CPU = threadCPU() - r.cpu
	return result, err
}

// run is one run on its way.
type run struct {
	cfg    Config
	policy Policy
	period time.Duration
	fleet  *Fleet
	// first holds the first minutes of requests until the fleet's size is known; last is the
	// last arrival, and when all have come the end of the run.
	first []trace.Request
	last  time.Duration
	// ask, sample and warm are when the policy is asked, a point is made and counting begins;
	// wake is when it is asked besides, because a request waits for a fleet of no replica.
	ask, sample, warm, wake time.Duration
	counted                 counted
	// cpu is what the thread had used when counting began.
	cpu    time.Duration
	why    string
	series []Point
}

// counted is what is counted beside the fleet, and what the fleet had when counting began.
type counted struct {
	from                  time.Duration
	operations, reversals int
	direction             int32
	billed, load          float64
	work                  engine.Work
}

// take submits a request, or holds it back until the size of the fleet is known.
func (r *run) take(q trace.Request) error {
	if r.fleet != nil {
		return r.submit(q)
	}
	r.first = append(r.first, q)
	if r.cfg.Initial == 0 && q.Arrival < firstMinutes && len(r.first) < firstRequests {
		return nil
	}
	return r.start()
}

func (r *run) start() (err error) {
	if r.cfg.Initial == 0 {
		r.cfg.Initial = initial(r.cfg, r.first)
	}
	if r.fleet, err = NewFleet(r.cfg); err != nil {
		return err
	}
	r.fleet.surround(r.policy)
	r.ask, r.sample, r.warm, r.wake = r.period, forever, forever, forever
	if r.cfg.Sample > 0 {
		r.sample = r.cfg.Sample
	}
	if r.cfg.Warmup > 0 {
		r.warm = r.cfg.Warmup
	}
	for _, q := range r.first {
		if err := r.submit(q); err != nil {
			return err
		}
	}
	r.first = nil
	return nil
}

func (r *run) submit(q trace.Request) error {
	if err := r.until(q.Arrival); err != nil {
		return err
	}
	r.last = q.Arrival
	if wakes := r.fleet.around.Wakes; wakes > 0 && r.fleet.asleep() {
		r.wake = min(r.wake, q.Arrival+wakes)
	}
	return r.fleet.Submit(q)
}

// until does what is due up to a time, but for the fleet's own doings.
func (r *run) until(to time.Duration) error {
	for {
		next := min(r.ask, r.sample, r.warm, r.wake)
		if next > to {
			return nil
		}
		var err error
		switch next {
		case r.warm:
			err = r.count(next)
			r.warm = forever
		case r.wake:
			err = r.decide(next)
			r.wake = forever
		case r.ask:
			err = r.decide(next)
			r.ask += r.period
		default:
			err = r.point(next)
			r.sample += r.cfg.Sample
		}
		if err != nil {
			return err
		}
	}
}

// count lets counting begin.
func (r *run) count(at time.Duration) error {
	f := r.fleet
	if err := f.Advance(at); err != nil {
		return err
	}
	f.score.restart(at)
	r.cpu = threadCPU()
	r.counted = counted{from: at, direction: r.counted.direction, billed: f.billed.until(at),
		load: f.load.until(at), work: f.work()}
	return nil
}

func (r *run) decide(at time.Duration) error {
	o, err := r.fleet.Observe(at)
	if err != nil {
		return err
	}
	w, err := r.policy.Want(o)
	if err != nil {
		return fmt.Errorf("at %v: %w", at, err)
	}
	r.why = w.Why
	before := r.fleet.wanted
	if err := r.fleet.Scale(w.Replicas); err != nil {
		return err
	}
	r.counted.change(r.fleet.wanted - before)
	return nil
}

func (c *counted) change(by int32) {
	if by == 0 {
		return
	}
	c.operations++
	direction := int32(1)
	if by < 0 {
		direction = -1
	}
	if direction == -c.direction {
		c.reversals++
	}
	c.direction = direction
}

func (r *run) point(at time.Duration) error {
	p, err := r.fleet.Point(at)
	p.Why = r.why
	r.series = append(r.series, p)
	return err
}

// finish ends the run at the last arrival, or at its Length, and lets what is in flight end.
func (r *run) finish() (Result, error) {
	if r.fleet == nil {
		if len(r.first) == 0 {
			return Result{}, errors.New("the trace has no requests")
		}
		if err := r.start(); err != nil {
			return Result{}, err
		}
	}
	f := r.fleet
	end := max(r.last, r.cfg.Length)
	if err := r.until(end); err != nil {
		return Result{}, err
	}
	if end > r.last {
		if err := f.Advance(end); err != nil {
			return Result{}, err
		}
		r.last = end
	}
	result := r.cost()
	for f.inFlight.value > 0 && f.now < r.last+grace {
		if err := f.Advance(f.now + second); err != nil {
			return Result{}, err
		}
	}
	f.score.fill(&result)
	return result, f.conserved()
}

// cost is the part of the Result that ends with the run.
func (r *run) cost() Result {
	f, c := r.fleet, r.counted
	w := f.work()
	w.Add(c.work, -1)
	gpus := float64(r.cfg.PodGPUs()) / 3600
	return Result{
		From: c.from, Span: r.last - c.from, Series: r.series, Replicas: f.timeline(c.from, r.last),
		GPUHours: gpus * (f.billed.until(r.last) - c.billed), LoadingGPUHours: gpus * (f.load.until(r.last) - c.load),
		ScaleOperations: c.operations, Reversals: c.reversals, Preemptions: w.Preemptions,
		PromptTokens: w.PromptTokens, CachedTokens: w.CachedTokens, GenerationTokens: w.GenerationTokens,
	}
}

// fill is the part of the Result that requests give.
func (s *score) fill(r *Result) {
	t := s.all
	r.Requests, r.Met, r.Refused, r.Lost, r.Aborted = t.arrived, t.met, t.refused, t.lost, t.aborted
	r.Unfinished = t.arrived - t.ended
	r.P50TTFT, r.P95TTFT, r.P99TTFT = s.ttft.percentile(.5), s.ttft.percentile(.95), s.ttft.percentile(.99)
	r.P95ITL, r.P99ITL = s.itl.percentile(.95), s.itl.percentile(.99)
	if s.itl.count > 0 {
		r.MeanITL = time.Duration(1e9 * s.itlSum / float64(s.itl.count))
	}
	r.Recovery = s.recovery()
}

// timeline is the pods that cost money between two times.
func (f *Fleet) timeline(from, to time.Duration) []Change {
	changes := slices.Clone(f.changes)
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.At, b.At) })
	line := []Change{{At: from}}
	n := int32(0)
	for _, c := range changes {
		if n += c.Replicas; c.At > to {
			break
		}
		if last := &line[len(line)-1]; c.At <= last.At {
			last.Replicas = n
			continue
		}
		line = append(line, Change{At: c.At, Replicas: n})
	}
	return line
}
