package collector

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// revision is what is known of one watched revision, pool or picker. Its mutex guards
// everything below it, the pods' and targets' readings included; the set of
// pods and their targets changes only with Collector.mu held as well.
type revision struct {
	c   *Collector
	key Key
	// leads is true while this replica acts for the revision.
	leads atomic.Bool
	// hurried is true for a picker while a revision behind it waits for its first pod.
	hurried atomic.Bool
	// layout is that of the pods' pages.
	layout engine.Layout

	mu   sync.Mutex
	spec Spec
	pods map[string]*pod // by UID
	// listed is when setPods was called last; zero before the first call.
	listed time.Time
	// podlessSince is when a list without pods followed one with pods, or none.
	podlessSince time.Time
	demand       demand
	ledger       ledger
	// engineSeen is true once a metrics page of some engine was read.
	engineSeen bool
	// bounds are those of the pods' histograms.
	bounds bounds
}

func newRevision(c *Collector, key Key) *revision {
	return &revision{c: c, key: key, pods: map[string]*pod{}}
}

// watch takes a new spec; c.mu is held.
func (r *revision) watch(s Spec, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.spec
	r.spec = s
	r.demand.resize(now, s.StableWindow, s.PanicWindow)
	r.demand.weighted = s.Weighted
	if r.ledger.queues == nil {
		r.ledger.follow(r.ownQueues())
	}
	if old.Engine == s.Engine && old.Port == s.Port && old.PortNamed == s.PortNamed &&
		old.Path == s.Path && old.TLS == s.TLS && old.Token == s.Token {
		return
	}
	for _, p := range r.pods {
		p.drop(enginePage)
		p.drop(pickerPage)
		r.aim(p)
	}
}

// setPods takes the current pods and reports whether any came, left or changed
// its readiness; c.mu is held.
func (r *revision) setPods(pods []Pod) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current, at := make(map[string]*pod, len(pods)), r.c.clock.now()
	for _, now := range pods {
		p := r.pods[now.UID]
		if p == nil {
			p, changed = r.firstSeen(now, at), true
		}
		changed = changed || p.Ready != now.Ready || p.Draining != now.Draining
		if !now.Ready && !(now.Draining && !p.unborn) || now.IP != p.IP {
			p.dropAll()
		}
		if p.ReadyAfter > 0 {
			now.ReadyAfter = p.ReadyAfter // that of its start, not of a later flap
		}
		p.Pod = now
		p.noteReady(at)
		r.aim(p)
		current[now.UID] = p
		delete(r.pods, now.UID)
	}
	for _, gone := range r.pods {
		gone.dropAll()
		changed = true
	}
	r.pods, r.listed = current, at
	switch {
	case len(current) > 0:
		r.podlessSince = time.Time{}
	case r.podlessSince.IsZero():
		r.podlessSince = at
	}
	return changed
}

// firstSeen is a pod that was in no list before. Created is a time of the API server's
// clock, which may differ from ours: a pod is not older than the last list without it,
// whatever the clocks say. Only the ages of the first list rest on both clocks.
func (r *revision) firstSeen(now Pod, at time.Time) *pod {
	age := max(r.c.clock.wall().Sub(now.Created), 0)
	if !r.listed.IsZero() {
		age = min(age, at.Sub(r.listed))
	}
	return &pod{seen: at, age: age, unborn: age < seenBegin}
}

// aim gives a pod that is to be read the targets it lacks.
func (r *revision) aim(p *pod) {
	if !p.read() {
		return
	}
	if p.targets[queueProxy] == nil && !r.spec.EngineOnly {
		p.targets[queueProxy] = newTarget(queueProxy, r, p)
	}
	page := enginePage
	if r.key.Kind == Picker {
		page = pickerPage
	}
	if p.targets[page] == nil && r.spec.Port != 0 {
		p.targets[page] = newTarget(page, r, p)
	}
}

// idleTargets lists targets that were not started; c.mu is held.
func (r *revision) idleTargets() []*target {
	r.mu.Lock()
	defer r.mu.Unlock()
	var idle []*target
	for _, p := range r.pods {
		for _, t := range p.targets {
			if t != nil && !t.started {
				idle = append(idle, t)
			}
		}
	}
	return idle
}

