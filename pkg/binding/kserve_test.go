package binding

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// ownedBy is a Knative Service with a controller.
func ownedBy(apiVersion, kind string, metadata, template map[string]string) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "qwen-predictor", Annotations: metadata}}
	s.Spec.Template.Annotations = template
	if kind != "" {
		isController := true
		s.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "qwen", Controller: &isController}}
	}
	return s
}

// Annotations of the gateway under the template count where KServe made the Service, and
// are refused elsewhere.
func TestAnnotations_ofKServe(t *testing.T) {
	template := map[string]string{
		inference.AIGatewayKey: "inference", inference.ACKPriorityKey: "1", inference.PoolKey: "a",
		"autoscaling.knative.dev/metric": "slo", "knative-inference.dev/engine": "vllm", "knative-inference.dev/unknown": "x",
	}
	ofGateway := map[string]string{inference.AIGatewayKey: "inference", inference.ACKPriorityKey: "1", inference.PoolKey: "a"}
	moved := map[string]string{inference.PoolKey: "b"}
	tests := []struct {
		name, apiVersion, kind string
		metadata, want         map[string]string
		misplaced              int
	}{
		{"KServe", "serving.kserve.io/v1beta1", "InferenceService", nil, ofGateway, 0},
		{"KServe, a later version", "serving.kserve.io/v2", "InferenceService", nil, ofGateway, 0},
		{"KServe, metadata wins", "serving.kserve.io/v1beta1", "InferenceService", moved,
			map[string]string{inference.AIGatewayKey: "inference", inference.ACKPriorityKey: "1", inference.PoolKey: "b"}, 0},
		{"nobody", "", "", nil, nil, 3},
		{"another kind of KServe", "serving.kserve.io/v1alpha1", "InferenceGraph", nil, nil, 3},
		{"the kind of another group", "example.com/v1", "InferenceService", moved, moved, 3},
		{"no version", "serving.kserve.io/v1/beta", "InferenceService", nil, nil, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := ownedBy(tt.apiVersion, tt.kind, tt.metadata, template)
			if got := Annotations(s); !maps.Equal(got, tt.want) {
				t.Errorf("annotations %v, want %v", got, tt.want)
			}
			problems := Misplaced(s)
			if len(problems) != tt.misplaced {
				t.Errorf("misplaced: %v, want %d", problems, tt.misplaced)
			}
			for _, p := range problems {
				if p.Warning || p.Path != TemplatePath(inference.AIGatewayKey) && p.Path != TemplatePath(inference.ACKPriorityKey) && p.Path != TemplatePath(inference.PoolKey) {
					t.Errorf("%+v is no refusal of an annotation of the gateway", p)
				}
			}
		})
	}
}
