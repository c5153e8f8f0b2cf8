package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// ActivatorPod is one pod of Knative's activator. A pod that is being deleted may still
// hold requests.
type ActivatorPod struct {
	Name, UID, IP string
	// Ready is true for a pod that gets requests.
	Ready bool
}

const (
	// activatorPort serves an activator's metrics where config-observability has
	// metrics-protocol: prometheus.
	activatorPort = 9090
	// fastActivator is the time between two readings of an activator, and of a picker,
	// while a revision waits for its first pod, slowActivator that of an activator
	// otherwise: a request at zero waits for the next reading.
	fastActivator, slowActivator = 100 * time.Millisecond, time.Second
	// activatorDuty bounds the share of the time that an activator or a picker spends on
	// our fast readings: one that takes 10 ms is read every 200 ms at most. A reading's cost is
	// the shortest of the last costReadings: on a busy machine one that takes 50 ms
	// says little about the next, and made a request at zero wait for a second.
	activatorDuty, costReadings = 20, 5
	// activatorStale is the age from which a reading says nothing.
	activatorStale = 3 * time.Second
	// maxActivatorPage bounds in bytes what is read of one page.
	maxActivatorPage = 64 << 20
)

// activators reads how many requests wait in Knative's activators, by revision. It is safe for
// concurrent use.
type activators struct {
	dial    httpget.Dial
	now     func() time.Time
	timeout time.Duration
	port    int
	log     *slog.Logger
	// fast is true while a watched revision waits for its first pod, as the last tick saw
	// it, and hurried is the time by now, in ns, at which one last lost its last pod.
	fast    atomic.Bool
	hurried atomic.Int64
	// changed is called for each revision whose number of waiting requests has changed.
	changed func(Key)

	mu      sync.Mutex
	ctx     context.Context
	readers map[string]*activator
	wg      sync.WaitGroup
}

// activator is one activator's pod; activators.mu guards what is below cancel.
type activator struct {
	ActivatorPod
	cancel context.CancelFunc
	// soon has room for one: the next reading comes after fastActivator.
	soon chan struct{}

	held map[Key]activatorHeld
	// leaks are those of the process that started then.
	leaks   map[Key]leak
	started string
	good    time.Time
	err     error
}

// activatorHeld is what one activator holds of a revision.
type activatorHeld struct {
	// queued requests wait for a pod, active ones are passed on to one now.
	queued, active float64
}

func newActivators(o Options, now func() time.Time, changed func(Key)) *activators {
	return &activators{
		dial: o.Dial, now: now, timeout: o.Timeout, port: o.ActivatorPort, log: o.Log, changed: changed,
		readers: map[string]*activator{},
	}
}

// SetActivators gives the pods of Knative's activator that there are now, also those that
// are being deleted. Without any pod the number of waiting requests is unknown.
func (c *Collector) SetActivators(pods []ActivatorPod) { c.activators.set(pods) }

// ActivatorProblem is the reason why the number of requests that wait in the activators is
// unknown; nil while it is known.
func (c *Collector) ActivatorProblem() error { return c.activators.problem() }

func (a *activators) set(pods []ActivatorPod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := maps.Clone(a.readers)
	for _, p := range pods {
		old := gone[p.UID]
		if p.IP == "" || old != nil && old.IP != p.IP {
			continue
		}
		if old != nil {
			old.ActivatorPod = p
			delete(gone, p.UID)
			continue
		}
		r := &activator{ActivatorPod: p, soon: make(chan struct{}, 1)}
		a.readers[p.UID] = r
		a.start(r)
	}
	for uid, r := range gone {
		if r.cancel != nil {
			r.cancel()
		}
		if a.readers[uid] == r {
			delete(a.readers, uid)
		}
	}
}

// run reads until ctx ends.
func (a *activators) run(ctx context.Context) {
	a.mu.Lock()
	a.ctx = ctx
	for _, r := range a.readers {
		a.start(r)
	}
	a.mu.Unlock()
	<-ctx.Done()
	a.wg.Wait()
}

// start begins to read one activator; a.mu is held.
func (a *activators) start(r *activator) {
	if a.ctx == nil || a.ctx.Err() != nil || r.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(a.ctx)
	r.cancel = cancel
	address := net.JoinHostPort(r.IP, strconv.Itoa(a.port))
	a.wg.Go(func() { a.follow(ctx, r, address) })
}

// follow reads one activator again and again.
func (a *activators) follow(ctx context.Context, r *activator, address string) {
	conn := httpget.New(a.dial, address, "/metrics", "User-Agent: "+userAgent+"\r\nAccept: text/plain;version=0.0.4\r\nAccept-Encoding: identity\r\n")
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	defer conn.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var costs []time.Duration
	var ended time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.soon:
			timer.Reset(a.pause(costs) - time.Since(ended))
			continue
		case <-timer.C:
		}
		began := time.Now()
		page, err := a.read(conn)
		ended = time.Now()
		if ctx.Err() != nil {
			return
		}
		for _, rev := range a.store(r, page, err) {
			a.changed(rev)
		}
		if err != nil {
			costs = nil
		} else {
			costs = append(costs[max(0, len(costs)-costReadings+1):], ended.Sub(began))
		}
		timer.Reset(a.pause(costs))
	}
}

