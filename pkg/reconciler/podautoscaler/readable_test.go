package podautoscaler

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// A metrics endpoint that cannot be read makes the condition False with the fix, and
// one event; a short failure, or one of the queue-proxy, does neither.
func TestMarkReadable(t *testing.T) {
	problem := func(cause string, age time.Duration) collector.Problem {
		return collector.Problem{Source: "engine", Cause: cause, Pods: 2, Of: 3, Pod: "p1", Message: "HTTP status 302", Since: time.Now().Add(-age)}
	}
	queue := problem("timeout", time.Hour)
	queue.Source = "queue_proxy"
	for _, tt := range []struct {
		name, reason, fix string
		problems          []collector.Problem
		settings          config.Settings
		events            int
	}{
		{"none", "EngineReadable", "", nil, config.Settings{}, 0},
		{"too large at once", "EnginePageTooLarge", "at most 2 MiB", []collector.Problem{problem("too_large", 0)}, config.Settings{}, 1},
		{"redirect", "EngineRedirects", "metrics-path", []collector.Problem{problem("redirect", time.Minute)}, config.Settings{}, 1},
		{"redirect, just now", "EngineReadable", "", []collector.Problem{problem("redirect", time.Second)}, config.Settings{}, 0},
		{"of the queue-proxy", "EngineReadable", "", []collector.Problem{queue}, config.Settings{}, 0},
		{"a web application", "EngineUnknown", "concurrency", []collector.Problem{problem("not_engine", time.Minute)}, config.Settings{}, 0},
		{"a wrong port", "EngineUnknown", "metrics-port", []collector.Problem{problem("not_engine", time.Minute)}, config.Settings{MetricsPort: 8001}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pa := &v1alpha1.PodAutoscaler{}
			pa.Namespace, pa.Name = "default", "llm-00001"
			b := newBench(t, 1)
			b.problems = tt.problems
			for range 2 {
				b.markReadable(b.ctx, pa, tt.settings)
			}
			c := pa.Status.GetCondition(autoscaling.ConditionEngineReadable)
			if c == nil || c.Reason != tt.reason || (c.Status == corev1.ConditionTrue) != (tt.fix == "") || !strings.Contains(c.Message, tt.fix) {
				t.Errorf("condition = %+v, want reason %s and a message with %q", c, tt.reason, tt.fix)
			}
			if got := len(b.events.Events); got != tt.events {
				t.Errorf("%d events, want %d", got, tt.events)
			}
			if !pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionReady).IsUnknown() {
				t.Error("Ready follows the condition")
			}
		})
	}
}
