package inferencegateway

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Pools lists every InferencePool that is known now, ours and others', on every
// replica; none while their CRD is missing. They must not be changed.
func (c *Controller) Pools() []*unstructured.Unstructured {
	w := c.reconciler.watches.cache(pools)
	if w == nil {
		return nil
	}
	var all []*unstructured.Unstructured
	for _, obj := range w.GetStore().List() {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			all = append(all, u)
		}
	}
	return all
}

// KeptOut tells, on every replica, of a Service that does not agree with the pool
// it names, as its InferenceBinding has it: the leader's last word.
func (c *Controller) KeptOut(namespace, service string) bool {
	return c.reconciler.keptOut(namespace, service)
}

func (r *Reconciler) keptOut(namespace, service string) bool {
	live := r.watches.get(bindings, namespace, service)
	if live == nil {
		return false
	}
	said := liveCondition(live.Object, inference.ConditionPoolAccepted)
	return said.status == "False" && said.reason == inference.ReasonPoolMismatch
}
