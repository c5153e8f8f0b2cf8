package multiscaler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var rev = collector.Key{Namespace: "default", Name: "llm-00001"}

// world is one revision whose pods run a number of requests.
type world struct {
	mu       sync.Mutex
	running  float64
	replicas int32
	// concurrency is unknown while it is 0; ready is 1 while it is 0.
	concurrency float64
	ready       int32
	observed    bool
	changes     int
	readyAfter  time.Duration
}

func (w *world) Observe(collector.Key) (decider.Observation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	unknown := decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()}
	concurrency := unknown
	if w.concurrency > 0 {
		concurrency = decider.Windowed{Stable: decider.Reading(w.concurrency), Panic: decider.Reading(w.concurrency)}
	}
	return decider.Observation{
		Time: time.Now(), Ready: max(1, w.ready), Concurrency: concurrency, RPS: unknown, InFlight: decider.Unknown(),
		Pods: []decider.Pod{{
			Name: "a", Phase: decider.Ready, Running: decider.Reading(w.running), ReadyAfter: w.readyAfter,
		}},
	}, w.observed
}

func (w *world) Replicas(collector.Key) (int32, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.replicas, w.replicas >= 0
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) changed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes
}

func start(ctx context.Context, w *world) (*MultiScaler, *Metrics) {
	metrics := NewMetrics(prometheus.NewRegistry())
	m := New(ctx, Options{Observer: w, Scales: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: metrics},
		func(collector.Key) { w.set(func() { w.changes++ }) })
	return m, metrics
}

func spec(maxReplicas int32) decider.Spec {
	return decider.Spec{
		Targets:     []decider.Target{{Metric: decider.Running, Value: 10}},
		MinReplicas: 1, MaxReplicas: maxReplicas, Reachable: true, StableWindow: 10 * time.Second, PanicThreshold: 2,
		MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Tolerance: .1, StartupDeadline: time.Minute,
	}
}

func TestEnsure_decidesAtOnceAndOnEveryTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 1, observed: true}
		m, metrics := start(t.Context(), w)
		if got := m.Ensure(rev, spec(8), w.replicas).Decision.Replicas; got != 1 {
			t.Fatalf("first decision = %d, want 1", got)
		}
		w.set(func() { w.running = 40 })
		time.Sleep(tick)
		synctest.Wait()
		if got, _ := m.Last(rev); got.Decision.Replicas != 4 {
			t.Errorf("after a tick: %v, want 4", got.Decision)
		}
		if got := testutil.ToFloat64(metrics.desired.WithLabelValues("default", "llm-00001")); got != 4 {
			t.Errorf("ipa_desired_replicas = %v, want 4", got)
		}
	})
}

// A record has no pods, and knows how long one of them took to become Ready, also when they have gone.
func TestRecord_readyAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 1, observed: true, readyAfter: 3 * time.Second}
		m, _ := start(t.Context(), w)
		if got := m.Ensure(rev, spec(8), w.replicas); got.ReadyAfter != 3*time.Second || got.Observation.Pods != nil {
			t.Errorf("Ready after %v, pods %v; want 3 s and none", got.ReadyAfter, got.Observation.Pods)
		}
		w.set(func() { w.readyAfter = 0 })
		time.Sleep(tick)
		synctest.Wait()
		if got, _ := m.Last(rev); got.ReadyAfter != 3*time.Second {
			t.Errorf("Ready after %v when no pod says so, want the 3 s of before", got.ReadyAfter)
		}
	})
}

func TestPoke_decidesBeforeTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 1, observed: true}
		m, _ := start(t.Context(), w)
		m.Ensure(rev, spec(8), w.replicas)
		w.set(func() { w.running = 40 })
		m.Poke(rev, false)
		m.Poke(rev, false) // pokes fold into one
		time.Sleep(minDecisionInterval)
		synctest.Wait()
		if got, _ := m.Last(rev); got.Decision.Replicas != 4 {
			t.Errorf("after a poke: %v, want 4", got.Decision)
		}
	})
}

func TestRespec_keepsStateAndTakesEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 40, replicas: 1, observed: true}
		m, _ := start(t.Context(), w)
		m.Ensure(rev, spec(8), w.replicas)
		if got := m.Ensure(rev, spec(3), w.replicas).Decision.Replicas; got != 3 {
			t.Errorf("after max-scale 3: %d, want 3", got)
		}
		// The load is gone, but the want of the last stable window is kept over the edit.
		w.set(func() { w.running = 0 })
		if got := m.Ensure(rev, spec(8), w.replicas).Decision.Replicas; got != 4 {
			t.Errorf("after the second edit: %d, want the stabilised 4", got)
		}
	})
}

func TestDecide_nothingWithoutObservationOrTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 40, replicas: 1}
		m, _ := start(t.Context(), w)
		if got := m.Ensure(rev, spec(8), w.replicas); !got.Time.IsZero() {
			t.Errorf("not observed: decided %v", got.Decision)
		}
		w.set(func() { w.observed, w.replicas = true, -1 })
		m.Poke(rev, false)
		time.Sleep(tick)
		synctest.Wait()
		if got, ok := m.Last(rev); !ok || !got.Time.IsZero() {
			t.Errorf("no scale target: decided %v", got.Decision)
		}
	})
}

func TestForget_endsTheLoopAndItsSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 1, observed: true}
		m, metrics := start(t.Context(), w)
		m.Ensure(rev, spec(8), w.replicas)
		m.Forget(rev)
		synctest.Wait() // the bubble fails the test if the loop still runs at its end
		if _, ok := m.Last(rev); ok {
			t.Error("still known after Forget")
		}
		if n := testutil.CollectAndCount(metrics.desired); n != 0 {
			t.Errorf("%d series left, want 0", n)
		}
		m.Forget(rev) // twice is harmless
		m.Poke(rev, false)
	})
}