// pause is the time between two readings, by what the last good ones took; none after a
// failure.
func (a *activators) pause(costs []time.Duration) time.Duration {
	hurried := a.hurried.Load()
	fast := a.fast.Load() || hurried != 0 && a.now().Sub(time.Unix(0, hurried)) < 2*slowActivator
	if len(costs) == 0 || !fast {
		return slowActivator
	}
	return min(fastReading(slices.Min(costs)), slowActivator)
}

// fastReading is the time between two readings while a revision waits for its first pod;
// cost is how long one reading takes.
func fastReading(cost time.Duration) time.Duration { return max(fastActivator, activatorDuty*cost) }

// hurry has the activators read fast from now on: a revision lost its last pod.
func (a *activators) hurry() {
	a.hurried.Store(a.now().UnixNano())
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.readers {
		select {
		case r.soon <- struct{}{}:
		default:
		}
	}
}

// read reads one page.
func (a *activators) read(conn *httpget.Connection) (page activatorPage, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			page, err = activatorPage{}, failed(causePanic, "reading the activator: %v", cause)
		}
	}()
	var response httpget.Response
	if err := conn.Get(time.Now().Add(a.timeout), &response); err != nil {
		return activatorPage{}, err
	}
	defer conn.Done(&response)
	if response.Status != 200 {
		return activatorPage{}, statusFailure(&response, "redirect")
	}
	return readActivator(&response, maxActivatorPage)
}

// store keeps a reading and returns the revisions whose number of waiting requests has changed.
func (a *activators) store(r *activator, page activatorPage, err error) (changed []Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if (err == nil) != (r.err == nil) {
		if err != nil {
			a.log.Warn("cannot read how many requests wait in the activator", "pod", r.Name, "error", err)
		} else {
			a.log.Info("the activator is readable again", "pod", r.Name)
		}
	}
	r.err = err
	if err != nil {
		return nil
	}
	held := a.withoutForgotten(r, page)
	for rev, h := range held {
		if r.held[rev].queued != h.queued {
			changed = append(changed, rev)
		}
	}
	for rev, h := range r.held {
		if _, ok := held[rev]; !ok && h.queued != 0 {
			changed = append(changed, rev)
		}
	}
	r.held, r.good = held, a.now()
	return changed
}

// of is what the activators hold of a revision. It is not known while one that gets
// requests cannot be read, or there is none.
func (a *activators) of(rev Key, now time.Time) (sum activatorHeld, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.readers {
		if r.good.IsZero() || now.Sub(r.good) > activatorStale {
			if r.Ready {
				return activatorHeld{}, false
			}
			continue
		}
		known = known || r.Ready
		sum.queued += r.held[rev].queued
		sum.active += r.held[rev].active
	}
	return sum, known
}

// problem is why of is not known; nil while it is.
func (a *activators) problem() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, ready := a.now(), 0
	for _, r := range slices.SortedFunc(maps.Values(a.readers),
		func(x, y *activator) int { return cmp.Compare(x.Name, y.Name) }) {
		if !r.Ready {
			continue
		}
		ready++
		switch {
		case !r.good.IsZero() && now.Sub(r.good) <= activatorStale:
		case r.err == nil:
			return fmt.Errorf("the metrics of activator pod %s were not read yet", r.Name)
		case errors.Is(r.err, syscall.ECONNREFUSED):
			return fmt.Errorf("activator pod %s serves no metrics: %w", r.Name, errNoActivatorMetrics)
		default:
			return fmt.Errorf("the metrics of activator pod %s cannot be read: %w", r.Name, r.err)
		}
	}
	if ready == 0 {
		return errors.New("no activator pod is Ready")
	}
	return nil
}

var errNoActivatorMetrics = errors.New("connection refused at port " + strconv.Itoa(activatorPort))

// ownQueues are the queues in front of a revision that are no picker's; r.mu is held.
func (r *revision) ownQueues() []queueShare {
	if r.spec.EngineOnly {
		return nil
	}
	return []queueShare{{source: activatorQueue{r.c.activators, r.key}, part: 1}}
}

// podless reports whether requests of the revision wait for its first pod, if there are any.
func (r *revision) podless() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spec.EngineOnly || r.listed.IsZero() {
		return false
	}
	for _, p := range r.pods {
		if p.serves() {
			return false
		}
	}
	return true
}

// open is the requests of a revision that are open anywhere: in the activators and
// pickers, the queue-proxies and the engines. It is NaN when one of them is not known now.
// A request on its way through the activator may count twice. r.mu is held.
func (r *revision) open(now time.Time) float64 {
	sum := 0.0
	for _, q := range r.ledger.queues {
		sum += q.part * q.waiting(now)
	}
	if !r.spec.EngineOnly {
		held, known := r.c.activators.of(r.key, now)
		if !known {
			return math.NaN()
		}
		sum += held.active
	}
	if r.lacksPicker() {
		return math.NaN()
	}
	for _, p := range r.pods {
		if p.read() {
			sum += r.load(p, now).Open
		}
	}
	return sum
}

// activatorQueue is what the activators hold of one revision, as one of the queues in
// front of it.
type activatorQueue struct {
	activators *activators
	revision   Key
}

// waiting is the requests that wait in the activators for a pod; NaN when unknown.
func (q activatorQueue) waiting(now time.Time) float64 {
	held, known := q.activators.of(q.revision, now)
	if !known {
		return math.NaN()
	}
	return held.queued
}
