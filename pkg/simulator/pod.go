package simulator

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Phase is where a pod is in its life.
type Phase int

// The phases, in their order.
const (
	// Unschedulable pods wait for a GPU and cost nothing.
	Unschedulable Phase = iota
	// Loading pods have a GPU and are not Ready.
	Loading
	// Ready pods take requests.
	Ready
	// Draining pods end what they have. They are not observed, nor ever Ready again.
	Draining
	// Gone pods are deleted.
	Gone
)

// forever is later than any time of a run.
const forever = engine.Never

// pod is one replica of the fleet.
type pod struct {
	number int64
	name   string
	phase  Phase
	// created, loading and ready are when each phase began.
	created, loading, ready time.Duration
	// lead is the time from a GPU to Ready.
	lead   time.Duration
	engine ranks

	inFlight int
	// ended is when its last request ended.
	ended time.Duration

	// due and place belong to the heap of that name.
	due   time.Duration
	place int
	// routed, previous and next belong to the router.
	routed         bool
	previous, next *pod

	samples samples
}

// create makes a pod; it gets a GPU at once if there is one.
func (f *Fleet) create() error {
	p := &pod{number: f.created, name: fmt.Sprintf("pod-%05d", f.created), created: f.now, lead: f.drawLead(), place: -1}
	f.created++
	var err error
	p.engine, err = newRanks(f.cfg.Engine, f.cfg.Ranks, func(c engine.Completion) { f.completed(p, c) })
	if err != nil {
		return err
	}
	p.engine.skew, p.engine.draws = f.cfg.RankSkew, f.ranks
	f.pods = append(f.pods, p)
	if f.cfg.GPUs == 0 || f.billed.value < int64(f.cfg.GPUs) {
		f.schedule(p, f.now)
	}
	return nil
}

// drawLead draws a cold start: lognormal, with the mean and variation of the Config.
func (f *Fleet) drawLead() time.Duration {
	x := f.leads.NormFloat64()
	sigma := math.Sqrt(math.Log1p(f.cfg.LeadCV * f.cfg.LeadCV))
	return time.Duration(float64(f.cfg.Lead) * math.Exp(sigma*x-sigma*sigma/2))
}

// schedule gives a pod its GPUs, which cost from now on.
func (f *Fleet) schedule(p *pod, at time.Duration) {
	p.phase, p.loading = Loading, at
	f.bill(at, 1)
	f.load.add(at, 1)
	f.events.add(event{at + p.lead, becomesReady, p})
	f.plan()
}

// bill changes the number of pods that cost money.
func (f *Fleet) bill(at time.Duration, change int32) {
	f.billed.add(at, int64(change))
	f.changes = append(f.changes, Change{At: at, Replicas: change})
}

// readyUp lets a pod take requests, and reads its page.
func (f *Fleet) readyUp(p *pod) error {
	p.phase, p.ready, p.samples.readyAfter = Ready, f.now, f.now-p.created
	f.load.add(f.now, -1)
	p.engine.Advance(f.now)
	p.due = p.engine.Next()
	f.due.add(p)
	f.router.add(p)
	if f.cfg.FailureEvery > 0 {
		f.events.add(event{f.now + time.Duration(f.failures.ExpFloat64()*float64(f.cfg.FailureEvery)), fails, p})
	}
	return f.scrape(scrapeEntry{f.now, p})
}

// drain ends a pod: at once if it has no request, and else with its last one.
func (f *Fleet) drain(p *pod) {
	switch {
	case p.phase == Ready && p.inFlight > 0:
		f.router.remove(p)
		p.phase = Draining
	case p.phase == Ready && f.around.Drains:
		f.router.remove(p)
		p.phase, p.ended = Draining, f.now
		f.drained(p, f.now)
	default:
		f.delete(p, f.now)
	}
}

// delete takes a pod out of the fleet; its GPUs cost until then and are free for the next.
func (f *Fleet) delete(p *pod, at time.Duration) {
	switch p.phase {
	case Loading:
		f.load.add(at, -1)
		f.bill(at, -1)
	case Ready, Draining:
		f.router.remove(p)
		f.due.remove(p)
		f.bill(at, -1)
		f.retired.Add(p.engine.Work(), 1)
	case Unschedulable, Gone: // no GPU is taken
	}
	p.phase = Gone
	f.pods = slices.DeleteFunc(f.pods, func(q *pod) bool { return q == p })
	f.scheduleWaiting(at)
}

// scheduleWaiting gives free GPUs to the pods that have waited longest.
func (f *Fleet) scheduleWaiting(at time.Duration) {
	for _, p := range f.pods {
		if f.cfg.GPUs == 0 || f.billed.value >= int64(f.cfg.GPUs) {
			return
		}
		if p.phase == Unschedulable {
			f.schedule(p, max(at, p.created))
		}
	}
}

// fail kills a pod with its node. A draining one is then gone; in place of any
// other the Deployment makes a new pod at once. The requests are sent again.
func (f *Fleet) fail(p *pod) error {
	p.engine.Advance(f.now)
	lost := p.engine.Abort()
	f.inFlight.add(f.now, -int64(len(lost)))
	f.router.change(p, 0)
	wasReady := p.phase == Ready
	f.delete(p, f.now)
	if wasReady {
		if err := f.create(); err != nil {
			return err
		}
	}
	for _, r := range lost {
		if err := f.again(r); err != nil {
			return err
		}
	}
	return nil
}
