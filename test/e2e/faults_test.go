//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// One of three engines goes bad in a way that the simulator cannot show, so the
// stand-in does. The revision keeps its replicas, and the load of the other two
// still scales it up. A page that is unknown is idle on the way up: 2 x 10
// waiting of 4 is five replicas.
func TestOneBadEngineOfThree(t *testing.T) {
	t.Parallel()
	namespace := namespaceFor(t)
	for _, mode := range []string{"garbage", "hang"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r, pods := threeBusyEngines(t, namespace, mode)
			h := r.watchReplicas()
			start := time.Now()
			r.tell(pods[2], page{Mode: mode})
			always(t, 12*time.Second, "nothing scales down", func() (bool, string) { return r.replicas() >= 3, r.state() })
			r.tell(pods[0], page{Waiting: 10})
			r.tell(pods[1], page{Waiting: 10})
			r.waitReplicas(settle, "the others still scale up", atLeast(5))
			always(t, 5*time.Second, "and no further than they ask", func() (bool, string) { return r.replicas() == 5, r.state() })
			if from, to, fell := h.fell(start); fell {
				t.Errorf("scaled down from %d to %d while an engine was unknown: %v", from.replicas, to.replicas, h)
			}
		})
	}
}

// threeBusyEngines returns a revision of three stand-in engines whose load asks for three.
func threeBusyEngines(t *testing.T, namespace, name string) (revision, []corev1.Pod) {
	s := standIn(t, namespace, name, annotations{
		"metric": "num_requests_waiting", "target": "4", "initial-scale": "3", "max-scale": "8",
	}).start()
	r := s.current()
	r.waitPods(settle, 3)
	pods := r.readyPods()
	for _, p := range pods {
		s.tell(p, page{Waiting: 4})
	}
	always(t, 3*time.Second, "three engines hold three replicas", func() (bool, string) { return r.replicas() == 3, r.state() })
	return r, pods
}

// The page of one engine of three is well formed and absurd: 1e12 requests
// waiting. max-scale-up-rate, which only the cluster's config map can set, bounds
// every step to twice the Ready pods. Not parallel: it edits config-autoscaler.
func TestAbsurdPageStaysWithinMaxScaleUpRate(t *testing.T) {
	onlyInFull(t)
	namespace := namespaceFor(t)
	r, pods := threeBusyEngines(t, namespace, "absurd")
	editConfig(t, "knative-serving", "config-autoscaler", map[string]string{"max-scale-up-rate": "2"})
	time.Sleep(3 * time.Second) // the edit takes effect within seconds
	h := r.watchReplicas()
	start := time.Now()
	r.tell(pods[2], page{Mode: "absurd"})
	ready := int32(len(r.readyPods()))
	always(t, 12*time.Second, "no step beyond twice the Ready pods, nothing down", func() (bool, string) {
		n := r.replicas()
		ok := n >= 3 && n <= 2*ready
		ready = max(ready, int32(len(r.readyPods())))
		return ok, fmt.Sprintf("%d replicas of %d Ready; %s", n, ready, r.state())
	})
	r.tell(pods[0], page{Waiting: 10})
	r.tell(pods[1], page{Waiting: 10})
	r.waitReplicas(settle, "the others still scale up", atLeast(5))
	if from, to, fell := h.fell(start); fell {
		t.Errorf("scaled down from %d to %d: %v", from.replicas, to.replicas, h)
	}
}
