//go:build e2e

package e2e

import (
	"context"
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// editConfig sets keys of a config map until the test ends.
func editConfig(t *testing.T, namespace, name string, keys map[string]string) {
	t.Helper()
	var before map[string]string
	setData(t, namespace, name, func(data map[string]string) map[string]string {
		before = maps.Clone(data)
		edited := maps.Clone(data)
		if edited == nil {
			edited = map[string]string{}
		}
		maps.Copy(edited, keys)
		return edited
	})
	t.Cleanup(func() { setData(t, namespace, name, func(map[string]string) map[string]string { return before }) })
}

func setData(t *testing.T, namespace, name string, change func(map[string]string) map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), slowness*30*time.Second)
	defer cancel()
	maps := cluster.kube.CoreV1().ConfigMaps(namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cm, err := maps.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		cm.Data = change(cm.Data)
		_, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatalf("editing %s/%s: %v", namespace, name, err)
	}
}

// knative-serving's config-autoscaler is followed live: a new max-scale-up-rate
// bounds the next burst, the old one lets it go in one step again.
func TestConfigAutoscalerIsFollowedLive(t *testing.T) {
	s := simulator(t, namespaceFor(t), "live", annotations{"target": "2", "target-utilization-percentage": "100"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	r := s.current()
	shape := load.Shape{Prompt: 4, Tokens: 40}
	t.Run("max-scale-up-rate 2", func(t *testing.T) {
		editConfig(t, "knative-serving", "config-autoscaler", map[string]string{"max-scale-up-rate": "2"})
		time.Sleep(3 * time.Second) // the edit takes effect within seconds
		h, start := r.watchReplicas(), time.Now()
		clients := s.clients(shape, 12)
		r.waitReplicas(settle, "scaled up", exactly(6))
		clients.Stop()
		all := h.since(start)
		for i := 1; i < len(all); i++ {
			if all[i].replicas > 2*all[i-1].replicas {
				t.Errorf("a step from %d to %d beyond max-scale-up-rate 2: %v", all[i-1].replicas, all[i].replicas, h)
			}
		}
	})
	r.waitReplicas(2*settle, "scaled down", exactly(1))
	h, start := r.watchReplicas(), time.Now()
	clients := s.clients(shape, 12)
	r.waitReplicas(settle, "scaled up", exactly(6))
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
	t.Logf("with the default rate again: %v", h.since(start))
}

// Our own config-ipa is followed live: the default target of a metric without one.
func TestConfigIPAIsFollowedLive(t *testing.T) {
	s := standIn(t, namespaceFor(t), "own", annotations{"metric": "num_requests_waiting"}).start()
	r := s.current()
	first := r.readyPods()[0]
	s.tell(first, page{Waiting: 9})
	r.waitReplicas(settle, "9 waiting of the default 5 want 2", exactly(2))
	editConfig(t, ownNamespace, "config-ipa", map[string]string{"num-requests-waiting-target-default": "3"})
	r.waitReplicas(10*time.Second, "9 waiting of 3 want 3", exactly(3))
	r.waitWhy("(target 3 per replica) and needs 3 replicas")
}
