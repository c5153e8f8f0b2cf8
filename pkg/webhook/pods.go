package webhook

import (
	"encoding/json"
	"maps"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

// PodsPath is where Pods are labelled.
const PodsPath = "/pods"

// pods labels new pods. It never refuses one: what it cannot tell is left to
// the reconciler, which labels live pods.
func (c Caches) pods(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	if r.Operation != admissionv1.Create || r.SubResource != "" {
		return allow()
	}
	var pod corev1.Pod
	if err := json.Unmarshal(r.Object.Raw, &pod); err != nil {
		return allow()
	}
	object, err := decode(r.Object.Raw)
	if err != nil {
		return allow()
	}
	m := c.marksOf(r.Namespace, &pod)
	p := patch{object: object}
	for _, key := range slices.Sorted(maps.Keys(m.labels)) {
		p.set(m.labels[key], "metadata", "labels", key)
	}
	for _, key := range slices.Sorted(maps.Keys(m.annotations)) {
		p.set(m.annotations[key], "metadata", "annotations", key)
	}
	return allowWith(p)
}
