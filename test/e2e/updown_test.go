//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

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
	reason, why := r.why()
	if !strings.Contains(why, "concurrency=") || reason == "" {
		t.Errorf("condition Scaling = %s %q, want the why-line of concurrency", reason, why)
	}
	waitEvent(t, s.namespace, "PodAutoscaler", r.revision, "Normal Scaled", "concurrency=", "wants")

	report := clients.Stop()
	if report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
	r.waitReplicas(2*settle, "scaled down to its minimum", exactly(1))
	always(t, 5*time.Second, "stays at one", func() (bool, string) { return r.replicas() == 1, s.state() })
}
