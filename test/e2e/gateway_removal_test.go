//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// The annotation removed: everything of the gateway is gone, and Knative's own
// path still serves. Asked for again: it is back. The Service deleted: gone.
func TestGatewayGoesWithItsReason(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "leaving", annotations{"min-scale": "1"}).behindGateway(nil).start()
	q := question{host: s.host()}
	q.waitServed(t)
	revision := s.latest()
	s.update(func(svc *servingv1.Service) { delete(svc.Annotations, aiGateway) })
	waitNothingIn(t, s.namespace)
	for _, p := range s.current().pods() {
		for k := range p.Labels {
			if k == "knative-inference.dev/routed" {
				t.Errorf("pod %s still has the label %s", p.Name, k)
			}
		}
	}
	if got := s.latest(); got != revision {
		t.Errorf("a new revision %s was made", got)
	}
	if err := s.sender().Send(t.Context(), load.Shape{Prompt: 1, Tokens: 1}); err != nil {
		t.Errorf("Knative's own path: %v", err)
	}
	s.update(func(svc *servingv1.Service) {
		svc.Annotations = maps.Clone(svc.Annotations)
		svc.Annotations[aiGateway] = "inference"
	})
	q.waitServed(t)
	if err := cluster.knative.ServingV1().Services(s.namespace).Delete(t.Context(), s.name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitNothingIn(t, s.namespace)
}

// A pool of the same name that is somebody else's stays as it is, and the
// binding says so; when it goes, ours comes.
func TestGatewayLeavesForeignObjectsAlone(t *testing.T) {
	t.Parallel()
	needGateway(t)
	namespace := namespaceFor(t)
	pools := cluster.dynamic.Resource(inferencePools).Namespace(namespace)
	foreign, err := pools.Create(t.Context(), foreignPool("taken"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := standIn(t, namespace, "taken", annotations{"min-scale": "1"}).behindGateway(nil).start()
	s.waitCondition("Ready", "False", "NotOwned", "taken")
	waitEvent(t, namespace, "Service", s.name, "NotOwned")
	now, err := pools.Get(t.Context(), "taken", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if now.GetUID() != foreign.GetUID() || now.GetGeneration() != foreign.GetGeneration() || len(now.GetOwnerReferences()) > 0 || len(now.GetLabels()) > 0 {
		t.Errorf("the foreign pool was touched: %v", now.Object)
	}
	if err := pools.Delete(t.Context(), "taken", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	question{host: s.host()}.waitServed(t)
}

func foreignPool(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"selector":          map[string]any{"matchLabels": map[string]any{"app": "somebody-else"}},
			"targetPorts":       []any{map[string]any{"number": int64(8000)}},
			"endpointPickerRef": map[string]any{"name": "nobody", "port": map[string]any{"number": int64(9002)}},
		},
	}}
}

// waitNothingIn waits until the namespace has nothing of the gateway; other
// tests may have theirs beside the Gateway.
func waitNothingIn(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, served, "nothing of the gateway is left", func() (bool, string) {
		all, err := ofGateway(t.Context(), namespace)
		return err == nil && len(all) == 0, fmt.Sprint(all, err)
	})
}
