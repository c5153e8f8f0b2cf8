package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"sigs.k8s.io/yaml"
)

// What Knative makes of 90 % for qwen-00001, 10 % for qwen-00002, 0 % for
// qwen-00003 and a tag on qwen-00004.
const kingress = `
metadata: {name: qwen, namespace: default}
spec:
  rules:
  - hosts: [qwen.default, qwen.default.svc, qwen.default.svc.cluster.local]
    visibility: ClusterLocal
    http:
      paths:
      - headers: {Knative-Serving-Tag: {exact: blue}}
        splits: [{percent: 100, appendHeaders: {Knative-Serving-Revision: qwen-00004}}]
      - splits:
        - {percent: 90, appendHeaders: {Knative-Serving-Revision: qwen-00001}}
        - {percent: 10, appendHeaders: {Knative-Serving-Revision: qwen-00002}}
        - {percent: 0, appendHeaders: {Knative-Serving-Revision: qwen-00003}}
  - hosts: [blue-qwen.default, blue-qwen.default.svc, blue-qwen.default.svc.cluster.local]
    http: {paths: [{splits: [{percent: 100, appendHeaders: {Knative-Serving-Revision: qwen-00004}}]}]}
  - hosts: [empty.example.com]
`

func pod(revision, annotations string) string {
	return `
apiVersion: v1
kind: Pod
metadata:
  generateName: qwen-
  labels: {app: qwen, serving.knative.dev/service: qwen, serving.knative.dev/revision: ` + revision + `}` + annotations + `
spec: {containers: [{name: user-container}], novel: {kept: true}}`
}

func TestPods(t *testing.T) {
	const routed = `knative-inference.dev/routed: "true"`
	withLabels := func(revision, labels string) string {
		return pod(revision+", "+labels, "")
	}
	hold := `
  annotations: {inference.networking.k8s.io/active-ports: "", llm-d.ai/active-ports: ""}`
	sglang := `
  annotations: {knative-inference.dev/engine: sglang}`
	const off = ", knative-inference.dev/endpoint-hold: 0s"
	tests := []struct{ name, annotations, pod, want string }{
		{"routed", off, pod("qwen-00001", ""), withLabels("qwen-00001", routed)},
		{"a canary", off, pod("qwen-00002", ""), withLabels("qwen-00002", routed)},
		{"0 percent", off, pod("qwen-00003", ""), pod("qwen-00003", "")},
		{"reached by its tag only", off, pod("qwen-00004", ""), pod("qwen-00004", "")},
		{"not in the route yet", off, pod("qwen-00005", ""), pod("qwen-00005", "")},
		{"a shared pool", off + `, knative-inference.dev/pool: shared`, pod("qwen-00001", ""),
			withLabels("qwen-00001", routed+", knative-inference.dev/pool: shared")},
		{"another's pool, by its selector", off + `, knative-inference.dev/pool: theirs`, pod("qwen-00001", ""),
			withLabels("qwen-00001", routed+", knative-inference.dev/pool: theirs, pool: theirs")},
		{"another's pool, not routed", off + `, knative-inference.dev/pool: theirs`, pod("qwen-00003", ""), pod("qwen-00003", "")},
		{"hold asked for", `, knative-inference.dev/endpoint-hold: 2s`, pod("qwen-00003", ""), pod("qwen-00003", hold)},
		{"hidden from our picker by default", "", pod("qwen-00003", ""), pod("qwen-00003", hold)},
		{"another's picker may know no hiding", `, knative-inference.dev/epp: none`, pod("qwen-00003", ""), pod("qwen-00003", "")},
		{"another engine", off, pod("qwen-00003", sglang),
			pod("qwen-00003, inference.networking.k8s.io/engine-type: sglang, llm-d.ai/engine-type: sglang", sglang)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ingress := &netv1alpha1.Ingress{}
			if err := yaml.UnmarshalStrict([]byte(kingress), ingress); err != nil {
				t.Fatal(err)
			}
			c := caches(t, ingress, service(t, `metadata: {name: qwen, namespace: default, annotations: {knative-inference.dev/ai-gateway: inference`+tt.annotations+`}}`))
			r := review(t, tt.pod, "")
			if diff := cmp.Diff(object(t, tt.want), patched(t, r, c.pods(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A Service that the reconciler keeps out of the pool it names has its pods born
// outside too, else requests would reach them until the reconciler sees them. One
// with a pool of its own cannot be kept out of it.
func TestPods_keptOut(t *testing.T) {
	for _, tt := range []struct{ name, annotations, want string }{
		{"of a shared pool", ", knative-inference.dev/pool: shared", pod("qwen-00001", "")},
		{"of somebody else's", ", knative-inference.dev/pool: theirs", pod("qwen-00001", "")},
		{"but not of its own", "", pod(`qwen-00001, knative-inference.dev/routed: "true"`, "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ingress := &netv1alpha1.Ingress{}
			if err := yaml.UnmarshalStrict([]byte(kingress), ingress); err != nil {
				t.Fatal(err)
			}
			c := caches(t, ingress, service(t, `metadata: {name: qwen, namespace: default, annotations: {knative-inference.dev/ai-gateway: inference, knative-inference.dev/endpoint-hold: 0s`+tt.annotations+`}}`))
			c.KeptOut = func(namespace, service string) bool { return namespace == "default" && service == "qwen" }
			r := review(t, pod("qwen-00001", ""), "")
			if diff := cmp.Diff(object(t, tt.want), patched(t, r, c.pods(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A pod is never refused, whatever we do not know.
func TestPods_unchanged(t *testing.T) {
	plain := service(t, `metadata: {name: qwen, namespace: default}`)
	bound := service(t, `metadata: {name: qwen, namespace: default, annotations: {knative-inference.dev/ai-gateway: inference, knative-inference.dev/endpoint-hold: 0s}}`)
	update := review(t, pod("qwen-00001", ""), pod("qwen-00001", ""))
	tests := []struct {
		name    string
		caches  Caches
		request *admissionv1.AdmissionRequest
	}{
		{"no Service is known", caches(t), review(t, pod("qwen-00001", ""), "")},
		{"the Service has no binding", caches(t, plain), review(t, pod("qwen-00001", ""), "")},
		{"no ingress is known", caches(t, bound), review(t, pod("qwen-00001", ""), "")},
		{"no labels", caches(t, bound), review(t, `{metadata: {name: p}}`, "")},
		{"unreadable", caches(t, bound), review(t, `[]`, "")},
		{"an update", caches(t, bound), update},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := tt.caches.pods(tt.request); !a.Allowed || a.Patch != nil || len(a.Warnings) > 0 {
				t.Errorf("answer %+v, want it unchanged", a)
			}
		})
	}
}
