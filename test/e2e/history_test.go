//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// change is one value of spec.replicas and when the API server reported it.
type change struct {
	at       time.Time
	replicas int32
}

// history holds every value that spec.replicas of one Deployment took.
type history struct {
	mu      sync.Mutex
	changes []change
	woken   chan struct{} // closed and replaced at each change
}

// watchReplicas records spec.replicas of the revision until the test ends.
func (r revision) watchReplicas() *history {
	r.t.Helper()
	h := &history{woken: make(chan struct{})}
	h.add(r.replicas())
	go h.run(r.t.Context(), r.namespace, r.revision+"-deployment")
	return h
}

func (h *history) run(ctx context.Context, namespace, name string) {
	for ctx.Err() == nil {
		w, err := cluster.kube.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(),
		})
		if err != nil {
			time.Sleep(time.Second / 2)
			continue
		}
		h.follow(w)
	}
}

func (h *history) follow(w watch.Interface) {
	defer w.Stop()
	for event := range w.ResultChan() {
		if d, ok := event.Object.(*appsv1.Deployment); ok && event.Type != watch.Deleted {
			h.add(*d.Spec.Replicas)
		}
	}
}

func (h *history) add(n int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.changes) > 0 && h.changes[len(h.changes)-1].replicas == n {
		return
	}
	h.changes = append(h.changes, change{time.Now(), n})
	close(h.woken)
	h.woken = make(chan struct{})
}

// since returns the value at t and all later ones.
func (h *history) since(t time.Time) []change {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := 0
	for i, c := range h.changes {
		if !c.at.After(t) {
			first = i
		}
	}
	return append([]change(nil), h.changes[first:]...)
}

// wait returns the first change after t that is at least n, and how long after t it was.
func (h *history) wait(ctx context.Context, t time.Time, n int32) (time.Duration, error) {
	for {
		h.mu.Lock()
		woken := h.woken
		h.mu.Unlock()
		for _, c := range h.since(t) {
			if c.replicas >= n {
				return max(c.at.Sub(t), 0), nil
			}
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return 0, fmt.Errorf("spec.replicas never reached %d: %v", n, h)
		}
	}
}

// String says the values in order: "1 2 6 (+0.9s +1.2s)".
func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var parts []string
	for _, c := range h.changes {
		parts = append(parts, fmt.Sprintf("%d@%s", c.replicas, c.at.Format("05.0")))
	}
	return strings.Join(parts, " ")
}

// fell returns the first fall since t, if there was one.
func (h *history) fell(t time.Time) (from, to change, ok bool) {
	all := h.since(t)
	for i := 1; i < len(all); i++ {
		if all[i].replicas < all[i-1].replicas {
			return all[i-1], all[i], true
		}
	}
	return change{}, change{}, false
}

// peak returns the largest value since t.
func (h *history) peak(t time.Time) int32 {
	var n int32
	for _, c := range h.since(t) {
		n = max(n, c.replicas)
	}
	return n
}
