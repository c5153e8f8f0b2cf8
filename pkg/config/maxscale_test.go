package config

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	asconfig "knative.dev/serving/pkg/autoscaler/config"
)

// max-scale-default bounds the revisions that nothing else bounds.
func TestResolve_maxScaleDefault(t *testing.T) {
	for _, tt := range []struct {
		name        string
		knative     map[string]string
		annotations map[string]string
		min, max    int32
	}{
		{"no bound of its own", nil, nil, 0, 7},
		{"its own", nil, map[string]string{"autoscaling.knative.dev/max-scale": "20"}, 0, 20},
		{"explicitly none", nil, map[string]string{"autoscaling.knative.dev/max-scale": "0"}, 0, 0},
		{"the cluster's", map[string]string{"max-scale": "4"}, nil, 0, 4},
		{"a larger min-scale", nil, map[string]string{"autoscaling.knative.dev/min-scale": "9"}, 9, 9},
	} {
		kn, err := asconfig.NewConfigFromMap(tt.knative)
		if err != nil {
			t.Fatal(err)
		}
		own := Default()
		own.MaxScale = 7
		pa := &v1alpha1.PodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm-1", Annotations: tt.annotations},
			Spec:       v1alpha1.PodAutoscalerSpec{Reachability: v1alpha1.ReachabilityReachable},
		}
		got, err := Resolver{Own: own, Knative: kn}.Resolve(pa)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got.Spec.MinReplicas != tt.min || got.Spec.MaxReplicas != tt.max {
			t.Errorf("%s: %d to %d replicas, want %d to %d", tt.name, got.Spec.MinReplicas, got.Spec.MaxReplicas, tt.min, tt.max)
		}
	}
}
