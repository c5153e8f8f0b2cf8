//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// The kinds of the inference extension deleted and restored: the binding says
// what is missing, Knative serves on, nothing restarts, and all comes back.
//
// Sequential: the kinds are everybody's.
func TestGatewayKindsDeletedAndRestored(t *testing.T) {
	onlyInFull(t)
	needGateway(t)
	s := standIn(t, namespaceFor(t), "kinds", annotations{"min-scale": "1"}).
		behindGateway(map[string]string{"knative-inference.dev/priority": "3"}).start()
	q := question{host: s.host()}
	q.waitServed(t)
	s.waitCondition("Ready", "True")
	restarts := restartsOfProduct(t)
	objective := takeDefinition(t, "inferenceobjectives.inference.networking.x-k8s.io")
	s.waitCondition("ObjectiveApplied", "False", "InferenceObjectiveCRDMissing")
	objective()
	s.waitCondition("ObjectiveApplied", "True")
	pool := takeDefinition(t, "inferencepools.inference.networking.k8s.io")
	s.waitCondition("PoolAccepted", "False", "InferencePoolCRDMissing")
	s.waitCondition("Ready", "False")
	pool()
	s.waitCondition("Ready", "True")
	q.waitServed(t)
	if now := restartsOfProduct(t); now != restarts {
		t.Errorf("the adapter restarted: %d times, before %d", now, restarts)
	}
}

// takeDefinition deletes a CRD and returns what restores it.
func takeDefinition(t *testing.T, name string) (restore func()) {
	t.Helper()
	all := cluster.dynamic.Resource(definitions)
	crd, err := all.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fresh(crd))
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore = func() {
		if restored {
			return
		}
		restored = true
		ctx, cancel := context.WithTimeout(context.Background(), slowness*settle)
		defer cancel()
		if err := testbed.Poll(ctx, time.Second, func() (bool, string) {
			_, err := testbed.Kubectl(ctx, string(text), "apply", "--server-side", "-f", "-")
			return err == nil, errorText(err)
		}); err != nil {
			t.Errorf("restoring %s: %v", name, err)
		}
	}
	t.Cleanup(restore) // the next test needs it, whatever happened here
	return restore
}

func fresh(crd *unstructured.Unstructured) map[string]any {
	c := crd.DeepCopy()
	unstructured.RemoveNestedField(c.Object, "status")
	for _, f := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(c.Object, "metadata", f)
	}
	return c.Object
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func restartsOfProduct(t *testing.T) int {
	t.Helper()
	pods, err := cluster.kube.CoreV1().Pods(ownNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: partsSelector})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range pods.Items {
		for _, c := range p.Status.ContainerStatuses {
			n += int(c.RestartCount)
		}
	}
	return n
}
