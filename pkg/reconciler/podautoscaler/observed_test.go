package podautoscaler

import (
	"testing"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
)

// Every metric of the API can be the metric of Knative's hpa class, under the API's name.
func TestObserved_hpaClass(t *testing.T) {
	for metric, want := range map[string]bool{
		"concurrency": true, "requests_per_second": true, "num_requests_running": true, "num_requests_waiting": true,
		"kv_cache_usage_percent": true, "prompt_tokens_per_second": true, "generation_tokens_per_second": true,
		"ttft_p95_ms": true, "itl_p95_ms": true,
		"cpu": false, "memory": false, "rps": false, "slo": false, "": false,
	} {
		pa := autoscaler("llm-1", 1, knautoscaling.ClassAnnotationKey, knautoscaling.HPA, knautoscaling.MetricAnnotationKey, metric, knautoscaling.TargetAnnotationKey, "2000")
		if got := Observed(pa); got != want {
			t.Errorf("metric %q: observed %t, want %t", metric, got, want)
		}
	}
}