// stop ends every target; c.mu is held.
func (r *revision) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pods {
		p.dropAll()
	}
}

// news is what a sample changed.
type news struct {
	// changed: the picture of the revision is another one.
	changed bool
	// burst: requests grew suddenly, as one sample of a queue-proxy shows, or the first
	// or the second one of an engine. confirm: the second one is worth a reading.
	burst, confirm bool
}

// store takes the outcome of a scrape.
func (r *revision) store(t *target, s *scratch, o outcome) (n news) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, err := o.at, o.err
	t.took, t.extra = o.took, extra(s.cost())
	p := t.pod
	if p.targets[t.source] != t {
		return news{} // the pod left while it answered
	}
	if err == nil && t.source != queueProxy && p.isOfAnotherPod() {
		err = failed(causeWrongPod, "the queue-proxy at this address is that of another pod")
	}
	if err != nil {
		return news{changed: r.miss(t, at, err)}
	}
	if t.misses >= r.c.o.StaleAfter {
		r.c.o.Log.Info("scrape target is readable again", "revision", r.key, "pod", t.podName, "source", t.source.String())
	}
	t.misses, t.good, t.trouble = 0, at, nil
	t.noteResponse(o)
	t.noteQuiet(s, at)
	if t.source == queueProxy {
		p.named = s.report.PodName == t.podName
		n = r.storeRequests(p, s.requests, at)
	} else {
		r.engineSeen = r.engineSeen || t.source == enginePage
		t.found = s.stat.Engine
		s.engine.totals = totals(&s.stat, p.engine.totals, &r.bounds)
		n = r.storeEngine(p, s.engine, at)
	}
	n.changed = r.noteKnown(t, at) || n.changed
	return n
}

// noteResponse takes the time of a response that can be used.
func (t *target) noteResponse(o outcome) {
	t.cost.add(o.at, o.response)
	if t.source != enginePage {
		return
	}
	t.limit.answered(&t.rev.c.o, o.response)
	t.pageCost.Store(int64(t.cost.beyond(t.pod.targets[queueProxy])))
	t.rev.c.metrics.engineSeconds.Add(time.Duration(t.pageCost.Load()).Seconds())
}

// timeout is the limit of the next scrape.
func (t *target) timeout() time.Duration {
	t.rev.mu.Lock()
	defer t.rev.mu.Unlock()
	return t.limit.next(&t.rev.c.o)
}

// miss counts a failed scrape. A report that cannot be true makes the pod
// unknown at once: its last value is no better.
func (r *revision) miss(t *target, at time.Time, err error) bool {
	t.misses++
	t.trouble = t.trouble.next(at, err, r.isForeign(t))
	if t.trouble.cause == causeTimeout && t.source == enginePage {
		t.limit.cutOff(&r.c.o, at)
	}
	if c := cause(err); c == causeImplausible || c == causeWrongPod {
		t.good = time.Time{}
		if c == causeWrongPod {
			r.distrust(t.pod, at)
		}
	}
	if t.misses == r.c.o.StaleAfter {
		r.c.o.Log.Warn("scrape target is stale", "revision", r.key, "pod", t.podName, "source", t.source.String(), "error", err)
	}
	return r.noteKnown(t, at)
}

// isForeign reports whether a target may be a plain application: nobody named its engine, and none
// of the revision's pods was ever read as one. The application serves each reading as a
// request of a client, beside those that queue-proxy lets in by containerConcurrency.
func (r *revision) isForeign(t *target) bool {
	return t.source == enginePage && t.engine == "" && !r.engineSeen
}

// distrust makes the engine's page unknown too when the queue-proxy at the pod's
// address is that of another pod: the page has no name of a pod, and so is the other
// pod's as well.
func (r *revision) distrust(p *pod, at time.Time) {
	for _, t := range p.targets {
		if t != nil && t.source != queueProxy {
			t.good = time.Time{}
			r.noteKnown(t, at)
		}
	}
}

// noteKnown records whether the target is known and reports a change.
func (r *revision) noteKnown(t *target, now time.Time) (changed bool) {
	known := t.fresh(now)
	changed = known != t.known
	t.known = known
	if changed && !known && t.source != queueProxy {
		t.pod.forgetEngine()
	}
	return changed
}

