package multiscaler

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// faulty is an Observer with a fault that comes and goes while loops run.
type faulty struct {
	*world
	fault atomic.Pointer[func(collector.Key)]
}

func (f *faulty) Observe(r collector.Key) (decider.Observation, bool) {
	if fault := f.fault.Load(); fault != nil {
		(*fault)(r)
	}
	return f.world.Observe(r)
}

// breaks makes every observation run the fault first; heal ends that.
func (f *faulty) breaks(fault func(collector.Key)) { f.fault.Store(&fault) }
func (f *faulty) heal()                            { f.fault.Store(nil) }

// poison panics for one revision, as a bug on that revision's data would.
func poison(r collector.Key) {
	if r == rev {
		panic("index out of range [3]")
	}
}

// A panic on one revision's data keeps that revision's count, says why, and leaves the
// others alone.
func TestDecide_panicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := collector.Key{Namespace: "default", Name: "other-00001"}
		w := &world{running: 5, replicas: 3, observed: true}
		m, metrics := start(t.Context(), w)
		o := &faulty{world: w}
		m.Observer = o
		o.breaks(poison)
		got := m.Ensure(rev, spec(8), w.replicas)
		if got.Decision.Replicas != 3 || got.Decision.Reason != InternalError || got.Failure != "index out of range [3]" {
			t.Errorf("decided %+v, want 3 replicas kept because of an internal error", got)
		}
		m.Ensure(other, spec(8), w.replicas)
		w.set(func() { w.running = 50 })
		time.Sleep(tick)
		synctest.Wait()
		if got, _ := m.Last(other); got.Decision.Replicas != 5 {
			t.Errorf("the other revision: %v, want 5", got.Decision)
		}
		if got := testutil.ToFloat64(metrics.panics.WithLabelValues("decide")); got < 2 {
			t.Errorf("ipa_panics_total = %v, want one for each try", got)
		}
		if _, stuck := m.Stuck(time.Now(), 3*tick); stuck {
			t.Error("a loop that panics does not come round")
		}
		o.heal()
		time.Sleep(tick)
		synctest.Wait()
		if got, _ := m.Last(rev); got.Decision.Replicas != 5 || got.Failure != "" {
			t.Errorf("after the repair: %+v, want 5", got)
		}
	})
}

// Each place has a series before its first panic, which increase in PromQL misses otherwise.
func TestNewMetrics_panicsStartAtZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewMetrics(reg)
	want := `# HELP ipa_panics_total Panics that the program recovered from, by where they happened. Each one is a fault of the autoscaler; the data that caused it is held as unknown.
# TYPE ipa_panics_total counter
ipa_panics_total{where="decide"} 0
ipa_panics_total{where="reconcile"} 0
ipa_panics_total{where="restore"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "ipa_panics_total"); err != nil {
		t.Error(err)
	}
}

// A state from which a decision panics is dropped, so that a restart does not end in it for good.
func TestDecide_poisonedStateIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 3, observed: true}
		m, _ := start(t.Context(), w)
		m.Restore = func(collector.Key) decider.State { return decider.State{EngineSeen: true} }
		o := &faulty{world: w}
		m.Observer = o
		o.breaks(poison)
		m.Ensure(rev, spec(8), w.replicas)
		m.States(func(_ collector.Key, state decider.State) {
			if state.EngineSeen {
				t.Error("the state is kept")
			}
		})
		m.Forget(rev)
		o.heal()
		m.Restore = func(collector.Key) decider.State { panic("stored nonsense") }
		if got := m.Ensure(rev, spec(8), w.replicas); got.Failure != "" || got.Decision.Reason == InternalError {
			t.Errorf("without the state: %+v, want a decision without history", got)
		}
	})
}

// A loop that stands still is found; the monotonic reading of its beat ignores the wall clock.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 3, observed: true}
		m, _ := start(t.Context(), w)
		o := &faulty{world: w}
		m.Observer = o
		m.Ensure(rev, spec(8), w.replicas)
		time.Sleep(time.Minute)
		synctest.Wait()
		if r, stuck := m.Stuck(time.Now(), 30*time.Second); stuck {
			t.Errorf("%v is stuck, and should not be", r)
		}
		block := make(chan struct{})
		o.breaks(func(collector.Key) { <-block })
		time.Sleep(time.Minute)
		if r, stuck := m.Stuck(time.Now(), 30*time.Second); !stuck || r != rev {
			t.Errorf("a loop that stands still for a minute is not found")
		}
		close(block)
	})
}

// A stored state that is read late replaces what was learned without it.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: 5, replicas: 3, observed: true}
		m, _ := start(t.Context(), w)
		stored := decider.State{}
		m.Restore = func(collector.Key) decider.State { return stored }
		m.Ensure(rev, spec(8), w.replicas)
		stored = decider.State{EngineSeen: true}
		m.Restart()
		seen := false
		m.States(func(_ collector.Key, state decider.State) { seen = state.EngineSeen })
		if !seen {
			t.Error("the stored state is not used")
		}
	})
}
