package inferencepool

import (
	"context"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// Waker is asked for revisions that other autoscalers scale.
type Waker interface {
	// Leads reports whether this process acts for what has the key.
	Leads(key collector.Key) bool
	// Wake sends one request to the Service of a revision, as a client would, and returns
	// when it was answered or ctx ends.
	Wake(ctx context.Context, r collector.Key) error
}

// wakeOthers wakes revisions of other autoscalers that have no Ready pod and that requests in
// a picker of ours wait for. Those autoscalers do not read pickers: what they see is a
// request at the revision's Service, which Knative's activator holds until the first
// pod is Ready. Of an unknown queue nobody is woken.
func (w *Watcher) wakeOthers(ctx context.Context, pools []Pool) {
	for _, p := range pools {
		w.guard(p.Key(), func() {
			if len(p.Serves) == 0 || !w.o.Waker.Leads(p.pickerKey()) || w.hasReadyPod(p) ||
				!(w.o.Collector.WaitingIn(p.pickerKey(), p.NegativeWaits) > 0) {
				return
			}
			for name := range p.Serves {
				if r := (collector.Key{Namespace: p.Namespace, Name: name}); !w.o.Observed(r) {
					w.wake(ctx, r)
				}
			}
		})
	}
}

// hasReadyPod reports whether any pod takes the pool's requests.
func (w *Watcher) hasReadyPod(p Pool) bool {
	pods, err := w.o.Knative.Pods(p.Namespace).List(labels.SelectorFromSet(p.Selector))
	if err != nil {
		return true // a lister of a cache does not fail
	}
	_, ready := count(p.Namespace, pods, isReady)
	return ready > 0
}

// wake asks for a revision unless a request of ours is open there already. It stays open
// as long as the start takes: without it the other autoscaler would go back to zero.
func (w *Watcher) wake(ctx context.Context, r collector.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waking[r] {
		return
	}
	w.waking[r] = true
	w.wakes.Go(func() {
		if err := w.o.Waker.Wake(ctx, r); err != nil {
			w.o.Log.Debug("cannot wake a revision of another autoscaler", "namespace", r.Namespace, "revision", r.Name, "error", err)
		} else {
			w.o.Log.Info("woke a revision of another autoscaler, because requests wait for it in an endpoint picker", "namespace", r.Namespace, "revision", r.Name)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waking, r)
	})
}
