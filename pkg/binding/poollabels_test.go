package binding

import (
	"maps"
	"slices"
	"testing"
)

// A selector of somebody else's pool sets only labels that no controller counts by.
func TestPoolLabels(t *testing.T) {
	selector := map[string]string{
		"team": "llm", "llm-d.ai/inferenceServing": "true", "example.com/role": "decode", "notkubernetes.io/x": "y",
		"serving.knative.dev/service": "qwen", "knative-inference.dev/routed": "true", "knative-inference.dev/pool": "theirs",
	}
	reserved := map[string]string{
		"pod-template-hash": "7d5b9c", "controller-revision-hash": "x", "pod-template-generation": "1", "controller-uid": "u", "job-name": "j",
		"app": "vllm", "app.kubernetes.io/name": "vllm", "statefulset.kubernetes.io/pod-name": "p", "kubernetes.io/x": "y", "batch.k8s.io/y": "z", "k8s.io/z": "z",
		"serving.knative.dev/revision": "r", "networking.internal.knative.dev/x": "y", "knative-inference.dev/picker": "qwen", "x.knative-inference.dev/y": "z",
	}
	all := maps.Clone(selector)
	maps.Copy(all, reserved)
	set, refused := PoolLabels(all, "qwen", "theirs")
	if want := map[string]string{"team": "llm", "llm-d.ai/inferenceServing": "true", "example.com/role": "decode", "notkubernetes.io/x": "y"}; !maps.Equal(set, want) {
		t.Errorf("sets %v, want %v", set, want)
	}
	if want := slices.Sorted(maps.Keys(reserved)); !slices.Equal(refused, want) {
		t.Errorf("refuses %v, want %v", refused, want)
	}
	_, refused = PoolLabels(map[string]string{"serving.knative.dev/service": "llama", "knative-inference.dev/routed": "false", "knative-inference.dev/pool": "ours"}, "qwen", "theirs")
	if want := []string{"knative-inference.dev/pool", "knative-inference.dev/routed", "serving.knative.dev/service"}; !slices.Equal(refused, want) {
		t.Errorf("another value: refuses %v, want %v", refused, want)
	}
}
