package playground

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

const (
	// step is the real time between two moves of the world, and the age that a
	// pod's page may have.
	step = 50 * time.Millisecond
	// reportEvery is how often a queue-proxy renews its report.
	reportEvery = time.Second
)

// revision is the one that the playground serves.
var revision = collector.Key{Namespace: "default", Name: "playground-00001"}

// World is the fleet in time, with everything that the product reads of it. It
// is safe for concurrent use.
type World struct {
	log       *slog.Logger
	collector *collector.Collector
	// podPages is where the pods' pages are served.
	podPages net.Listener
	scaler   *multiscaler.MultiScaler

	mu      sync.Mutex
	fleet   *simulator.Fleet
	load    load
	control Control
	policy  simulator.Policy // of the present control; nil while the real loop decides
	asked   time.Duration
	// The simulated time is base, and the real time since began times the speed.
	began     time.Time
	base      time.Duration
	created   map[string]time.Time
	addresses map[string]string
	addressed int // addresses that were given away
	pods      []collector.Pod
	counted   map[string]float64 // requests per pod at the last report
	reported  time.Duration
	stats     map[string]asmetrics.Stat
	last      decider.Observation
	want      simulator.Want
	record    multiscaler.Record // of the real loop
	err       error

	pagesMu sync.RWMutex
	pages   pages
}

// NewWorld builds a playground that does not run yet.
func NewWorld(c Control, log *slog.Logger) (*World, error) {
	w := &World{log: log, created: map[string]time.Time{}, addresses: map[string]string{},
		counted: map[string]float64{}, stats: map[string]asmetrics.Stat{}}
	if err := c.validate(); err != nil {
		return nil, err
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if w.fleet, err = simulator.NewFleet(cfg); err != nil {
		return nil, fmt.Errorf("playground: %w", err)
	}
	if w.podPages, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("playground: pods' pages: %w", err)
	}
	w.collector = collector.New(collector.Options{Log: log,
		Dial: dialTo(w.podPages.Addr().String())})
	w.load = load{rng: trace.Stream(1, "playground")}
	w.began = time.Now()
	return w, w.Set(c)
}

// Run moves the world and its parts until ctx ends.
func (w *World) Run(ctx context.Context) error {
	server := &http.Server{Handler: http.HandlerFunc(w.servePod), ReadHeaderTimeout: 5 * time.Second}
	defer server.Close()
	go func() { _ = server.Serve(w.podPages) }()

	w.scaler = multiscaler.New(ctx, multiscaler.Options{Observer: observer{w}, Scales: scales{w}, Log: w.log}, w.decided)
	w.collector.Notify(w.scaler.Poke)
	done := make(chan struct{})
	go func() { w.collector.Run(ctx); close(done) }()
	defer func() { <-done }()

	w.watch()
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if err := w.move(now); err != nil {
				return err
			}
		}
	}
}

// Now is the simulated time.
func (w *World) Now() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fleet.Now()
}

// dialTo sends every connection to one address, whatever was asked for: the
// requests keep their Host, which names the pod.
func dialTo(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}

// move advances the world to a real time.
func (w *World) move(now time.Time) error {
	w.mu.Lock()
	err := cmp.Or(w.err, w.advance(w.clock(now)))
	changed := w.follow(now)
	pods, live := w.pods, w.policy == nil
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("playground: %w", err)
	}
	if changed {
		w.collector.SetPods(revision, pods)
	}
	if live {
		w.ensure()
	}
	return nil
}

// clock is the simulated time of a real one; w.mu is held.
func (w *World) clock(now time.Time) time.Duration {
	return w.base + time.Duration(float64(now.Sub(w.began))*w.control.Speed)
}

// advance submits what arrives until then, and lets a policy decide that is
// not the real loop; w.mu is held.
func (w *World) advance(to time.Duration) error {
	for w.policy != nil && w.asked+w.policy.Period() <= to {
		w.asked += w.policy.Period()
		if err := w.submit(w.asked); err != nil {
			return err
		}
		if err := w.ask(); err != nil {
			return err
		}
	}
	if err := w.submit(to); err != nil {
		return err
	}
	var err error
	w.last, err = w.fleet.Observe(to)
	return err
}

func (w *World) submit(to time.Duration) error {
	for _, q := range w.load.until(to) {
		if err := w.fleet.Submit(q); err != nil {
			return err
		}
	}
	return nil
}

// ask lets the chosen policy decide on the fleet's own observation, or on the
// collector's in real time.
func (w *World) ask() error {
	o, err := w.fleet.Observe(w.asked)
	if err != nil {
		return err
	}
	if w.control.Speed == 1 {
		measured, ok := w.collector.Observe(revision)
		if !ok {
			return nil
		}
		measured.Replicas, measured.Queued = o.Replicas, o.Queued
		o = measured
	}
	if w.want, err = w.policy.Want(o); err != nil {
		return err
	}
	w.want.Replicas = min(max(w.want.Replicas, 1), w.control.Max) // as the autoscalers' own bounds would
	return w.fleet.Scale(w.want.Replicas)
}

// ensure keeps the real loop in step with the controls and acts on its decision.
func (w *World) ensure() {
	w.mu.Lock()
	spec, replicas := w.control.spec(), w.last.Replicas
	w.mu.Unlock()
	w.act(w.scaler.Ensure(revision, spec, replicas))
}

// decided is called when the real loop has something new.
func (w *World) decided(r collector.Key) {
	if record, ok := w.scaler.Last(r); ok {
		w.act(record)
	}
}

func (w *World) act(record multiscaler.Record) {
	if record.Time.IsZero() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.policy != nil {
		return
	}
	w.record = record
	w.want = simulator.Want{Replicas: record.Decision.Replicas, Why: record.Decision.String()}
	if record.Decision.Replicas != w.last.Replicas {
		w.err = w.fleet.Scale(record.Decision.Replicas)
	}
}

// observer adds what a cluster's activator would know to the collector's view.
type observer struct{ w *World }

func (o observer) Observe(r collector.Key) (decider.Observation, bool) {
	obs, ok := o.w.collector.Observe(r)
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	obs.Queued = o.w.last.Queued
	return obs, ok
}

// scales answers for the Deployment.
type scales struct{ w *World }

func (s scales) Replicas(collector.Key) (int32, bool) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.w.last.Replicas, true
}
