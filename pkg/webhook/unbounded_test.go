package webhook

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// kubectl prints a warning for a Service that nothing bounds.
func TestValidate_unbounded(t *testing.T) {
	const text = "nothing bounds the replicas"
	for _, tt := range []struct {
		name, template string
		own            func() *config.Config
		cluster        string // max-scale of config-autoscaler
		want           bool
	}{
		{"no bound anywhere", ourClass, config.Default, "0", true},
		{"its own", ourClass + `, autoscaling.knative.dev/max-scale: "4"`, config.Default, "0", false},
		{"explicitly none", ourClass + `, autoscaling.knative.dev/max-scale: "0"`, config.Default, "0", false},
		{"config-ipa's", ourClass, bounded100, "0", false},
		{"config-autoscaler's", ourClass, config.Default, "5", false},
		{"another class", `autoscaling.knative.dev/class: kpa.autoscaling.knative.dev, knative-inference.dev/engine: vllm`, config.Default, "0", false},
	} {
		j := judging(t, caches(t), configMap("config-autoscaler", "max-scale", tt.cluster))
		j.own = tt.own
		a := j.validate(review(t, ksvc(``, tt.template, calm), ""))
		if got := strings.Contains(strings.Join(a.Warnings, "\n"), text); !a.Allowed || got != tt.want {
			t.Errorf("%s: allowed %t with warnings %q, want a warning: %t", tt.name, a.Allowed, a.Warnings, tt.want)
		}
	}
}

// KServe writes its fields over the annotations and reports that nowhere.
func TestValidate_replacedByKServe(t *testing.T) {
	for annotation, want := range map[string]bool{
		"": false, `autoscaling.knative.dev/metric: slo`: false, `autoscaling.knative.dev/metric: kv_cache_usage_percent, autoscaling.knative.dev/target: "70"`: false,
		`autoscaling.knative.dev/metric: rps`: true, `autoscaling.knative.dev/metric: concurrency`: true, `autoscaling.knative.dev/target: "7"`: true,
	} {
		given := ourClass
		if annotation != "" {
			given += ", " + annotation
		}
		for service, expected := range map[string]bool{ksvc(``, given, calm): false, ofInferenceService(ksvc(``, given, calm)): want} {
			a := judging(t, caches(t)).validate(review(t, service, ""))
			text := strings.Join(a.Warnings, "\n")
			if got := strings.Contains(text, "scaleMetric") && strings.Contains(text, "scaleTarget"); !a.Allowed || got != expected {
				t.Errorf("%s: allowed %t with warnings %q, want a warning: %t", annotation, a.Allowed, a.Warnings, expected)
			}
		}
	}
}
