package collector

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// Pod is one pod of a revision. Pods that are being deleted are left out.
type Pod struct {
	Name, UID, IP string
	Ready         bool
	Created       time.Time
	// ReadyAfter is the time from Created to the pod's becoming Ready; 0 while it is not.
	ReadyAfter time.Duration
	// Unschedulable is true while the scheduler finds no node for it.
	Unschedulable bool
	// Failing is true while a container of it does not start.
	Failing bool
	// Ungated is true without the readiness gate: the pod cannot drain.
	Ungated bool
	// Draining pods get no new requests and work off those that they have. They are read
	// as long as they are there, Ready or not: their requests count, their capacity does not.
	Draining bool
}

// Spec says what to collect for one key, where, and over which windows.
type Spec struct {
	Key Key
	// Engine is the inference engine; "" detects it from the page.
	Engine string
	// Port is that of the engine's page; with 0 no engine page is scraped. Unless
	// PortNamed, an engine that serves its page on a port of its own is asked there.
	Port      int
	PortNamed bool
	// Path is that of the engine's page; "" is the engine's default.
	Path string
	// TLS asks for the engine's page by https. Certificates are not verified.
	TLS bool
	// Token is the key of a Secret, in the revision's own namespace, with the bearer token of
	// the engine's page; zero for none. It is not sent to pods without a queue-proxy.
	Token SecretKey
	// StableWindow and PanicWindow are the averaging windows of concurrency and rps.
	StableWindow, PanicWindow time.Duration
	// Weighted gives newer values more weight in the averages.
	Weighted bool
	// EngineOnly pods have no queue-proxy.
	EngineOnly bool
	// Pooled is true for a revision whose requests a picker may hold: while SetHeld
	// named none, it is not known how many requests are open.
	Pooled bool
}

// namedPort is the port of the engine's page that the user named, 0 for none.
func (s *Spec) namedPort() int {
	if s.PortNamed {
		return s.Port
	}
	return 0
}

// Collector scrapes the pods of the watched revisions and keeps what they
// said. All methods are safe for concurrent use. Revisions may be watched
// before Run; scraping begins with it.
type Collector struct {
	o       Options
	tables  *engine.Tables
	metrics *metrics
	clock   clock
	large   *largePages
	// activators reads what waits in Knative's activators.
	activators *activators
	// scheduler has every target that was started; scratches and rooms are for its workers.
	scheduler *scheduler
	scratches kept[scratch]
	rooms     kept[room]

	mu sync.Mutex
	// ctx is nil until Run.
	ctx       context.Context
	revisions map[Key]*revision
	// pickersOf are the pickers that hold requests of a revision.
	pickersOf map[Key][]Key
	notify    func(Key, bool)
	// leads is nil where this replica acts for all revisions.
	leads   func(Key) bool
	pollers sync.WaitGroup
	// ticked is when the last tick ended.
	ticked atomic.Pointer[time.Time]
	// counts are those of the last tick.
	counts atomic.Pointer[targetCounts]
}

// New returns a collector that watches nothing yet.
func New(o Options) *Collector {
	o = o.withDefaults()
	c := &Collector{
		o: o, tables: engine.NewTables(), metrics: newMetrics(o.Registerer),
		clock: newClock(o.Clock), scheduler: newScheduler(o.Parallelism), large: newLargePages(o),
		scratches: make(kept[scratch], o.Parallelism), rooms: make(kept[room], keptRooms),
		revisions: map[Key]*revision{}, pickersOf: map[Key][]Key{},
	}
	c.activators = newActivators(o, c.clock.now, func(r Key) { c.changed(r, true) })
	return c
}

// Run scrapes until ctx ends, and returns when every scrape under way has stopped.
func (c *Collector) Run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	for _, r := range c.revisions {
		c.start(r)
	}
	c.mu.Unlock()
	c.pollers.Go(func() { c.dispatch(ctx) })
	c.pollers.Go(func() { c.activators.run(ctx) })

	for c.clock.waitForSecond(ctx) {
		c.tick(c.clock.now())
	}

	c.mu.Lock()
	for _, r := range c.revisions {
		r.stop()
	}
	c.mu.Unlock()
	c.pollers.Wait()
}

