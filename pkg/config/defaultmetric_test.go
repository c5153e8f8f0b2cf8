package config

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// default-metric is what a revision scales on that says nothing of a metric; an annotation
// that is for some metrics only decides first.
func TestResolve_defaultMetric(t *testing.T) {
	target := []string{kn + "target", "20"}
	for _, tt := range []struct {
		name  string
		key   string // of config-ipa; "" is not set
		pairs []string
		want  decider.Target
	}{
		{"not set", "", nil, decider.Target{Metric: decider.SLO}},
		{"slo", "slo", nil, decider.Target{Metric: decider.SLO}},
		{"Knative's own", "concurrency", nil, decider.Target{Metric: decider.Concurrency, Value: 70}},
		{"of requests", "rps", nil, decider.Target{Metric: decider.RPS, Value: 140}},
		{"of the engine, with the target of config-ipa", "kv_cache_usage_percent", nil, decider.Target{Metric: decider.KVCache, Value: 70}},
		{"a latency, with that of slo", "ttft_p95_ms", nil, decider.Target{Metric: decider.TTFTP95, Value: 2000}},
		{"the revision names one", "rps", []string{kn + "metric", "num_requests_waiting=3"}, decider.Target{Metric: decider.Waiting, Value: 3}},
		{"the revision names slo", "concurrency", []string{kn + "metric", "slo"}, decider.Target{Metric: decider.SLO}},
		{"a target means concurrency", "kv_cache_usage_percent", target, decider.Target{Metric: decider.Concurrency, Value: 14}},
		{"a target, beside slo", "slo", target, decider.Target{Metric: decider.Concurrency, Value: 14}},
		{"a target of rps", "rps", target, decider.Target{Metric: decider.RPS, Value: 14}},
		{"a panic window means concurrency", "slo", []string{kn + "panic-window-percentage", "20"}, decider.Target{Metric: decider.Concurrency, Value: 70}},
		{"a panic window of rps", "rps", []string{kn + "panic-window-percentage", "20"}, decider.Target{Metric: decider.RPS, Value: 140}},
		{"a latency means slo", "concurrency", []string{ours + "slo-ttft", "1s"}, decider.Target{Metric: decider.SLO}},
	} {
		data := map[string]string{}
		if tt.key != "" {
			data[metricKey] = tt.key
		}
		own, err := FromMap(data)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		r := newResolver(t)
		r.Own = own
		got := mustResolve(t, r, newPA(tt.pairs...)).Spec.Targets
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What a revision may say does not depend on default-metric: an edit of it refuses nobody
// who was accepted, and accepts nobody who was refused.
func TestResolve_defaultMetricChangesNoVerdict(t *testing.T) {
	for _, pairs := range [][]string{
		nil,
		{kn + "target", "5000"},
		{kn + "target", "0.001"},
		{kn + "target-utilization-percentage", "50"},
		{kn + "target-burst-capacity", "100"},
		{kn + "metric-aggregation-algorithm", "weighted-exponential"},
		{ours + "slo-ttft", "1s"},
		{ours + "slo-goal", "0.9", kn + "panic-threshold-percentage", "200"},
		{ours + "slo-margin", "2", kn + "target", "3"},
		{kn + "window", "30s", ours + "start-scale", "predecessor"},
		{kn + "metric", "num_requests_running"},
		{kn + "metric", "concurrency", ours + "slo-itl", "50ms"},
	} {
		_, want := newResolver(t).Resolve(newPA(pairs...))
		for _, name := range defaultMetrics() {
			r := newResolver(t)
			r.Own.Metric = decider.Metric(name)
			if _, err := r.Resolve(newPA(pairs...)); (err == nil) != (want == nil) {
				t.Errorf("%v: %v with %s = %s, %v with slo", pairs, err, metricKey, name, want)
			}
		}
	}
}

// A refusal names the key, the value and every metric that is allowed.
func TestFromMap_defaultMetricRefused(t *testing.T) {
	for value, says := range map[string]string{
		"":                             "must be one of",
		"cpu":                          "must be one of",
		"SLO":                          "must be one of",
		"requests_per_second":          "must be one of",
		"slo,rps":                      "must be one of",
		"concurrency=5":                "must be one of",
		"num_requests_running":         "needs a target",
		"prompt_tokens_per_second":     "needs a target",
		"generation_tokens_per_second": "needs a target",
	} {
		c, err := FromMap(map[string]string{metricKey: value})
		if err == nil {
			t.Errorf("%q was accepted: %+v", value, c)
			continue
		}
		for _, part := range append(defaultMetrics(), Name, metricKey, `"`+value+`"`, says) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q does not say %q", value, err, part)
			}
		}
		allowed := err.Error()[strings.Index(err.Error(), "must be one of"):]
		for _, name := range []string{"num_requests_running", "tokens_per_second"} {
			if strings.Contains(allowed, name) {
				t.Errorf("%q: error %q offers %s, which has no default target", value, err, name)
			}
		}
	}
}
