package config

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// A refusal names the annotation, its value and what to do. pairs are key and
// value; want are further words of the message.
func TestResolve_refused(t *testing.T) {
	f := func(want []string, pairs ...string) {
		t.Helper()
		s, err := newResolver(t).Resolve(newPA(pairs...))
		if err == nil {
			t.Errorf("%v was accepted: %+v", pairs, s)
			return
		}
		last := len(pairs) - 2
		for _, part := range append(want, pairs[last], pairs[last+1]) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v: error %q does not say %q", pairs, err, part)
			}
		}
	}
	says := func(s ...string) []string { return s }

	// Unknown, or known to other classes only.
	f(says("unknown annotation", "max-scale"), kn+"maxscale", "3")
	f(says("unknown annotation"), kn+"tick-interval", "1s")
	f(says("unknown metric", "num_requests_running"), kn+"metric", "cpu")
	f(nil, kn+"metric-aggregation-algorithm", "median")
	f(says("is for the metrics concurrency and rps only"), kn+"metric", "slo", kn+"metric-aggregation-algorithm", "weighted-exponential")
	f(says("is for the metrics concurrency and rps only"), kn+"metric", "slo", kn+"target-burst-capacity", "211")
	f(nil, kn+"target-burst-capacity", "-2")
	f(says("[-1, 1e+09]"), kn+"target-burst-capacity", "NaN")
	f(says("[-1, 1e+09]"), kn+"target-burst-capacity", "+Inf")

	f(says("takes no target", "slo-ttft"), kn+"metric", "slo=3")
	f(says("takes no target", "slo-ttft"), kn+"metric", "slo", kn+"target", "3")
	f(says("is for the metric slo"), kn+"metric", "concurrency", ours+"slo-ttft", "1s")
	f(says("is for the metric slo"), kn+"target", "3", ours+"slo-goal", "0.9")
	f(says("is for the metric slo"), kn+"target", "3", ours+"slo-margin", "2")

	// Out of range, or no number at all.
	f(says("duration", `such as "2s"`), ours+"slo-ttft", "2")
	f(says("from 1ms to 1h"), ours+"slo-ttft", "0s")
	f(says("from 1ms to 1h"), ours+"slo-itl", "-1s")
	f(says("from 1ms to 1h"), ours+"slo-itl", "2h")
	f(says("[0.5, 0.9999]"), ours+"slo-goal", "99")
	f(says("[0.5, 0.9999]"), ours+"slo-goal", "NaN")
	f(says("[0.5, 0.9999]"), ours+"slo-goal", "1")
	f(says("from 0s to 1s"), ours+"slo-ttft-per-token", "2s")
	f(says("from 0s to 1s"), ours+"slo-ttft-per-token", "-1us")
	f(says("[0.1, 10]", `such as "1.5"`), ours+"slo-margin", "0")
	f(says("[0.1, 10]"), ours+"slo-margin", "NaN")
	f(says("[0.1, 10]"), ours+"slo-margin", "+Inf")
	f(says("[0.1, 10]"), ours+"slo-margin", "twice")
	f(says("2147483647"), kn+"min-scale", "-1")
	f(says("a whole number of replicas"), kn+"min-scale", "one")
	f(says("a whole number of replicas"), kn+"maxScale", "3.5")
	f(says("a number, such as"), kn+"target", "30s")
	f(says("is not -1, nor a number of requests from 0"), kn+"target-burst-capacity", "-2")
	f(says("2147483647"), kn+"max-scale", "99999999999")
	f(says("is less than min-scale=5"), kn+"max-scale", "3", kn+"min-scale", "5")
	f(says("0.01"), kn+"target", "0")
	f(says("0.01"), kn+"target", "-3")
	f(nil, kn+"target", "many")
	f(says("must be in"), kn+"target", "NaN")
	f(says("must be in"), kn+"target", "+Inf")
	f(says("must be in"), kn+"target", "1e+300")
	f(says("must be in [2, 100] percent"), kn+"metric", "kv_cache_usage_percent", kn+"target", "101")
	f(says("milliseconds", "seconds"), kn+"metric", "itl_p95_ms", kn+"target", "0.05")
	f(says("1", "100"), kn+"target-utilization-percentage", "0")
	f(says("1", "100"), kn+"target-utilization-percentage", "101")
	f(says("1", "100"), kn+"target-utilization-percentage", "NaN")
	f(says("6s", "1h"), kn+"window", "5s")
	f(says("6s", "1h"), kn+"window", "2h")
	f(says("a duration with its unit"), kn+"window", "soon")
	f(says("a duration with its unit"), kn+"scale-down-delay", "300")
	f(says("second precision"), kn+"window", "6.5s")
	f(says("1", "100"), kn+"panic-window-percentage", "0.5")
	f(says("1", "100"), kn+"panic-window-percentage", "NaN")
	f(says("110", "1000"), kn+"panic-threshold-percentage", "100")
	f(says("110", "1000"), kn+"panic-threshold-percentage", "NaN")
	f(says("1h"), kn+"scale-down-delay", "2h")
	f(says("1h"), kn+"scale-to-zero-pod-retention-period", "-1s")
	f(says("must be greater than 1"), kn+"activation-scale", "1")
	f(says("is less than activation-scale=4"), kn+"max-scale", "2", kn+"activation-scale", "4")
	f(says("must be greater than 0"), kn+"initial-scale", "-1")
	f(says("not allowed by cluster"), kn+"initial-scale", "0")
	f(says("2147483647"), kn+"initial-scale", "5000000000")

	// Of one another.
	f(says("needs a target", "num_requests_running=<target per replica>"), kn+"metric", "num_requests_running")
	f(says("needs a target"), kn+"metric", "concurrency=2,prompt_tokens_per_second")
	f(says("already has the target 2", "remove one"), kn+"metric", "concurrency=2", kn+"target", "5")
	f(says("cannot stand beside several metrics", "name=target"), kn+"metric", "concurrency,kv_cache_usage_percent", kn+"target", "5")
	f(says("concurrency and rps only", "remove it"), kn+"metric", "kv_cache_usage_percent", kn+"target-utilization-percentage", "80")
	f(says("concurrency and rps only", "remove it"), kn+"metric", "kv_cache_usage_percent=80", kn+"panic-threshold-percentage", "150")
	f(says("concurrency and rps only", "remove it"), kn+"metric", "kv_cache_usage_percent", kn+"panicWindowPercentage", "50")

	// Ours.
	f(says(`one of "llama.cpp"`, `did you mean "vllm"?`, "detect"), ours+"engine", "vlm")
	f(says("1 to 65535"), ours+"metrics-port", "0")
	f(says("1 to 65535"), ours+"metrics-port", "65536")
	f(says("1 to 65535"), ours+"metrics-port", "http")
	f(says("queue-proxy", "count as traffic"), ours+"metrics-port", "8012")
	for _, port := range []string{"8008", "8013", "8022", "8112", "9090", "9091"} {
		f(says("queue-proxy", "the engine itself"), ours+"metrics-port", port)
	}
	f(says("from 1s to 24h"), ours+"drain-timeout", "0s")
	f(says("from 1s to 24h"), ours+"drain-timeout", "300")
	f(says("from 1s to 24h"), ours+"drain-timeout", "25h")
	for _, v := range []string{"", "-1", "1.5", "101%", "%", "1 %", "1%%", "two", "+1", "4294967296", "NaN"} {
		f(says("a number of pods or a percentage"), ours+"max-unavailable", v)
	}
	f(says("percent-encode"), ours+"metrics-path", "/a b")
	f(says(`single "/"`), ours+"metrics-path", "//host/metrics")
	f(says("optional query"), ours+"metrics-path", "/%zz")
	f(says(`must begin with a single "/"`), ours+"metrics-path", "metrics")
	f(says(`"http", "https"`), ours+"metrics-scheme", "HTTPS")
	f(says("name of a Secret", "engine-token/api-key"), ours+"metrics-token-secret", "Token")
	f(says("predecessor", "initial"), ours+"start-scale", "zero")
	f(says("unknown annotation", "did you mean knative-inference.dev/metrics-port?"), ours+"metric-port", "8000")
	f(says("did you mean autoscaling.knative.dev/max-scale?"), ours+"max-scale", "3")
	f(says("did you mean autoscaling.knative.dev/max-scale?"), ours+"maxScale", "3")
	f(says("did you mean knative-inference.dev/slo-ttft?"), kn+"slo-ttft", "2s")
	f(says("did you mean knative-inference.dev/slo-ttft?"), ours+"sloTTFT", "2s")
	f(says(`did you mean "vllm"?`), ours+"engine", "vLLM")
	f(says("did you mean kv_cache_usage_percent?"), kn+"metric", "KV-Cache-Usage-Percent")
	f(says("did you mean kv_cache_usage_percent?"), kn+"metric", "kv_cache_usage_percents")
}

// What the program itself writes on a PodAutoscaler is not refused.
func TestResolve_acceptsOwnNotes(t *testing.T) {
	mustResolve(t, newResolver(t), newPA(autoscaling.AcceptedKey, `{"a":"b"}`))
}
