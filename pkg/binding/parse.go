package binding

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Parse reads the annotations of a Knative Service's metadata. The Intent is nil
// when the Service does not ask for the gateway. With a Problem that is not a
// warning the Intent must not be acted upon. Annotations under spec.template
// are for ParseTemplate.
func Parse(namespace, name string, given map[string]string, d Defaults) (*Intent, []Problem) {
	asked, problems := asks(given)
	problems = append(problems, checkPlaces(given)...)
	if !asked {
		return nil, append(problems, withoutEffect(given)...)
	}
	in := Intent(d)
	in.Namespace, in.Service = namespace, name
	for _, s := range settings() {
		v, ok := given[s.key]
		if !ok {
			continue
		}
		if err := s.set(&in, v); err != nil {
			problems = append(problems, refusal(s.key, err))
		}
	}
	in.complete()
	cluster := Intent(d)
	cluster.complete()
	problems = append(problems, checkRights(&in, &cluster, given)...)
	return &in, append(problems, check(&in, given)...)
}

// Asked reports whether annotations of a Service's metadata ask for the gateway.
func Asked(given map[string]string) bool {
	asked, _ := asks(given)
	return asked
}

// asks says whether the Service wants the gateway; our key wins over ACK's.
func asks(given map[string]string) (asked bool, problems []Problem) {
	for _, key := range []string{inference.ACKGatewayKey, inference.AIGatewayKey} {
		v, ok := given[key]
		if !ok {
			continue
		}
		asked = v == inference.Enabled
		if _, err := annotations.Parse[string](key, v); err != nil {
			problems = append(problems, refusal(key, err))
		}
	}
	return asked, problems
}

// checkPlaces finds keys of our domain that are not for a Service's metadata.
func checkPlaces(given map[string]string) (problems []Problem) {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		a, known := annotations.ByKey(key)
		switch {
		case !strings.HasPrefix(key, inference.Domain+"/") || a.Place == annotations.Service:
		case known && a.Place == annotations.Template:
			problems = append(problems, Problem{Path: path(key), Message: "belongs under spec.template.metadata.annotations: it describes a revision; move it there"})
		default:
			problems = append(problems, Problem{Path: path(key), Message: "unknown annotation" + annotations.Nearest(key, userKeys())})
		}
	}
	return problems
}

// userKeys lists the keys of our domain that users write.
func userKeys() []string {
	return annotations.Keys(annotations.Where(func(a annotations.Annotation) bool {
		return a.Domain() == inference.Domain && a.Place != annotations.Ours
	}))
}

// refusal is a wrong value of an annotation of the Service.
func refusal(key string, err error) Problem {
	return Problem{Path: path(key), Message: err.Error() + "; correct it or remove the annotation"}
}

// withoutEffect warns of settings of a gateway that nobody asked for.
func withoutEffect(given map[string]string) (problems []Problem) {
	if given[inference.AIGatewayKey] == inference.Disabled {
		return nil
	}
	for _, s := range settings() {
		if _, ok := given[s.key]; ok {
			problems = append(problems, Problem{Path: path(s.key), Warning: true,
				Message: fmt.Sprintf("has no effect without %s: %q; add that annotation or remove this one", inference.AIGatewayKey, inference.Enabled)})
		}
	}
	return problems
}

// complete derives what follows from other values.
func (in *Intent) complete() {
	in.denyHosts()
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
