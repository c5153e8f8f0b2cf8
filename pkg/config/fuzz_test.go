package config

import (
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// FuzzFromMap reads config-ipa as an administrator may have written it: one "key=value" per
// line. An accepted map resolves a PodAutoscaler to something that the decider works with.
func FuzzFromMap(f *testing.F) {
	f.Add("num-requests-waiting-target-default=5\nkv-cache-usage-percent-target-default=70")
	f.Add("num-requests-waiting-target-default=1e-300")
	f.Add("default-metric=kv_cache_usage_percent")
	f.Add("_example=nothing\nttft-p95-ms-target-default=NaN")
	f.Fuzz(func(t *testing.T, text string) {
		data := map[string]string{}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			data[key] = value
		}
		c, err := FromMap(data)
		if err != nil {
			return
		}
		r := newResolver(t)
		r.Own = c
		for _, metric := range []string{"", "num_requests_waiting", "kv_cache_usage_percent", "slo", "concurrency"} {
			pa := newPA()
			if metric != "" {
				pa = newPA(kn+"metric", metric)
			}
			s, err := r.Resolve(pa)
			if err != nil {
				continue
			}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			if _, _, err := decider.Decide(s.Spec, decider.State{}, decider.Observation{Time: now, Replicas: 1, Ready: 1}); err != nil {
				t.Fatalf("%q was accepted, but %q: %v", text, metric, err)
			}
		}
	})
}
