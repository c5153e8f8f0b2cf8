package collector

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"knative.dev/serving/pkg/networking"

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

// The times between two scrapes of one pod that are used unless somebody asks for others.
const (
	DefaultQueueProxyInterval = 500 * time.Millisecond
	DefaultEngineInterval     = 250 * time.Millisecond
)

// Options configure a Collector. Fields that are zero or negative take the default in
// brackets; a time below 10 ms is 10 ms.
type Options struct {
	// QueueProxyPort serves Knative's Stat, ActivatorPort the metrics of Knative's
	// activator [both 9090].
	QueueProxyPort, ActivatorPort int
	// QueueProxyInterval and EngineInterval are the times between two scrapes of one pod
	// [DefaultQueueProxyInterval, DefaultEngineInterval].
	QueueProxyInterval, EngineInterval time.Duration
	// Timeout bounds one scrape from connecting to the last byte [1s]. That of an engine
	// that needs longer grows, up to MaxTimeout [5s].
	Timeout, MaxTimeout time.Duration
	// MaxQueueProxyInterval and MaxEngineInterval are the times between two scrapes of
	// one pod up to which the two intervals grow with the number of pods [1s, 2s], where
	// this replica leads; a standby's are five times as long.
	MaxQueueProxyInterval, MaxEngineInterval time.Duration
	// ReadingsPerSecond is the number of scrapes a second from which the intervals
	// grow [4000]: at 60 µs each about a quarter of a core.
	ReadingsPerSecond float64
	// Parallelism bounds the scrapes under way at once [512]. Half of it is for
	// targets that fail or take longer than 250 ms, so that they do not delay the
	// others. In each half no namespace takes more than twice what is left free.
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
	// Log reports targets that become stale or readable again [discarded].
	Log *slog.Logger
	// Tokens has the bearer tokens of metrics endpoints [none].
	Tokens Tokens
	// Clock is the wall clock [time.Now]. It is read for the time of the start and for
	// the ages of pods only: everything else runs on monotonic time.
	Clock func() time.Time
	// Dial opens the connections to the pods [net.Dialer's, directly]. Each target
	// keeps one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	o.QueueProxyPort = cmp.Or(o.QueueProxyPort, networking.AutoscalingQueueMetricsPort)
	o.ActivatorPort = cmp.Or(o.ActivatorPort, activatorPort)
	setDuration(&o.QueueProxyInterval, DefaultQueueProxyInterval)
	setDuration(&o.EngineInterval, DefaultEngineInterval)
	setDuration(&o.MaxQueueProxyInterval, time.Second)
	setDuration(&o.MaxEngineInterval, 2*time.Second)
	setDuration(&o.Timeout, time.Second)
	setDuration(&o.MaxTimeout, 5*time.Second)
	o.MaxTimeout = max(o.MaxTimeout, o.Timeout)
	if !(o.ReadingsPerSecond > 0) {
		o.ReadingsPerSecond = 4000
	}
	o.Parallelism = max(positive(o.Parallelism, 512), 2)
	o.StaleAfter = positive(o.StaleAfter, 3)
	o.MaxBody = positive(o.MaxBody, 2<<20)
	o.BodyBudget = positive(o.BodyBudget, 32<<20)
	o.MaxLine = positive(o.MaxLine, 64<<10)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tokens == nil {
		o.Tokens = noTokens{}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 15 * time.Second}).DialContext
	}
	return o
}

// minDuration is the shortest time that an option may have. A shorter interval
// would keep the program busy with one pod.
const minDuration = 10 * time.Millisecond

// setDuration makes d the default unless d is positive, and at least minDuration.
func setDuration(d *time.Duration, byDefault time.Duration) {
	*d = max(positive(*d, byDefault), minDuration)
}

// positive returns n, or the default when n is zero or negative.
func positive[N int | int64 | time.Duration](n, byDefault N) N {
	if n > 0 {
		return n
	}
	return byDefault
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

// waitForSecond sleeps until the clock's next whole second, and returns false when ctx ends.
func (k clock) waitForSecond(ctx context.Context) bool {
	now := k.now()
	timer := time.NewTimer(now.Truncate(time.Second).Add(time.Second).Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
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
