package binding

import (
	"cmp"
	"fmt"
	"strings"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// ParseTemplate reads the engine's annotations under spec.template of a Knative Service. Keys
// that only pkg/config knows are left to it.
func ParseTemplate(given map[string]string) (e annotations.Engine, problems []Problem) {
	e, invalid := annotations.ReadEngine(given)
	for _, i := range invalid {
		problems = append(problems, Problem{Path: templatePath(i.Key), Message: i.Err.Error() + "; correct it or remove the annotation"})
	}
	return e, problems
}

// CheckTarget refuses to bypass the queue-proxy where the autoscaling metrics,
// those of the template, count what passes it.
func CheckTarget(in *Intent, template map[string]string) []Problem {
	metrics := template[knautoscaling.MetricAnnotationKey]
	if in == nil || in.Target != TargetUserContainer || !counted(metrics) {
		return nil
	}
	return []Problem{{Path: path(inference.TargetKey),
		Message: fmt.Sprintf("%q sends requests past the queue-proxy, which counts them for the autoscaling metric %q; use %q, or scale on metrics of the engine", in.Target, cmp.Or(metrics, string(decider.Concurrency)), TargetQueueProxy)}}
}

// counted reports whether the queue-proxies count one of the metrics of a list; without
// a list they do.
func counted(metrics string) bool {
	if metrics == "" {
		return true
	}
	for entry := range strings.SplitSeq(metrics, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if d, _ := decider.Metric(name).Describe(); d.Kind == decider.Demand {
			return true
		}
	}
	return false
}

func templatePath(key string) string { return "spec.template." + path(key) }
