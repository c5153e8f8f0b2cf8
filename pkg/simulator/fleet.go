package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// Fleet is the pods of one revision on a simulated clock, with the router and
// the queue in front of them. The caller moves the clock: submit requests in
// the order of arrival, advance, observe, scale. Run does so for a whole
// trace, a playground in pieces. It is not safe for concurrent use. After an
// error it is of no more use.
type Fleet struct {
	cfg Config
	now time.Duration
	// around are the policy's, for a fleet that may have no replica.
	around Surroundings
	// wanted is what Scale asked for.
	wanted   int32
	pods     []*pod // that are not Gone, oldest first
	created  int64
	events   events
	due      due
	router   router
	affinity affinity
	scrapes  scrapes
	queue    queue
	demand   demand
	http     httpRequests
	hiding   hiding
	tick     time.Duration
	// control is the earliest of tick, events and scrapes.
	control time.Duration

	// arrived is all requests; inFlight those of the engines and of the queue, over time.
	arrived  int64
	inFlight area
	// billed is the pods with a GPU, load those of them that were never Ready.
	billed, load area
	// changes are those of billed, Replicas being the difference, in any order.
	changes []Change
	// retired is the work of pods that are gone.
	retired engine.Work
	sent    sent
	score   score

	leads, failures, losses, ranks *rand.Rand
	// err is what went wrong where an error could not be returned.
	err error

	observed observed
	// pointAt and pointArrived are of the last Point.
	pointAt      time.Duration
	pointArrived int64
}

// NewFleet returns a fleet of max(cfg.Initial, cfg.Min) Ready pods at time 0.
func NewFleet(cfg Config) (*Fleet, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &Fleet{
		cfg: cfg, tick: second, demand: newDemand(cfg), score: newScore(cfg), observed: newObserved(cfg),
		scrapes: scrapes{every: cfg.Scrape},
		leads:   trace.Stream(cfg.Seed, "lead"), failures: trace.Stream(cfg.Seed, "failure"), losses: trace.Stream(cfg.Seed, "scrape"),
		ranks: trace.Stream(cfg.Seed, "rank"),
	}
	f.http = newHTTPRequests(cfg)
	var err error
	if f.hiding, err = newHiding(cfg.Hide); err != nil {
		return nil, err
	}
	f.wanted = min(max(cfg.Initial, cfg.Min, 1), cfg.Max)
	for range f.wanted {
		if err := f.create(); err != nil {
			return nil, err
		}
	}
	return f, f.startReady()
}

// startReady makes the first pods Ready at once, and spreads their scrapes.
func (f *Fleet) startReady() error {
	f.events = nil
	n := time.Duration(len(f.pods))
	for i, p := range f.pods {
		if p.phase != Loading {
			continue
		}
		if err := f.readyUp(p); err != nil {
			return err
		}
		p.samples.readyAfter = 0 // not known: it was there before
		f.scrapes.entries[len(f.scrapes.entries)-1].at = f.cfg.Scrape * time.Duration(i+1) / n
	}
	f.plan()
	return nil
}

// Now is the time of the fleet.
func (f *Fleet) Now() time.Duration { return f.now }

// Submit advances to a request's arrival and gives it to a pod, or to the
// queue while no pod can take it. One that no pod could ever hold is refused,
// which the Result counts and is no error.
func (f *Fleet) Submit(q trace.Request) error {
	if q.Arrival < f.now {
		return fmt.Errorf("request at %v: the fleet is at %v already; requests must come in the order of arrival", q.Arrival, f.now)
	}
	if err := f.Advance(q.Arrival); err != nil {
		return err
	}
	f.arrived++
	f.score.arrive(q.Arrival)
	f.inFlight.add(f.now, 1)
	w := waiting{request: engine.Request{Arrival: q.Arrival, Prompt: q.Input, Output: q.Output, HangsUp: q.HangsUp}}
	if len(q.Blocks) > 0 && q.BlockTokens > 0 && (f.cfg.PrefixCache || f.cfg.Routing == PrefixAware) {
		w.prefix = &engine.Prefix{Hashes: q.Blocks, Tokens: q.BlockTokens}
	}
	return f.route(w)
}

