package multiscaler

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Any number of loops fill a tick evenly, and one alone has a whole one.
func TestSpread(t *testing.T) {
	if got := spread(0); got != tick {
		t.Errorf("the first loop ticks after %v, want %v", got, tick)
	}
	for _, loops := range []int{10, 100, 1000, 10_000} {
		var tenths [10]int
		for n := range loops {
			at := spread(n)
			if at <= 0 || at > tick {
				t.Fatalf("loop %d ticks after %v, want more than 0 and at most %v", n, at, tick)
			}
			tenths[(at-1)*10/tick]++
		}
		for i, got := range tenths {
			if got < loops/10-1 || got > loops/10+loops/50+1 {
				t.Errorf("of %d loops %d tick in tenth %d of a tick", loops, got, i)
			}
		}
	}
}

// Loops that begin together decide one after another, each once in a tick.
func TestLoops_takeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const loops = 20
		w := &turns{world: world{running: 5, replicas: 1, observed: true}, at: map[collector.Key][]time.Time{}}
		m, _ := start(t.Context(), &w.world)
		m.Observer = w
		for n := range loops {
			m.Ensure(collector.Key{Kind: rev.Kind, Namespace: rev.Namespace, Name: fmt.Sprint("llm-", n)}, spec(8), 1)
		}
		time.Sleep(time.Millisecond)
		w.clear()
		time.Sleep(10 * tick)
		synctest.Wait()
		moments := map[time.Time]int{}
		for r, at := range w.at {
			if len(at) < 9 || len(at) > 11 {
				t.Errorf("%v was decided on %d times in 10 ticks", r, len(at))
			}
			for _, moment := range at {
				moments[moment]++
			}
		}
		for moment, n := range moments {
			if n > 1 {
				t.Errorf("%d decisions at %s", n, moment.Format(time.StampMilli))
			}
		}
	})
}

// turns notes when each revision was observed.
type turns struct {
	world
	seen sync.Mutex
	at   map[collector.Key][]time.Time
}

func (w *turns) Observe(r collector.Key) (decider.Observation, bool) {
	w.seen.Lock()
	w.at[r] = append(w.at[r], time.Now())
	w.seen.Unlock()
	return w.world.Observe(r)
}

func (w *turns) clear() {
	w.seen.Lock()
	defer w.seen.Unlock()
	clear(w.at)
}
