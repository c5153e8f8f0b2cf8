package binding

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Parse reads the annotations of a Knative Service's metadata. The Intent is nil
// when the Service does not ask for the gateway. With a Problem that is not a
// warning the Intent must not be acted upon. Annotations under spec.template
// are for ParseTemplate.
func Parse(namespace, name string, annotations map[string]string, d Defaults) (*Intent, []Problem) {
	asked, problems := asks(annotations)
	problems = append(problems, checkPlaces(annotations)...)
	if !asked {
		return nil, append(problems, withoutEffect(annotations)...)
	}
	in := Intent(d)
	in.Namespace, in.Service = namespace, name
	for _, s := range settings() {
		v, ok := annotations[s.key]
		if !ok {
			continue
		}
		if err := s.set(&in, v); err != nil {
			problems = append(problems, Problem{Path: path(s.key), Message: err.Error() + "; correct it or remove the annotation"})
		}
	}
	in.complete()
	cluster := Intent(d)
	cluster.complete()
	problems = append(problems, checkRights(&in, &cluster, annotations)...)
	return &in, append(problems, check(&in, annotations)...)
}

// Asked reports whether annotations of a Service's metadata ask for the gateway.
func Asked(annotations map[string]string) bool {
	asked, _ := asks(annotations)
	return asked
}

// asks says whether the Service wants the gateway; our key wins over ACK's.
func asks(annotations map[string]string) (asked bool, problems []Problem) {
	for _, k := range []struct {
		key     string
		allowed []string
	}{
		{inference.ACKGatewayKey, []string{inference.Enabled}},
		{inference.AIGatewayKey, []string{inference.Enabled, inference.Disabled}},
	} {
		v, ok := annotations[k.key]
		if !ok {
			continue
		}
		asked = v == inference.Enabled
		if !slices.Contains(k.allowed, v) {
			problems = append(problems, Problem{Path: path(k.key), Message: fmt.Sprintf("%q is not one of %s; correct it or remove the annotation", v, quoted(k.allowed))})
		}
	}
	return asked, problems
}

// checkPlaces finds keys of our domain that are not for a Service's metadata.
func checkPlaces(annotations map[string]string) (problems []Problem) {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		switch {
		case !strings.HasPrefix(key, inference.Domain+"/") || slices.Contains(serviceKeys(), key):
		case slices.Contains(templateKeys(), key):
			problems = append(problems, Problem{Path: path(key), Message: "belongs under spec.template.metadata.annotations: it describes a revision; move it there"})
		default:
			problems = append(problems, Problem{Path: path(key), Message: "unknown annotation" + Nearest(key, slices.Concat(serviceKeys(), templateKeys()))})
		}
	}
	return problems
}

// withoutEffect warns of settings of a gateway that nobody asked for.
func withoutEffect(annotations map[string]string) (problems []Problem) {
	if annotations[inference.AIGatewayKey] == inference.Disabled {
		return nil
	}
	for _, s := range settings() {
		if _, ok := annotations[s.key]; ok {
			problems = append(problems, Problem{Path: path(s.key), Warning: true,
				Message: fmt.Sprintf("has no effect without %s: %q; add that annotation or remove this one", inference.AIGatewayKey, inference.Enabled)})
		}
	}
	return problems
}

// complete derives what follows from other values.
func (in *Intent) complete() {
	in.denyHosts()
	if in.Provider == "auto" {
		in.Provider = ""
	}
	if in.Picker.Flavor == FlavorAuto || in.Picker.Flavor == "" {
		in.Picker.Flavor = FlavorGIE
		if strings.Contains(in.Picker.Image, "llm-d") {
			in.Picker.Flavor = FlavorLLMD
		}
	}
	for i := range in.ModelRewrite {
		if r := &in.ModelRewrite[i]; r.Model == "" && len(in.Models) == 1 {
			r.Model = in.Models[0]
		}
	}
}

func path(key string) string { return "metadata.annotations[" + key + "]" }

// serviceKeys are the keys of our domain in a Service's metadata.
func serviceKeys() []string {
	keys := []string{inference.AIGatewayKey}
	for _, s := range settings() {
		if strings.HasPrefix(s.key, inference.Domain+"/") {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// templateKeys are those under spec.template.
func templateKeys() []string {
	return []string{autoscaling.EngineKey, autoscaling.MetricsPortKey, autoscaling.MetricsPathKey, autoscaling.StartScaleKey,
		autoscaling.SLOTTFTKey, autoscaling.SLOTTFTPerTokenKey, autoscaling.SLOITLKey, autoscaling.SLOGoalKey, autoscaling.SLOMarginKey, autoscaling.DrainTimeoutKey}
}