// Advance moves the fleet to a time.
func (f *Fleet) Advance(to time.Duration) error {
	for f.control <= to && f.err == nil {
		at := f.control
		f.advanceEngines(at)
		f.now = max(f.now, at)
		f.err = cmp.Or(f.err, f.act())
		f.plan()
	}
	f.advanceEngines(to)
	f.now = max(f.now, to)
	return f.err
}

// plan finds the time of the next thing that does not come from an engine.
func (f *Fleet) plan() {
	f.control = min(f.tick, f.events.first(), f.scrapes.first())
}

// act does what is due from outside of the engines.
func (f *Fleet) act() error {
	for f.events.first() <= f.now {
		if err := f.happen(f.events.take()); err != nil {
			return err
		}
	}
	for f.tick <= f.now {
		f.http.until(f.tick)
		f.demand.record(f.tick, f.http.inFlight(f.inFlight.until(f.tick)), f.http.arrived(f.arrived))
		f.expire()
		if err := f.dispatch(); err != nil {
			return err
		}
		f.tick += second
	}
	for f.scrapes.first() <= f.now {
		if err := f.scrape(f.scrapes.take()); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) happen(e event) error {
	switch {
	case e.pod.phase == Gone:
	case e.kind == fails:
		return f.fail(e.pod)
	case e.kind == answers:
		f.answer(e.pod)
	case e.kind == quiet:
		f.release(e.pod)
	default:
		if err := f.readyUp(e.pod); err != nil {
			return err
		}
		return f.dispatch()
	}
	return nil
}

// advanceEngines moves the engines to a time, those that have something to do.
// While requests queue, an end makes room for one of them, so that each end
// has to be handled in turn.
func (f *Fleet) advanceEngines(to time.Duration) {
	for f.due.first() <= to && f.err == nil {
		p := f.due[0]
		until := to
		if f.queue.size > 0 {
			until = max(p.due, f.now)
			f.now = until
		}
		p.engine.Advance(until)
		p.due = p.engine.Next()
		f.due.fix(p)
		if p.phase == Draining && p.inFlight == 0 {
			f.drained(p, p.ended)
		}
		if f.queue.size > 0 {
			f.err = cmp.Or(f.err, f.dispatch())
		}
	}
}

// completed is called by the engines for each request that ends.
func (f *Fleet) completed(p *pod, c engine.Completion) {
	at := c.LastToken - f.cfg.Engine.TokenOverhead*time.Duration(c.Output)
	p.ended = max(p.ended, at) // ranks end requests one rank after the other
	f.inFlight.add(at, -1)
	f.router.change(p, p.inFlight-1)
	if c.ID != 0 {
		c.Arrival = f.sent.take(c.ID).arrival
	}
	if f.score.complete(c); c.FirstToken < c.Arrival || c.LastToken < c.FirstToken {
		f.err = fmt.Errorf("%s: a request of %v had its tokens at %v and %v; this is a bug of the simulator", p.name, c.Arrival, c.FirstToken, c.LastToken)
	}
}

// Scale asks for a number of replicas within the Config's bounds. Too many pods
// go in the order of Kubernetes: those without a GPU, those that load, youngest
// first, then the Ready ones with the fewest requests in flight. A draining pod
// does not come back; a new one is made. In a fleet that may have no replica the
// policy's Surroundings say which Ready pods go, and whether they come back.
func (f *Fleet) Scale(n int32) error {
	n = min(max(n, f.cfg.Min), f.cfg.Max)
	f.wanted = n
	have := f.live()
	rescued, err := f.rescue(n - have)
	if err != nil {
		return err
	}
	for have += rescued; have < n; have++ {
		if err := f.create(); err != nil {
			return err
		}
	}
	for ; have > n; have-- {
		f.drain(f.victim())
	}
	f.plan()
	return nil
}

// live is the number of pods that are not being deleted.
func (f *Fleet) live() (n int32) {
	for _, p := range f.pods {
		if p.phase != Draining {
			n++
		}
	}
	return n
}

// victim is the pod that goes first.
func (f *Fleet) victim() *pod {
	for _, phase := range []Phase{Unschedulable, Loading} {
		for _, p := range slices.Backward(f.pods) {
			if p.phase == phase {
				return p
			}
		}
	}
	if f.cfg.Min == 0 && !f.around.Drains {
		return f.lastReady()
	}
	return f.router.idlest()
}

var errConservation = errors.New("the simulator lost or doubled a request; this is a bug of it")
