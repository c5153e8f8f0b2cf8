package inferencepool

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// wakers count the requests that are sent to Services of revisions.
type wakers struct {
	follows bool
	sent    map[string]int
	answers chan error
}

func (r *recorder) Leads(collector.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.wakers.follows
}

func (r *recorder) Wake(ctx context.Context, rev collector.Key) error {
	r.mu.Lock()
	r.wakers.sent[rev.Name]++
	r.mu.Unlock()
	select {
	case err := <-r.wakers.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *recorder) WaitingIn(_ collector.Key, waking bool) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waking {
		return r.waiting - r.negative
	}
	return r.waiting
}

func (w *world) wantSent(t *testing.T, when string, want int) {
	t.Helper()
	w.recorder.mu.Lock()
	defer w.recorder.mu.Unlock()
	if got := w.wakers.sent["kpa-1"]; got != want {
		t.Errorf("%s: %d requests were sent to kpa-1, want %d", when, got, want)
	}
}

// A revision of another autoscaler is woken by one request at a time for as long as requests
// wait for it and it has no Ready pod; ours is not, nor by what nobody knows.
func TestWatcher_wakesOthers(t *testing.T) {
	pool := Pool{Namespace: "team", Name: "llm", Selector: map[string]string{"app": "none"},
		Labels: map[string]string{"app.kubernetes.io/managed-by": inference.ManagedBy}, Serves: map[string]float64{"kpa-1": 1}}
	waits := func(w *world, n, negative float64) func() {
		return func() {
			w.recorder.mu.Lock()
			defer w.recorder.mu.Unlock()
			w.waiting, w.negative = n, negative
		}
	}
	story(t, func(t *testing.T) *world { return newWorld(t, knative("a", "kpa-1")) }, func(t *testing.T, w *world) {
		w.set(func() { w.pools = []Pool{pool} })
		w.wantSent(t, "nothing waits", 0)
		w.set(waits(w, math.NaN(), 0))
		w.wantSent(t, "unknown", 0)
		w.set(func() { w.observed["kpa-1"] = true; waits(w, 3, 3)() })
		w.wantSent(t, "our own class", 0)
		w.set(func() { w.observed["kpa-1"] = false; pool.NegativeWaits = true; w.pools = []Pool{pool} })
		w.wantSent(t, "a negative priority that wakes nobody", 0)
		w.set(func() { w.wakers.follows = true; waits(w, 4, 3)() })
		w.wantSent(t, "another process acts", 0)
		w.set(func() { w.wakers.follows = false })
		w.wantSent(t, "one waits", 1)
		for range 30 {
			w.set(func() {}) // 2 s
		}
		w.wantSent(t, "the start takes a minute", 1)
		w.wakers.answers <- errors.New("refused")
		w.set(func() {})
		w.wantSent(t, "the request failed, and one waits still", 2)
		w.wakers.answers <- nil
		w.set(func() { pool.Selector = map[string]string{"app": "vllm"}; w.pools = []Pool{pool} })
		sent := w.wakers.sent["kpa-1"]
		w.set(func() {})
		w.wantSent(t, "a pod is Ready", sent)
	})
}
