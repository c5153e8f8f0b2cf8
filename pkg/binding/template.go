package binding

import (
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
		problems = append(problems, Problem{Path: TemplatePath(i.Key), Message: i.Err.Error() + "; correct it or remove the annotation"})
	}
	return e, problems
}

// CheckPoolPort refuses to bypass the queue-proxy where the autoscaling metrics,
// those of the template, count what passes it.
func CheckPoolPort(in *Intent, template map[string]string) []Problem {
	metrics := template[knautoscaling.MetricAnnotationKey]
	if in == nil || in.PoolPort != PortUserContainer || !counted(metrics) {
		return nil
	}
	counts := fmt.Sprintf("which counts them for the autoscaling metric %q", metrics)
	if metrics == "" {
		counts = "which counts them, and the template names no autoscaling metric that needs no such count"
	}
	return []Problem{{Path: path(inference.TargetKey), Message: fmt.Sprintf(
		"%q sends requests past the queue-proxy, %s; use %q, or scale on metrics of the engine (annotation %s under spec.template)",
		in.PoolPort, counts, PortQueueProxy, knautoscaling.MetricAnnotationKey)}}
}

// counted reports whether the queue-proxies count one of the metrics of a list; without
// a list they do.
func counted(metrics string) bool {
	if metrics == "" {
		return true
	}
	list, _ := annotations.List(metrics) // config refuses a malformed one
	for _, entry := range list {
		name, _, _ := strings.Cut(entry, "=")
		if d, _ := decider.Metric(name).Describe(); d.Kind == decider.Demand {
			return true
		}
	}
	return false
}

// TemplatePath is the path of an annotation in the template of a Service, as messages name it.
func TemplatePath(key string) string { return "spec.template." + path(key) }
