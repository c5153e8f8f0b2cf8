package webhook

import (
	"maps"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodsPath is where Pods are labelled.
const PodsPath = "/pods"

// pods labels new pods and gives them their readiness gate. Only their metadata and gates
// are decoded. A pod is never refused: one whose labels are not known here is left to the
// reconciler, which labels live pods.
func (c Caches) pods(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	if r.Operation != admissionv1.Create || r.SubResource != "" {
		return allow()
	}
	var head podHead
	if err := decode(r.Object.Raw, &head); err != nil || head.Metadata == nil {
		return allow()
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: head.Metadata.Labels, Annotations: head.Metadata.Annotations}}
	m := c.marksOf(r.Namespace, pod)
	p := patch{object: map[string]any{"metadata": head.Metadata.tree()}}
	for _, key := range slices.Sorted(maps.Keys(m.labels)) {
		p.set(m.labels[key], "metadata", "labels", key)
	}
	for _, key := range slices.Sorted(maps.Keys(m.annotations)) {
		p.set(m.annotations[key], "metadata", "annotations", key)
	}
	if c.gated(r.Namespace, head.Metadata.Labels) {
		p.gate(head.Spec)
	}
	return allowWith(p)
}
