package podautoscaler

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// A metrics endpoint that cannot be read makes the condition False with the fix, and
// one event; a short failure, or one of the queue-proxy, does neither. A readable one
// says which engine was found where, in how many pods, and what it lacks.
func TestMarkReadable(t *testing.T) {
	problem := func(cause string, age time.Duration) []collector.Problem {
		return []collector.Problem{{Source: "engine", Port: 8000, URI: "/metrics", Cause: cause, Pods: 2, Of: 3, Pod: "p1", Message: "HTTP status 302", Since: time.Now().Add(-age)}}
	}
	queue := problem("timeout", time.Hour)
	queue[0].Source = "queue_proxy"
	all := collector.Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics", Readable: 3, Ready: 3}
	some, none := all, collector.Endpoint{Port: 8000, Ready: 3}
	some.Readable = 1
	lacks := func(m ...decider.Metric) collector.Endpoint { e := all; e.Lacks = m; return e }
	on := func(m ...decider.Metric) (s config.Settings) {
		for _, m := range m {
			s.Spec.Targets = append(s.Spec.Targets, decider.Target{Metric: m})
		}
		return s
	}
	guarded := config.Settings{MetricsToken: annotations.SecretKey{Name: "llm.key", Key: "token"}}
	for _, tt := range []struct {
		name, reason string
		status       corev1.ConditionStatus
		says         []string
		problems     []collector.Problem
		endpoint     collector.Endpoint
		settings     config.Settings
		events       int
	}{
		{"all", "EngineReadable", "True", []string{"Engine vllm is read on port 8000 at /metrics in 3 of 3 Ready pods."}, nil, all, on(decider.SLO), 0},
		{"not yet", "NotReadYet", "Unknown", []string{"none of 3 Ready pods"}, nil, none, on(decider.SLO), 0},
		{"no pod", "NoPodReady", "Unknown", nil, nil, collector.Endpoint{Port: 8000}, on(decider.SLO), 0},
		{"not read", "EngineNotRead", "False", []string{"containerConcurrency is 1", "knative-inference.dev/engine"}, nil, collector.Endpoint{Ready: 1}, on(decider.RPS), 0},
		{"too large at once", "EnginePageTooLarge", "False", []string{"at most 2 MiB"}, problem("too_large", 0), none, on(decider.Concurrency), 1},
		{"redirect", "EngineRedirects", "False", []string{"port 8000, path /metrics", "2 of 3 Ready pods", "that of pod p1: HTTP status 302", "metrics-path"}, problem("redirect", time.Minute), none, config.Settings{}, 1},
		{"redirect to https", "EngineRedirects", "False", []string{"knative-inference.dev/metrics-scheme"}, problem("redirect_tls", time.Minute), none, config.Settings{}, 1},
		{"compressed by what is not read", "EngineBadPage", "False", []string{"gzip"}, problem("content_type", time.Minute), none, config.Settings{}, 1},
		{"gRPC", "EngineUnreachable", "False", []string{"knative-inference.dev/metrics-port", "HTTP"}, problem("not_http", time.Minute), none, config.Settings{}, 1},
		{"a header of 8 KiB", "EngineBadPage", "False", []string{"4 KiB"}, problem("malformed", time.Minute), none, config.Settings{}, 1},
		{"redirect, just now", "EngineReadable", "True", nil, problem("redirect", time.Second), all, config.Settings{}, 0},
		{"in some pods", "EngineUnauthorized", "False", []string{"Engine vllm is read on port 8000 at /metrics in 1 of 3 Ready pods. The metrics endpoint", "knative-inference.dev/metrics-token-secret"}, problem("unauthorized", time.Minute), some, config.Settings{}, 1},
		{"a token that is refused", "EngineUnauthorized", "False", []string{"Put the token"}, problem("token_refused", time.Minute), none, guarded, 1},
		{"a Secret without a grant, at once", "EngineTokenForbidden", "False", []string{
			"kubectl -n default create role read-llm.key --verb=get --resource=secrets --resource-name=llm.key && " +
				"kubectl -n default create rolebinding read-llm.key --role=read-llm.key --serviceaccount=knative-inference:autoscaler-adapter"},
			problem("token_forbidden", 0), none, guarded, 1},
		{"no Secret, at once", "EngineTokenMissing", "False", []string{"Create the Secret"}, problem("token_missing", 0), none, guarded, 1},
		{"no token in it, at once", "EngineTokenInvalid", "False", []string{"16384"}, problem("token_invalid", 0), none, guarded, 1},
		{"a Secret that is not read yet", "NotReadYet", "Unknown", nil, problem("token_unread", 0), none, guarded, 0},
		{"a pod that is not confirmed", "EngineTokenWithheld", "False", []string{"port 9090"}, problem("token_withheld", time.Minute), none, guarded, 1},
		{"https", "EngineSpeaksTLS", "False", []string{"metrics-scheme to https"}, problem("tls", time.Minute), none, on(decider.Concurrency), 1},
		{"of the queue-proxy", "EngineReadable", "True", nil, queue, all, config.Settings{}, 0},
		{"a web application", "EngineUnknown", "False", []string{"concurrency"}, problem("not_engine", time.Minute), none, on(decider.Concurrency, decider.RPS), 0},
		{"an unknown engine, with slo", "EngineUnknown", "False", []string{"Known engines: llama.cpp, "}, problem("not_engine", time.Minute), none, on(decider.SLO), 1},
		{"a closed port, with a metric of the engine", "EngineRefusesConnections", "False", []string{"metrics-port"}, problem("refused", time.Minute), none, on(decider.Waiting), 1},
		{"a wrong port", "EngineUnknown", "False", []string{"metrics-port"}, problem("not_engine", time.Minute), none, config.Settings{Engine: annotations.Engine{MetricsPort: 8001}}, 1},
		{"no first tokens, with slo", "EngineLacksMetric", "False", []string{"Engine vllm is read", "lacks a histogram of times to the first token", "slo-ttft"}, nil, lacks(decider.KVCache, decider.TTFTP95), on(decider.SLO), 1},
		{"no first tokens, with ttft", "EngineLacksMetric", "False", []string{"first token", "ttft_p95_ms is unknown"}, nil, lacks(decider.TTFTP95), on(decider.Waiting, decider.TTFTP95), 1},
		{"no KV cache", "EngineLacksMetric", "False", []string{"what kv_cache_usage_percent is made of"}, nil, lacks(decider.KVCache), on(decider.KVCache), 1},
		{"nothing that is needed", "EngineReadable", "True", nil, nil, lacks(decider.KVCache, decider.TTFTP95), on(decider.Waiting), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pa := &v1alpha1.PodAutoscaler{}
			pa.Namespace, pa.Name = "default", "llm-00001"
			b := newBench(t, 1)
			b.problems, b.endpoint, b.account = tt.problems, tt.endpoint, "knative-inference:autoscaler-adapter"
			for range 2 {
				b.markReadable(b.ctx, pa, tt.settings)
			}
			c := pa.Status.GetCondition(autoscaling.ConditionEngineReadable)
			if c == nil || c.Reason != tt.reason || c.Status != tt.status {
				t.Fatalf("condition = %+v, want %s with reason %s", c, tt.status, tt.reason)
			}
			for _, part := range tt.says {
				if !strings.Contains(c.Message, part) {
					t.Errorf("message %q lacks %q", c.Message, part)
				}
			}
			if len(c.Message) > 1000 {
				t.Errorf("%d bytes, of which an event has 1024: %s", len(c.Message), c.Message)
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

// The commands for the longest names fit into an event, and two Secrets get two roles.
func TestGrant_longNames(t *testing.T) {
	namespace, account := strings.Repeat("n", 63), strings.Repeat("a", 63)+":autoscaler-adapter"
	one, two := strings.Repeat("s", 253), strings.Repeat("s", 252)+"x"
	p := collector.Problem{Port: 65535, Pods: 1000, Of: 1000, Since: time.Now()}
	if text := forbidden(p, grant(namespace, one, account)); len(text) > 1024 || !strings.Contains(text, "--resource-name="+one+" ") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	if a, b := strings.Fields(grant(namespace, one, account))[5], strings.Fields(grant(namespace, two, account))[5]; a == b {
		t.Errorf("one role %s for two Secrets", a)
	}
}
