//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// The class as Knative users know it: load grows the revision, no load shrinks
// it to its minimum, and the PodAutoscaler says so as Knative's own class does.
func TestClassScalesUpAndDownByConcurrency(t *testing.T) {
	t.Parallel()
	s := simulator(t, namespaceFor(t), "updown", annotations{"target": "2", "max-scale": "4"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	r := s.current()

	clients := s.clients(load.Shape{Prompt: 4, Tokens: 20}, 12)
	r.waitReplicas(settle, "scaled up", atLeast(4))
	r.waitPods(settle, 4)
	eventually(t, 10*time.Second, "status says 4 of 4", func() (bool, string) {
		st := r.pa().Status
		return st.GetDesiredScale() == 4 && st.GetActualScale() == 4, s.state()
	})
	pa := r.pa()
	if !pa.IsReady() || !pa.Status.IsActive() || !pa.Status.IsScaleTargetInitialized() {
		t.Errorf("conditions under load: %s", s.state())
	}
	if pa.Status.ServiceName != r.revision || pa.Status.MetricsServiceName == "" {
		t.Errorf("status.serviceName = %q, metricsServiceName = %q", pa.Status.ServiceName, pa.Status.MetricsServiceName)
	}
	expectServeMode(t, r)
	reason, why := r.why()
	if !strings.Contains(why, "concurrency is ") || reason == "" {
		t.Errorf("condition Scaling = %s %q, want the sentence about concurrency", reason, why)
	}
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Normal Scaled", "concurrency is ", " and needs ")

	report := clients.Stop()
	if report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
	r.waitReplicas(2*settle, "scaled down to its minimum", exactly(1))
	if c := r.pa().Status.GetCondition("ScaleToZero"); c == nil || !c.IsFalse() || c.Reason != "OnePodKept" {
		t.Errorf("no condition says that one pod is kept: %s", s.state())
	}
	always(t, 5*time.Second, "stays at one", func() (bool, string) { return r.replicas() == 1, s.state() })
}

// expectServeMode holds the activator out of the path, as Knative's hpa class does.
func expectServeMode(t *testing.T, r revision) {
	t.Helper()
	sks, err := cluster.dynamic.Resource(serverlessServices).Namespace(r.namespace).Get(t.Context(), r.revision, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mode, _, _ := unstructured.NestedString(sks.Object, "spec", "mode"); mode != "Serve" {
		t.Errorf("the ServerlessService is in mode %q, want Serve", mode)
	}
}

// Knative's own knobs keep their meaning: the first request lifts the revision
// to its activation scale, and scale-down-delay holds it there after the last.
func TestActivationScaleAndScaleDownDelay(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	const delay = 20 * time.Second
	s := simulator(t, namespaceFor(t), "knobs", annotations{"target": "10", "activation-scale": "3", "scale-down-delay": delay.String(), "window": "6s"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	r := s.current()
	clients := s.clients(load.Shape{Prompt: 4, Tokens: 20}, 1)
	r.waitReplicas(settle, "lifted to the activation scale", exactly(3))
	clients.Stop()
	idle := time.Now()
	r.waitReplicas(2*settle, "scaled down", exactly(1))
	if held := time.Since(idle); held < delay-2*time.Second {
		t.Errorf("held for %v after the last request, want scale-down-delay %v", held, delay)
	}
}
