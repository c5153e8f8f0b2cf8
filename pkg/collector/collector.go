package collector

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// Revision names a revision.
type Revision struct{ Namespace, Name string }

// Pod is one pod of a revision that is not being deleted.
type Pod struct {
	Name, UID, IP string
	Ready         bool
	Created       time.Time
	// ReadyAfter is the time from Created to the pod's becoming Ready; 0 while it is not.
	ReadyAfter time.Duration
	// Unschedulable tells that the scheduler has found no node for it.
	Unschedulable bool
}

// Target says what to collect for one revision.
type Target struct {
	Revision Revision
	// Engine is the inference engine; "" detects it from the page.
	Engine string
	// Port is that of the engine's page; with 0 no engine page is scraped. Unless
	// PortNamed, an engine that serves its page on a port of its own is asked there.
	Port      int
	PortNamed bool
	// Path is that of the engine's page; "" is the engine's default.
	Path string
	// StableWindow and PanicWindow are the averaging windows of concurrency and rps.
	StableWindow, PanicWindow time.Duration
	// EngineOnly pods have no queue-proxy.
	EngineOnly bool
}

// Options configure a Collector. Zero fields take the default in brackets.
type Options struct {
	// QueueProxyPort serves Knative's Stat [9090].
	QueueProxyPort int
	// QueueProxyInterval and EngineInterval are the times between two scrapes of one pod [500ms].
	QueueProxyInterval, EngineInterval time.Duration
	// Timeout bounds one scrape from connecting to the last byte [1s].
	Timeout time.Duration
	// Parallelism bounds the scrapes under way at once [128]. A quarter of it
	// is kept for targets that do not answer, so they cannot hold up the others.
	Parallelism int
	// StaleAfter is the number of missed scrapes in a row after which a target is unknown [3].
	StaleAfter int
	// MaxBody and MaxLine bound a page and its lines in bytes, after decompression
	// [2 MiB, 64 KiB]. A page of real vLLM 0.32 has at most 75 KiB for each
	// data-parallel rank.
	MaxBody int64
	MaxLine int
	// BodyBudget bounds in bytes the pages beyond 128 KiB that are in memory at once;
	// further ones wait, at most for Timeout [32 MiB].
	BodyBudget int64
	// Registerer takes the collector's own metrics [a private one].
	Registerer prometheus.Registerer
	// Log tells of targets that become stale or readable again [discarded].
	Log *slog.Logger
	// Transport sends the scrapes [one with keep-alive that ignores proxies].
	Transport http.RoundTripper
}

func (o Options) withDefaults() Options {
	o.QueueProxyPort = cmp.Or(o.QueueProxyPort, 9090)
	o.QueueProxyInterval = cmp.Or(o.QueueProxyInterval, 500*time.Millisecond)
	o.EngineInterval = cmp.Or(o.EngineInterval, 500*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, time.Second)
	o.Parallelism = max(cmp.Or(o.Parallelism, 128), 2)
	o.StaleAfter = cmp.Or(o.StaleAfter, 3)
	o.MaxBody = cmp.Or(o.MaxBody, 2<<20)
	o.BodyBudget = cmp.Or(o.BodyBudget, 32<<20)
	o.MaxLine = cmp.Or(o.MaxLine, 64<<10)
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = newTransport(o.Timeout)
	}
	return o
}

// Collector scrapes the pods of the watched revisions and keeps what they
// said. All methods are safe for concurrent use. Revisions may be watched
// before Run; scraping begins with it.
type Collector struct {
	o       Options
	tables  *engine.Tables
	metrics *metrics
	lanes   lanes
	large   largePages

	mu sync.Mutex
	// ctx is nil until Run.
	ctx       context.Context
	revisions map[Revision]*revision
	// pickersOf are the pickers that hold requests of a revision.
	pickersOf map[Revision][]Revision
	notify    func(Revision)
	pollers   sync.WaitGroup
}

// New returns a collector that watches nothing yet.
func New(o Options) *Collector {
	o = o.withDefaults()
	return &Collector{
		o: o, tables: engine.NewTables(), metrics: newMetrics(o.Registerer),
		lanes: newLanes(o.Parallelism), large: newLargePages(o), revisions: map[Revision]*revision{}, pickersOf: map[Revision][]Revision{},
	}
}

// Run scrapes until ctx ends, and returns when every scrape under way has stopped.
func (c *Collector) Run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	for _, r := range c.revisions {
		c.start(r)
	}
	c.mu.Unlock()

	for waitForSecond(ctx) {
		c.tick(time.Now())
	}

	c.mu.Lock()
	for _, r := range c.revisions {
		r.stop()
	}
	c.mu.Unlock()
	c.pollers.Wait()
}

// waitForSecond sleeps until the clock's next whole second, and returns false when ctx ends.
func waitForSecond(ctx context.Context) bool {
	now := time.Now()
	timer := time.NewTimer(now.Truncate(time.Second).Add(time.Second).Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// tick carries every revision's values into the new second and finds targets gone stale.
func (c *Collector) tick(now time.Time) {
	counts := newTargetCounts()
	for _, r := range c.all() {
		if r.tick(now, &counts) {
			c.changed(r.key)
		}
	}
	c.metrics.setTargets(counts)
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
// when engine, port or path change.
func (c *Collector) Watch(t Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.revisions[t.Revision]
	if !ok {
		r = newRevision(c, t.Revision)
		c.revisions[t.Revision] = r
	}
	r.isPicker = t.Engine == Picker
	r.watch(t, time.Now())
	c.start(r)
}

// SetPods gives the revision's current pods. Scrapes of pods that left or are
// no longer Ready stop at once. It does nothing for a revision that is not watched.
func (c *Collector) SetPods(key Revision, pods []Pod) {
	c.mu.Lock()
	r, ok := c.revisions[key]
	changed := ok && r.setPods(pods)
	if ok {
		c.start(r)
	}
	c.mu.Unlock()
	if changed {
		c.changed(key)
	}
}

// Forget stops collecting for a revision and drops what is known of it.
func (c *Collector) Forget(key Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.revisions[key]; ok {
		r.stop()
		delete(c.revisions, key)
		delete(c.pickersOf, key)
	}
}

// Notify sets the function that is told when a sample changed what is known of
// a revision. It is called once, before Run. f runs on scraping goroutines
// without locks held and must not block.
func (c *Collector) Notify(f func(Revision)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notify = f
}

func (c *Collector) changed(key Revision) {
	c.mu.Lock()
	f := c.notify
	keys := c.affected(key)
	c.mu.Unlock()
	if f == nil {
		return
	}
	for _, k := range keys {
		f(k)
	}
}

// start launches the pollers of targets that have none; c.mu is held.
func (c *Collector) start(r *revision) {
	if c.ctx == nil || c.ctx.Err() != nil {
		return
	}
	for _, t := range r.idleTargets() {
		ctx, cancel := context.WithCancel(c.ctx)
		t.cancel = cancel
		c.pollers.Go(func() { c.poll(ctx, t) })
	}
}

func (c *Collector) lookup(key Revision) *revision {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revisions[key]
}
