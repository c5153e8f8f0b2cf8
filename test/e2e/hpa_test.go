//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// Knative's own hpa class on a metric of ours: the real HPA controller reads
// our API and scales. Requests are real; the simulator's cache fills.
func TestHPAClassScalesOnOurMetric(t *testing.T) {
	t.Parallel()
	s := simulator(t, namespaceFor(t), "hpa", annotations{
		"class": "hpa.autoscaling.knative.dev", "metric": "kv_cache_usage_percent", "target": "70", "min-scale": "1", "max-scale": "3",
	}, "--inter-token-latency=50ms", "--max-num-seqs=7", "--enable-kvcache=true", "--kv-cache-size=200", "--block-size=16").start()
	r := s.current()
	clients := s.clients(load.Shape{Prompt: 400, Tokens: 40}, 10)
	r.waitReplicas(2*settle, "scaled up by the HPA controller", atLeast(2))
	hpa := r.hpa()
	if c := hpaCondition(hpa, autoscalingv2.ScalingActive); c.Status != corev1.ConditionTrue || c.Reason != "ValidMetricFound" {
		t.Errorf("ScalingActive = %s (%s: %s), want True, ValidMetricFound", c.Status, c.Reason, c.Message)
	}
	t.Logf("HPA: %s", hpaState(hpa))
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
	eventually(t, 5*settle, "scaled down by the HPA controller", func() (bool, string) {
		return r.replicas() == 1, hpaState(r.hpa())
	})
}

func (r revision) hpa() *autoscalingv2.HorizontalPodAutoscaler {
	r.t.Helper()
	hpa, err := cluster.kube.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).Get(r.t.Context(), r.revision, metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return hpa
}

func hpaCondition(h *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType) autoscalingv2.HorizontalPodAutoscalerCondition {
	for _, c := range h.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return autoscalingv2.HorizontalPodAutoscalerCondition{}
}

func hpaState(h *autoscalingv2.HorizontalPodAutoscaler) string {
	text := fmt.Sprintf("current %d, desired %d", h.Status.CurrentReplicas, h.Status.DesiredReplicas)
	for _, m := range h.Status.CurrentMetrics {
		if m.Pods != nil {
			text += fmt.Sprintf(", %s %s", m.Pods.Metric.Name, m.Pods.Current.AverageValue)
		}
	}
	for _, c := range h.Status.Conditions {
		text += fmt.Sprintf("; %s=%s %s (%s)", c.Type, c.Status, c.Reason, c.LastTransitionTime.Format(time.TimeOnly))
	}
	return text
}