func (r *revision) storeRequests(p *pod, s requestSample, at time.Time) (n news) {
	if !sameSecond(at, r.demand.dirty) {
		r.flush()
	}
	n.changed = p.requests != s
	n.burst = isBurst(p.requests.concurrency, s.concurrency) || isBurst(p.requests.rps, s.rps)
	if n.burst {
		p.hasten(at)
	}
	p.requests = s
	r.demand.dirty = at
	return n
}

func (r *revision) storeEngine(p *pod, e engineSample, at time.Time) (n news) {
	last, persisted := p.engine, p.persisted()
	e.at = at
	p.before = earlierSample{last.at, last.running, last.waiting, last.deferred, last.kvUsage}
	p.engine = e
	p.promptBefore, p.generationBefore, _ = p.rates.perSecond()
	p.rates.add(e, r.spec.PanicWindow)
	p.latencies.add(at, e.totals, r.spec.StableWindow)
	if last.at.IsZero() {
		return news{changed: true}
	}
	n.confirm = isBurst(last.inFlight(), e.inFlight())
	n.burst = n.confirm || isBurst(persisted, p.persisted())
	// A sample equal to the last one may still confirm a burst.
	n.changed = !e.equal(last) || !same(p.persisted(), persisted)
	return n
}

// flush writes the newest queue-proxy reports into the windows.
func (r *revision) flush() {
	if !r.demand.dirty.IsZero() {
		r.record(r.demand.dirty)
		r.demand.dirty = time.Time{}
	}
}

// record sums concurrency and rps over the pods that serve, adds what pods hold that
// drain and what is held in front of them, and writes the sums into the bucket of now.
// As in Knative, pods that could not be read count as the mean of those that could; when
// none could, nothing is written, unless what is held is all that there can be. A pod
// that drains is no pattern for the others, nor they for it.
func (r *revision) record(now time.Time) {
	var sum, leaving requestSample
	ready, known, drained := 0, 0, 0
	for _, p := range r.pods {
		if p.Draining && p.targets[queueProxy].fresh(now) {
			drained++
			leaving.concurrency += p.requests.concurrency
			leaving.rps += p.requests.rps
		}
		if !p.serves() || p.isNew(now) {
			continue
		}
		ready++
		if p.targets[queueProxy].fresh(now) {
			known++
			sum.concurrency += p.requests.concurrency
			sum.rps += p.requests.rps
		}
	}
	switch held := r.ledger.inFlight(now); {
	case known > 0 || ready == 0 && drained > 0:
		share := float64(ready) / float64(max(known, 1))
		reached := sum.rps*share + leaving.rps
		r.ledger.count(now, reached)
		r.demand.set(now, requestSample{sum.concurrency*share + leaving.concurrency + held, r.ledger.rps(reached)})
	case held > 0 && (r.unborn() || r.none(now)):
		r.ledger.count(now, 0)
		r.demand.set(now, requestSample{held, r.ledger.began})
	}
}

// unborn reports whether there are pods, of which all were seen from their
// beginning and none was ever Ready, so that none can hold a request.
func (r *revision) unborn() bool {
	for _, p := range r.pods {
		if !p.unborn {
			return false
		}
	}
	return len(r.pods) > 0 // without any there may be some that we do not know yet
}

// tick carries the values into the new second and finds targets gone stale.
func (r *revision) tick(now time.Time, counts *targetCounts) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	r.ledger.tick(now, min(r.spec.StableWindow, longestStandIn))
	r.record(now)
	for _, p := range r.pods {
		for _, t := range p.targets {
			if t != nil {
				changed = r.noteKnown(t, now) || changed
				counts.add(t)
			}
		}
	}
	return changed
}

// surelyNone is how long a revision must have had no pod to be at zero: its pods may not
// be listed yet.
const surelyNone = 2 * time.Second

// none reports whether the revision is at zero.
func (r *revision) none(now time.Time) bool {
	return !r.podlessSince.IsZero() && now.Sub(r.podlessSince) >= surelyNone
}

func sameSecond(a, b time.Time) bool { return b.IsZero() || a.Unix() == b.Unix() }

func known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
