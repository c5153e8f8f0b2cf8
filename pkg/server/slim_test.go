package server

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/ptr"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

func podOf(revision string, i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", revision, i), Namespace: "n", Labels: map[string]string{serving.RevisionLabelKey: revision, "app": revision},
			OwnerReferences: []metav1.OwnerReference{{Name: "rs"}},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodInitialized}, {Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "r", Message: "long"}}},
	}
}

func TestSlimPods(t *testing.T) {
	p := podSlimmer{shared: map[string]map[string]string{}}
	slimmed := func(pod *corev1.Pod) *corev1.Pod {
		obj, err := p.slim(pod)
		if err != nil {
			t.Fatal(err)
		}
		return obj.(*corev1.Pod)
	}
	a, b, other := slimmed(podOf("a", 1)), slimmed(podOf("a", 2)), slimmed(podOf("b", 1))
	labelled := podOf("a", 3)
	labelled.Labels["pool"] = "p"
	third := slimmed(labelled)
	a.Labels["seen"] = "yes" // maps are the same object where a write to one shows in the other
	if b.Labels["seen"] != "yes" {
		t.Error("two pods of a revision do not share their labels")
	}
	if other.Labels["app"] != "b" || other.Labels["seen"] != "" || third.Labels["pool"] != "p" || third.Labels["seen"] != "" {
		t.Errorf("labels %v and %v of other pods, want their own", other.Labels, third.Labels)
	}
	if c := b.Status.Conditions; len(c) != 1 || c[0].Type != corev1.PodReady || c[0].Status != corev1.ConditionTrue || c[0].Message != "" || b.OwnerReferences != nil {
		t.Errorf("the pod is %+v, want its Ready condition without a message, and no owner", b)
	}
	if got, err := p.slim("a tombstone"); got != "a tombstone" || err != nil {
		t.Errorf("another object became %v, %v", got, err)
	}
}

func template() corev1.PodSpec {
	return corev1.PodSpec{Volumes: make([]corev1.Volume, 3), Containers: []corev1.Container{{
		Name: "user-container", Image: "vllm", Args: []string{"--model=m"}, Env: make([]corev1.EnvVar, 40), Ports: []corev1.ContainerPort{{ContainerPort: 8000}},
	}}}
}

func TestSlimDeployment(t *testing.T) {
	owned := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
			owned("kubectl", `{"f:spec":{"f:replicas":{},"f:template":{}}}`), owned("kube", `{"f:status":{"f:replicas":{}}}`), owned("x", "no JSON"), {Manager: "none"},
		}},
		Spec: appsv1.DeploymentSpec{Replicas: ptr.Int32(3), Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "llama"}}, Spec: template(),
		}},
		Status: appsv1.DeploymentStatus{Replicas: 3, Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing}}},
	}
	obj, err := slimDeployment(d)
	got, ok := obj.(*appsv1.Deployment)
	if err != nil || !ok || *got.Spec.Replicas != 3 || len(got.Status.Conditions) != 1 {
		t.Fatalf("%+v, %v; want the replicas and the conditions", obj, err)
	}
	if m := got.ManagedFields; len(m) != 1 || m[0].Manager != "kubectl" || string(m[0].FieldsV1.Raw) != `{"f:spec":{"f:replicas":{}}}` {
		t.Errorf("writers %+v, want kubectl, who wrote spec.replicas", m)
	}
	if got.Spec.Template.Labels["app"] != "llama" {
		t.Errorf("labels %v of pods to come, want those that an InferencePool selects", got.Spec.Template.Labels)
	}
	if s := got.Spec.Template.Spec; s.Volumes != nil || s.Containers[0].Env != nil || s.Containers[0].Ports[0].ContainerPort != 8000 {
		t.Errorf("template %+v, want the port and neither volumes nor variables", s)
	}
}

func TestSlimRevision(t *testing.T) {
	r := &servingv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}, ManagedFields: make([]metav1.ManagedFieldsEntry, 2)},
		Spec:       servingv1.RevisionSpec{PodSpec: template(), TimeoutSeconds: ptr.Int64(300)},
	}
	obj, err := slimRevision(r)
	got, ok := obj.(*servingv1.Revision)
	if err != nil || !ok || got.Annotations["a"] != "b" || *got.Spec.TimeoutSeconds != 300 || got.ManagedFields != nil {
		t.Fatalf("%+v, %v; want annotations and timeout", obj, err)
	}
	if c := got.Spec.GetContainer(); c.Image != "vllm" || c.Args[0] != "--model=m" || c.Ports[0].ContainerPort != 8000 || c.Env != nil {
		t.Errorf("container %+v, want what shows the engine and its port", c)
	}
}
