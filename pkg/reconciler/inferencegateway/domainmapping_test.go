package inferencegateway

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// mapping is the KIngress of a DomainMapping, as Knative makes it.
const mapping = `
metadata: {namespace: default, name: chat.default.example.com, labels: {serving.knative.dev/domainMappingUID: u}}
spec:
  rules:
  - hosts: [chat.default.example.com]
    visibility: ExternalIP
    http:
      paths:
      - {path: /.well-known/acme-challenge/x, splits: [{serviceName: cm-acme, percent: 100}]}
      - rewriteHost: %SERVICE.default.svc.cluster.local
        splits: [{serviceName: %SERVICE, serviceNamespace: default, servicePort: 80, percent: 100, appendHeaders: {K-Original-Host: chat.default.example.com}}]
`

// A host that the Service's own DomainMapping serves is the Service's; one that
// leads to another Service is not, and either is seen when it comes.
func TestReconcile_domainMapping(t *testing.T) {
	for _, c := range []struct{ to, reason string }{{"qwen", ""}, {"llama", inference.ReasonHostConflict}} {
		t.Run(c.to, func(t *testing.T) {
			inCluster(t, func(cl *cluster) {
				cl.service("qwen", with(map[string]string{inference.HostnamesKey: "chat.default.example.com"}))
				var ing nv1alpha1.Ingress
				if err := yaml.Unmarshal([]byte(strings.ReplaceAll(mapping, "%SERVICE", c.to)), &ing); err != nil {
					t.Fatal(err)
				}
				if !has(ing.Labels, serving.DomainMappingUIDLabelKey) {
					t.Fatal("the label of Knative's has another name")
				}
				if got := cl.r.claiming(&ing); len(got) != 1 || got[0].Name != "qwen" {
					t.Errorf("the mapping concerns %v, want qwen", got)
				}
				cl.settle("qwen")
				put(cl, cl.ingress, &ing)
				cl.reconcile("qwen")
				got := cl.condition("qwen", inference.ConditionRouteAccepted)
				refused := got.Status == metav1.ConditionFalse
				if refused != (c.reason != "") || refused && (got.Reason != c.reason || !strings.Contains(got.Message, "default/"+c.to)) {
					t.Errorf("RouteAccepted %s %s: %s", got.Status, got.Reason, got.Message)
				}
				if served := slices.Contains(cl.status("qwen").URLs, "http://chat.default.example.com:8888"); served == refused {
					t.Errorf("URLs %v", cl.status("qwen").URLs)
				}
			})
		})
	}
}
