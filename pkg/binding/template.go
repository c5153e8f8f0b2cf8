package binding

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// ParseTemplate reads the annotations under spec.template of a Knative Service,
// which are also those of its revisions. Keys that only pkg/config knows are left to it.
func ParseTemplate(annotations map[string]string) (Engine, []Problem) {
	var e Engine
	problems := misplaced(annotations)
	refuse := func(key string, err error) {
		problems = append(problems, Problem{Path: templatePath(key), Message: err.Error() + "; correct it or remove the annotation"})
	}
	if v, ok := annotations[autoscaling.EngineKey]; ok {
		if err := oneOf(&e.Name, v, engines.Names()...); err != nil {
			refuse(autoscaling.EngineKey, err)
		}
	}
	if v, ok := annotations[autoscaling.MetricsPortKey]; ok {
		port, err := MetricsPort(v)
		if e.MetricsPort = port; err != nil {
			refuse(autoscaling.MetricsPortKey, err)
		}
	}
	if v, ok := annotations[autoscaling.MetricsPathKey]; ok {
		if err := MetricsPath(v); err != nil {
			refuse(autoscaling.MetricsPathKey, err)
		} else {
			e.MetricsPath = v
		}
	}
	return e, problems
}

// misplaced finds annotations of the Service under its template, where a change would make a new revision.
func misplaced(annotations map[string]string) (problems []Problem) {
	keys := append(serviceKeys(), inference.ACKGatewayKey, inference.ACKPriorityKey)
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if slices.Contains(keys, key) {
			problems = append(problems, Problem{Path: templatePath(key), Message: "belongs under metadata.annotations of the Service: it is not about one revision; move it there"})
		}
	}
	return problems
}

// CheckTarget refuses to bypass the queue-proxy where the autoscaling metrics,
// those of the template, count what passes it.
func CheckTarget(in *Intent, template map[string]string) []Problem {
	if in == nil || in.Target != TargetUserContainer {
		return nil
	}
	metric := template["autoscaling.knative.dev/metric"]
	counted := metric == ""
	for m := range strings.SplitSeq(metric, ",") {
		m, _, _ = strings.Cut(strings.TrimSpace(m), "=")
		counted = counted || m == "concurrency" || m == "rps"
	}
	if !counted {
		return nil
	}
	return []Problem{{Path: path(inference.TargetKey), Message: fmt.Sprintf("%q sends requests past the queue-proxy, which counts them for the autoscaling metric %q; use %q, or scale on metrics of the engine", in.Target, cmp.Or(metric, "concurrency"), TargetQueueProxy)}}
}

func templatePath(key string) string { return "spec.template." + path(key) }
