package webhook

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Knative's pod-autoscaler-class makes our class the one of Services that name none: they
// are judged as if they named it, and nothing else is.
func TestValidate_defaultClass(t *testing.T) {
	const goal, wrong = `knative-inference.dev/slo-ttft: 2s`, `knative-inference.dev/slo-ttft: "2"`
	const kpa = `autoscaling.knative.dev/class: kpa.autoscaling.knative.dev, `
	for _, tt := range []struct {
		name, byDefault, template string
		allowed                   bool
		warning                   string
	}{
		{"ours by default", "ipa.autoscaling.knative-inference.dev", goal, true, ""},
		{"ours by default, a wrong value", "ipa.autoscaling.knative-inference.dev", wrong, false, ""},
		{"ours by default, another named", "ipa.autoscaling.knative-inference.dev", kpa + goal, true, "does nothing"},
		{"another by default", "kpa.autoscaling.knative.dev", goal, true, "does nothing"},
		{"another by default, ours named", "kpa.autoscaling.knative.dev", ourClass + `, ` + wrong, false, ""},
	} {
		j := judging(t, caches(t), configMap("config-autoscaler", "pod-autoscaler-class", tt.byDefault))
		a := j.validate(review(t, ksvc(``, tt.template, calm), ""))
		warnings := strings.Join(a.Warnings, "\n")
		if a.Allowed != tt.allowed || (tt.warning == "") != (warnings == "") || !strings.Contains(warnings, tt.warning) {
			t.Errorf("%s: allowed %t with warnings %q, want %t with %q", tt.name, a.Allowed, a.Warnings, tt.allowed, tt.warning)
		}
	}
}

// Under every default-metric of config-ipa a Service as KServe makes it needs no annotation
// metric: what it says of slo is taken, and so is what it leaves out. A target is taken with a
// warning: scaleTarget may have written it.
func TestValidate_defaultMetricOfKServe(t *testing.T) {
	for _, metric := range []decider.Metric{decider.SLO, decider.Concurrency, decider.RPS, decider.KVCache} {
		for _, more := range []string{``, `, knative-inference.dev/slo-ttft: 2s`, `, autoscaling.knative.dev/target: "20"`} {
			j := judging(t, caches(t))
			j.own = func() *config.Config {
				c := bounded100()
				c.Metric = metric
				return c
			}
			a := j.validate(review(t, ofInferenceService(ksvc(``, ourClass+more, calm)), ""))
			if warned := strings.Contains(more, "target"); !a.Allowed || (len(a.Warnings) > 0) != warned {
				t.Errorf("default-metric %s, %q: allowed %t with %q: %v", metric, more, a.Allowed, a.Warnings, a.Result)
			}
		}
	}
}
