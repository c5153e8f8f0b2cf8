package main

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

func split(revision string, percent int) v1alpha1.IngressBackendSplit {
	return v1alpha1.IngressBackendSplit{
		IngressBackend: v1alpha1.IngressBackend{ServiceNamespace: "default", ServiceName: revision, ServicePort: intstr.FromInt32(80)},
		Percent:        percent,
		AppendHeaders:  map[string]string{"Knative-Serving-Revision": revision, "Knative-Serving-Namespace": "default"},
	}
}

func TestRoutesAreWhatNetGatewayAPIWrites(t *testing.T) {
	ing := &v1alpha1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "qwen", Namespace: "default", UID: "u", Annotations: map[string]string{"a": "b"}}}
	ing.Spec.Rules = []v1alpha1.IngressRule{
		{Hosts: []string{"qwen.default.example.com"}, HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: []v1alpha1.HTTPIngressPath{{
			Splits: []v1alpha1.IngressBackendSplit{split("qwen-00001", 90), split("qwen-00002", 10)}}}}},
		{Hosts: []string{"qwen.default", "qwen.default.svc.cluster.local"}, Visibility: v1alpha1.IngressVisibilityClusterLocal,
			HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: []v1alpha1.HTTPIngressPath{{Splits: []v1alpha1.IngressBackendSplit{split("qwen-00002", 100)}}}}},
	}
	got := routes(ing, types.NamespacedName{Namespace: "knative-serving", Name: "knative-gateway"})
	if len(got) != 2 || got[0].GetName() != "qwen.default.example.com" || got[1].GetName() != "qwen.default.svc.cluster.local" {
		t.Fatalf("got %v", got)
	}
	if got[1].GetLabels()[visibilityLabel] != "cluster-local" || got[0].GetAnnotations()["a"] != "b" {
		t.Errorf("labels %v, annotations %v", got[1].GetLabels(), got[0].GetAnnotations())
	}
	spec, err := json.Marshal(got[0].Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	header := func(rev string) string {
		return `[{"requestHeaderModifier":{"set":[{"name":"Knative-Serving-Namespace","value":"default"},{"name":"Knative-Serving-Revision","value":"` + rev +
			`"}]},"type":"RequestHeaderModifier"}]`
	}
	want := `{"hostnames":["qwen.default.example.com"],` +
		`"parentRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"knative-gateway","namespace":"knative-serving"}],` +
		`"rules":[{"backendRefs":[{"filters":` + header("qwen-00001") + `,"group":"","kind":"Service","name":"qwen-00001","port":80,"weight":90},` +
		`{"filters":` + header("qwen-00002") + `,"group":"","kind":"Service","name":"qwen-00002","port":80,"weight":10}],` +
		`"matches":[{"path":{"type":"PathPrefix","value":"/"}}]}]}`
	if string(spec) != want {
		t.Errorf("got  %s\nwant %s", spec, want)
	}
}

func TestAcceptedNeedsThisGeneration(t *testing.T) {
	route := func(observed int64, refs string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: object{
			"metadata": object{"generation": int64(2)},
			"status": object{"parents": []any{object{"conditions": []any{
				object{"type": "Accepted", "status": "True", "observedGeneration": observed},
				object{"type": "ResolvedRefs", "status": refs, "observedGeneration": observed},
			}}}},
		}}
	}
	for want, r := range map[string]*unstructured.Unstructured{
		"": route(2, "True"), "ResolvedRefs": route(2, "False"), "Accepted, ResolvedRefs": route(1, "True"), "no Gateway has taken it": {Object: object{}},
	} {
		if got := accepted(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
