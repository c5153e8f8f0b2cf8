package oracle

import (
	"cmp"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// binWidth is the width of a ledger's bins, and the least of the program's.
const binWidth = time.Second

// maxDropped bounds the requests that a goal below 1 leaves out; 50 million
// requests with a goal of 0.99 stay below it.
const maxDropped = 1 << 19

// Demand is the work of a trace in bins, without the requests themselves. It
// is made by one goroutine.
type Demand struct {
	config simulator.Config
	limits []limit
	// ledgers has a ledger per limit.
	ledgers []ledger
	// warmup has those of the time before.
	warmup []ledger
	// heavy has the most expensive requests, and some more.
	heavy    costly
	requests int64
	// refused is how many of them no engine can hold: misses of every policy, without work.
	refused int64
	// dropped is how many the goal left out, -1 while none were; served is all
	// work, asked that of it which is due before the last arrival, by limit.
	dropped       int64
	served, asked []float64
	// last is the last arrival, or the end of the run.
	last time.Duration
	seen map[int64]struct{}
	// finest is the least width of the program's bins, in bins of a ledger;
	// states bounds the program's time.
	finest int
	states float64
}

// ledger is work by bin, in seconds of a replica: when it comes, and the bin
// at whose end it has to be done.
type ledger struct{ came, due []float64 }

// NewDemand returns an empty Demand for runs of a config: its engine, SLO,
// lead, minimum, warm-up and whether there is a prefix cache.
func NewDemand(c simulator.Config) (*Demand, error) {
	all, err := limits(c.Engine, c.SLO.ITL.Seconds())
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = all[i].over(float64(max(c.Ranks, 1)))
	}
	return newDemand(c, all), nil
}

func newDemand(c simulator.Config, all []limit) *Demand {
	return &Demand{
		config: c, limits: all, seen: map[int64]struct{}{}, dropped: -1, finest: 1, states: maxStates,
		ledgers: make([]ledger, len(all)), warmup: make([]ledger, len(all)),
		served: make([]float64, len(all)), asked: make([]float64, len(all)),
	}
}

// Rough makes Bound quick: a schedule to be replayed, in bins of 10 s and wider,
// whose cost is no bound to compare with.
func (d *Demand) Rough() { d.finest, d.states = 10, maxStates/30 }

// Of reads a whole trace.
func Of(requests trace.Requests, c simulator.Config) (*Demand, error) {
	d, err := NewDemand(c)
	if err != nil {
		return nil, err
	}
	for q, err := range requests {
		if err != nil {
			return nil, err
		}
		d.Add(q)
	}
	return d, nil
}

// Add takes the next request in the order of arrival.
func (d *Demand) Add(q trace.Request) {
	if !d.config.Engine.Holds(q.Input, q.Output) {
		if q.Arrival >= d.config.Warmup {
			d.count(q.Arrival - d.config.Warmup)
			d.refused++
		}
		return
	}
	r := request{at: q.Arrival - d.config.Warmup, size: size{
		prompt: float64(max(q.Input, 1)), cached: d.cached(q), output: float64(max(q.Output, 1)),
	}}
	if r.at < 0 {
		r.at = q.Arrival
		d.enter(d.warmup, r, 1)
		return
	}
	d.count(r.at)
	d.enter(d.ledgers, r, 1)
	if d.config.SLO.Goal < 1 {
		r.cost = d.cost(r.size)
		d.heavy.add(r)
	}
}

// count takes an arrival after the warm-up.
func (d *Demand) count(at time.Duration) {
	d.last = max(at, d.config.Length-d.config.Warmup)
	d.requests++
}

// cached is the prompt tokens that came before, whichever replica had them;
// one token at least is computed.
func (d *Demand) cached(q trace.Request) float64 {
	if !d.config.PrefixCache || len(q.Blocks) == 0 {
		return 0
	}
	blocks, fresh := 0, false
	for _, b := range q.Blocks {
		if _, known := d.seen[b]; known && !fresh {
			blocks++
			continue
		}
		fresh = true
		d.seen[b] = struct{}{}
	}
	return float64(max(min(blocks*q.BlockTokens, q.Input-1), 0))
}

// cost ranks requests: the most that any limit makes of one.
func (d *Demand) cost(s size) float64 {
	most := 0.
	for _, l := range d.limits {
		prompt, decode := l.of(s)
		most = max(most, prompt+decode)
	}
	return most
}

// enter adds a request to ledgers, or with -1 takes it out again.
func (d *Demand) enter(ledgers []ledger, r request, sign float64) {
	slo := d.config.SLO
	first := r.at + slo.TTFT + time.Duration(r.size.prompt)*slo.TTFTPerToken
	last := first + time.Duration((r.size.output-1)*float64(slo.ITL))
	for i, l := range d.limits {
		prompt, decode := l.of(r.size)
		ledgers[i].came = added(ledgers[i].came, r.at, sign*(prompt+decode))
		ledgers[i].due = added(ledgers[i].due, first, sign*prompt)
		ledgers[i].due = added(ledgers[i].due, last, sign*decode)
	}
}

// added adds work to the bin of a time, which it makes if need be.
func added(bins []float64, at time.Duration, work float64) []float64 {
	k := int(at / binWidth)
	for k >= len(bins) {
		bins = append(bins, 0)
	}
	bins[k] += work
	return bins
}

// drop takes out the most expensive requests, as many as the goal allows beside those that are refused, once.
func (d *Demand) drop() {
	if d.dropped >= 0 {
		return
	}
	for i, l := range d.ledgers {
		d.served[i] = sum(l.came)
		d.asked[i] = sum(l.due[:min(len(l.due), int(d.last/binWidth))])
	}
	allowed := max(int64(float64(d.requests)*(1-d.config.SLO.Goal)+1e-6)-d.refused, 0)
	d.heavy.prune()
	heavy := d.heavy.requests[:min(allowed, int64(len(d.heavy.requests)))]
	for _, r := range heavy {
		d.enter(d.ledgers, r, -1)
	}
	d.dropped, d.heavy = int64(len(heavy)), costly{}
}

// request is what a ledger needs of one; at is since the end of the warm-up.
type request struct {
	at   time.Duration
	cost float64
	size size
}

// costly keeps the most expensive requests: at least maxDropped of them, at most twice as many.
type costly struct {
	requests []request
	// least is what a request has to cost to be among them.
	least float64
}

func (c *costly) add(r request) {
	if r.cost <= c.least {
		return
	}
	if c.requests = append(c.requests, r); len(c.requests) == 2*maxDropped {
		c.prune()
		c.least = c.requests[maxDropped-1].cost
	}
}

// prune sorts by cost and forgets those that are too many.
func (c *costly) prune() {
	slices.SortFunc(c.requests, func(a, b request) int { return cmp.Compare(b.cost, a.cost) })
	c.requests = c.requests[:min(len(c.requests), maxDropped)]
}
