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
