package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// openAI are the POST paths that every picker understands; it refuses what it cannot parse with 400.
var openAI = []string{"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"}

// messages is Anthropic's, which pickers of GIE v1.5.0 take for a malformed completion.
const messages = "/v1/messages"

// tritonModel is a model's name in a path of Triton.
var tritonModel = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// tritonCalls are the ends of Triton's inference paths.
var tritonCalls = []string{"generate", "generate_stream", "infer"}

// pathMatch is one path condition of a rule.
type pathMatch struct {
	kind  gatewayv1.PathMatchType
	value string
}

// paths are those of the requests for inference: the annotation's, or the engine's.
func (b *builder) paths() []pathMatch {
	switch {
	case len(b.in.Paths) > 0:
		return exact(b.in.Paths...)
	case speaksKServe(engineOf(b.in, b.revision)):
		return b.tritonPaths()
	case b.in.Picker.Flavor == binding.FlavorLLMD:
		return exact(append(slices.Clone(openAI), messages)...)
	}
	return exact(openAI...)
}

func exact(values ...string) (out []pathMatch) {
	for _, v := range values {
		out = append(out, pathMatch{gatewayv1.PathMatchExact, v})
	}
	return out
}

// tritonPaths name the model, so that no header needs to.
func (b *builder) tritonPaths() (out []pathMatch) {
	if b.can.regexPaths {
		name := "[^/]+"
		if len(b.in.Models) > 0 {
			quoted := make([]string, len(b.in.Models))
			for i, m := range b.in.Models {
				quoted[i] = regexp.QuoteMeta(m)
			}
			name = "(" + strings.Join(quoted, "|") + ")"
		}
		out = append(out, pathMatch{gatewayv1.PathMatchRegularExpression,
			"/v2/models/" + name + "/versions/[0-9]+/(" + strings.Join(tritonCalls, "|") + ")"})
		if len(b.in.Models) == 0 {
			return append(out, pathMatch{gatewayv1.PathMatchRegularExpression,
				"/v2/models/" + name + "/(" + strings.Join(tritonCalls, "|") + ")"})
		}
	}
	for _, m := range b.in.Models {
		for _, call := range tritonCalls {
			if tritonModel.MatchString(m) {
				out = append(out, exact("/v2/models/"+m+"/"+call)...)
			}
		}
	}
	if len(out) == 0 {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonProviderUnsupported,
			fmt.Sprintf("Triton's paths carry the model's name and the gateway (%s) matches no regular expressions; name the models in %s.", b.plan.Provider, inference.ModelKey))
	}
	return out
}

// modelsByHeader are those that only the body names.
func (b *builder) modelsByHeader() []string {
	if speaksKServe(engineOf(b.in, b.revision)) && len(b.in.Paths) == 0 {
		return nil
	}
	return b.in.Models
}
