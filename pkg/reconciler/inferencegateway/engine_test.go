package inferencegateway

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

func TestEngineOf(t *testing.T) {
	for _, tt := range []struct {
		name        string
		annotations map[string]string
		container   *corev1.Container
		want        annotations.Engine
	}{
		{"no sign", nil, &corev1.Container{Image: "example.com/llm:1"}, annotations.Engine{}},
		{"no container", nil, nil, annotations.Engine{}},
		{"vLLM by its command", nil, &corev1.Container{Image: "example.com/llm:1", Command: []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}}, annotations.Engine{Name: "vllm"}},
		{"SGLang by its image", nil, &corev1.Container{Image: "lmsysorg/sglang:latest"}, annotations.Engine{Name: "sglang"}},
		{"Triton", nil, &corev1.Container{Image: "x", Command: []string{"tritonserver"}}, annotations.Engine{Name: "triton"}},
		{"Triton with TensorRT-LLM", nil, &corev1.Container{Image: "nvcr.io/nvidia/tritonserver:25.01-trtllm-python-py3"}, annotations.Engine{Name: "triton-tensorrt-llm"}},
		{"the annotation wins", map[string]string{autoscaling.EngineKey: "sglang", autoscaling.MetricsPortKey: "9000"}, &corev1.Container{Image: "vllm/vllm-openai"}, annotations.Engine{Name: "sglang", MetricsPort: 9000}},
	} {
		if got := engineOf(tt.annotations, tt.container); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