func TestNotice_untilTheScaleTargetFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 40, replicas: 1, observed: true}
		m, _ := start(t.Context(), w)
		m.Ensure(rev, spec(8), w.replicas)
		time.Sleep(3 * tick)
		synctest.Wait()
		if n := w.changed(); n < 2 {
			t.Errorf("%d notices while the scale target lags, want one a tick", n)
		}
		w.set(func() { w.replicas = 4 })
		time.Sleep(tick)
		synctest.Wait()
		before := w.changed()
		time.Sleep(5 * tick)
		synctest.Wait()
		if n := w.changed(); n != before {
			t.Errorf("%d notices after the scale target followed, want none", n-before)
		}
	})
}

// Numbers that change while count and reason stay are published once a minute; equal numbers never.
func TestNotice_ofNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 40, replicas: 4, observed: true}
		m, _ := start(t.Context(), w)
		m.Ensure(rev, spec(8), w.replicas)
		notices := func(during time.Duration) int {
			before := w.changed()
			time.Sleep(during)
			synctest.Wait()
			return w.changed() - before
		}
		notices(2 * refresh) // the first ones
		if n := notices(3 * refresh); n != 0 {
			t.Errorf("%d notices while nothing moves", n)
		}
		for i := range 3 {
			w.set(func() { w.running = 39 - float64(i)/10 })
			if n := notices(refresh + tick); n > 1 || i > 0 && n != 1 {
				t.Errorf("%d notices of new numbers within a minute, want one", n)
			}
		}
	})
}

func TestLoop_fallsOnTicksOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{replicas: 8, observed: true}
		m, _ := start(t.Context(), w)
		s := spec(8)
		s.Targets, s.PanicThreshold = []decider.Target{{Metric: decider.Concurrency, Value: 10}}, 100
		w.set(func() { w.concurrency = 80 })
		m.Ensure(rev, s, 8)
		w.set(func() { w.concurrency, w.ready = 1, 8 })
		time.Sleep(tick - time.Second) // past no tick yet
		for range 5 {
			m.Poke(rev, false)
			time.Sleep(2 * minDecisionInterval)
		}
		synctest.Wait()
		if got, _ := m.Last(rev); got.Decision.Replicas != 8 || got.Decision.Reason != decider.BetweenTicks {
			t.Errorf("samples lowered the count to %v between ticks", got.Decision)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, _ := m.Last(rev); got.Decision.Replicas != 4 {
			t.Errorf("the tick gave %v, want half of 8", got.Decision)
		}
		w.set(func() { w.replicas, w.ready = 4, 4 })
		if got := m.Ensure(rev, s, 4); got.Decision.Replicas != 4 {
			t.Errorf("the new count was lowered at once: %v", got.Decision)
		}
	})
}

// However often samples of many revisions arrive, decisions of each are spaced, and a
// sample after a pause is decided on at once.
func TestPoke_spacesDecisionsOfManyRevisions(t *testing.T) {
	tests := []struct {
		revisions   int
		least, most float64 // decisions of one revision in 10 s, besides the ticks
	}{
		{1, 400, 510}, {100, 80, 105}, {1000, 4, 12}, {3000, 4, 12},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.revisions), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := &world{running: 5, replicas: 1, observed: true}
				m, metrics := start(ctx, w)
				m.Ensure(rev, spec(8), w.replicas) // the first: it has a whole tick
				for i := range tt.revisions {
					m.runner(collector.Key{Name: fmt.Sprint(i)}) // which only count
				}
				time.Sleep(tick - time.Millisecond)
				made := func() float64 {
					return testutil.ToFloat64(metrics.decisions.WithLabelValues(string(m.runners[rev].last().Decision.Reason)))
				}
				before := made()
				m.Poke(rev, false)
				time.Sleep(minDecisionInterval)
				synctest.Wait()
				if got := made() - before; got < 1 {
					t.Errorf("no decision %v after a poke that came after a pause", minDecisionInterval)
				}
				before = made()
				for range 1000 {
					m.Poke(rev, false)
					time.Sleep(10 * time.Millisecond)
				}
				synctest.Wait()
				if got := made() - before - 5; got < tt.least || got > tt.most {
					t.Errorf("%v decisions between ticks in 10 s, want %v to %v", got, tt.least, tt.most)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// A burst is decided on within an eighth of the spacing, also while a poke without one waits.
func TestPoke_burstsAreDecidedOnSooner(t *testing.T) {
	tests := []struct {
		name  string
		pokes []bool // with a burst or without, 5 ms apart
		after time.Duration
		want  bool
	}{
		{"without a burst", []bool{false}, 900 * time.Millisecond, false},
		{"with a burst", []bool{true}, 130 * time.Millisecond, true},
		{"a burst while a poke waits", []bool{false, true}, 130 * time.Millisecond, true},
		{"not before an eighth of a second", []bool{true, true}, 110 * time.Millisecond, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := &world{running: 5, replicas: 1, observed: true}
				m, _ := start(ctx, w)
				m.Ensure(rev, spec(8), w.replicas) // the first: it has a whole tick
				for i := range 999 {
					m.runner(collector.Key{Name: fmt.Sprint(i)}) // which only count
				}
				time.Sleep(tick) // a decision now, the next tick in two seconds
				synctest.Wait()
				decided := time.Now()
				for _, burst := range tt.pokes {
					m.Poke(rev, burst)
					time.Sleep(5 * time.Millisecond)
				}
				time.Sleep(tt.after - time.Since(decided))
				synctest.Wait()
				if got := m.runners[rev].last().Time.After(decided); got != tt.want {
					t.Errorf("decided within %v: %v, want %v", tt.after, got, tt.want)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}