// Readable returns how many sources of pods should be read (queue-proxies, engines and
// pickers), and how many were, lately.
func (c *Collector) Readable() (targets, readable int) {
	n := c.counts.Load()
	if n == nil {
		return 0, 0
	}
	for s := range sources {
		targets += n.all[s]
		readable += n.all[s] - n.stale[s]
	}
	return targets, readable
}

// Ticked returns when values were last carried into a new second, with a monotonic
// reading; zero before the first time.
func (c *Collector) Ticked() time.Time {
	if t := c.ticked.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// tick carries every revision's values into the new second and finds targets gone stale.
func (c *Collector) tick(now time.Time) {
	defer c.ticked.Store(&now)
	c.followRoles(now)
	counts, podless := newTargetCounts(), map[Key]bool{}
	for _, r := range c.all() {
		c.contained(r, func() {
			if r.tick(now, &counts) {
				c.changed(r.key, false)
			}
			if r.podless() {
				podless[r.key] = true
			}
		})
	}
	c.activators.fast.Store(len(podless) > 0)
	c.hurryPickers(podless)
	c.counts.Store(&counts)
	c.metrics.setTargets(counts)
	c.setTargets(counts.weighed())
}

func (c *Collector) all() []*revision {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*revision, 0, len(c.revisions))
	for _, r := range c.revisions {
		all = append(all, r)
	}
	return all
}

// Watch begins to collect for a revision, or changes how. The windows keep
// what they hold when their length changes; the engine's readings start anew
// when engine, port, path, scheme or token's Secret change.
func (c *Collector) Watch(s Spec) {
	leads := c.leading(s.Key)
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.revisions[s.Key]
	if !ok {
		r = newRevision(c, s.Key)
		r.leads.Store(leads)
		c.revisions[s.Key] = r
	}
	r.watch(s, c.clock.now())
	c.start(r)
}

// SetPods gives the revision's current pods. Scrapes of pods that left, or neither are
// Ready nor drain, stop at once. It does nothing for a revision that is not watched.
func (c *Collector) SetPods(key Key, pods []Pod) {
	c.mu.Lock()
	r, ok := c.revisions[key]
	changed := ok && r.setPods(pods)
	if ok {
		c.start(r)
	}
	c.mu.Unlock()
	if changed {
		if r.podless() {
			c.activators.hurry()
			c.hurryPickersOf(key)
		}
		c.changed(key, false)
	}
}

// Forget stops collecting for a revision and drops what is known of it.
func (c *Collector) Forget(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.revisions[key]; ok {
		r.stop()
		delete(c.revisions, key)
		delete(c.pickersOf, key)
	}
}

// Notify sets the function that is called when a sample changed what is known of
// a revision that this replica leads, and whether the sample shows or confirms a burst:
// nobody acts for the others, so the ticks of their loops suffice. Notify is called
// once, before Run. f runs on scraping goroutines without locks held and must not block.
func (c *Collector) Notify(f func(r Key, burst bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notify = f
}

func (c *Collector) changed(key Key, burst bool) {
	c.mu.Lock()
	f := c.notify
	keys := slices.DeleteFunc(c.affected(key), func(k Key) bool {
		r := c.revisions[k]
		return r != nil && !r.leads.Load()
	})
	c.mu.Unlock()
	if f == nil {
		return
	}
	for _, k := range keys {
		f(k, burst)
	}
}

// start gives targets that were not started to the scheduler; c.mu is held.
func (c *Collector) start(r *revision) {
	if c.ctx == nil || c.ctx.Err() != nil {
		return
	}
	now := c.clock.now()
	for _, t := range r.idleTargets() {
		t.started = true
		c.scheduler.add(t, now.Add(t.untilNext(now, c.interval(t.source))))
	}
}

func (c *Collector) lookup(key Key) *revision {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revisions[key]
}
