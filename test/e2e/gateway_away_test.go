//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/ptr"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// The picker of a Service that serves is gone for some seconds: its status says what clients
// see, and clients see what the status says.
func TestGatewayPickerAway(t *testing.T) {
	t.Parallel()
	needGateway(t)
	s := simulator(t, namespaceFor(t), "unpicked", annotations{"min-scale": "1"}, "--inter-token-latency=10ms").behindGateway(nil).start()
	s.waitCondition("Ready", "True")
	q := question{host: s.host(), model: s.model}
	q.waitServed(t)

	goesOn := testbed.Setting("IPA_GATEWAY_CLASS", "istio") == "istio"
	want := "answers inference requests with an error"
	if goesOn {
		want = "requests go on to any Ready pod"
	}
	back := s.withoutPicker()
	s.waitCondition(inference.ConditionEndpointPickerReady, "Unknown", want)
	byStatus := map[int]int{}
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		a, err := q.ask(ctx)
		cancel()
		if err != nil {
			t.Error(err)
		}
		byStatus[a.status]++
	}
	back()
	figure(t, fmt.Sprintf("%s: answers by status while the picker was away: %v", t.Name(), byStatus))
	if served := byStatus[200] > 0 && len(byStatus) == 1; served != goesOn {
		t.Errorf("answers by status %v, the status says that %s", byStatus, want)
	}
	s.waitCondition(inference.ConditionEndpointPickerReady, "True")
	q.waitServed(t)
}

// withoutPicker kills the Service's picker again and again, until back is called.
func (s *service) withoutPicker() (back func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			list, err := cluster.kube.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: inference.PickerPodKey + "=" + s.name})
			for i := 0; err == nil && i < len(list.Items); i++ {
				_ = cluster.kube.CoreV1().Pods(s.namespace).Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)})
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}
