package inferencegateway

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// signs tell an engine by a word in the image, command or arguments of its
// container; the first that fits counts.
var signs = []struct{ word, also, engine string }{
	{"tritonserver", "trtllm", binding.TritonTensorRTLLM},
	{"tritonserver", "tensorrt_llm", binding.TritonTensorRTLLM},
	{"tritonserver", "", binding.Triton},
	{"trtllm-serve", "", binding.TensorRTServe},
	{"sglang", "", binding.SGLang},
	{"text-generation-inference", "", binding.TGI},
	{"text-generation-launcher", "", binding.TGI},
	{"lmdeploy", "", binding.LMDeploy},
	{"vllm", "", binding.VLLM},
}

// engineOf is what the template says of its engine, completed by what the
// container shows. Without any sign the name stays empty: the default holds.
func engineOf(annotations map[string]string, c *corev1.Container) binding.Engine {
	// Problems of a template are told where they are written, by the webhook.
	e, _ := binding.ParseTemplate(annotations)
	if e.Name == "" && c != nil {
		e.Name = detect(c)
	}
	return e
}

func detect(c *corev1.Container) string {
	text := strings.Join(append(append([]string{c.Image}, c.Command...), c.Args...), " ")
	for _, s := range signs {
		if strings.Contains(text, s.word) && strings.Contains(text, s.also) {
			return s.engine
		}
	}
	return ""
}
