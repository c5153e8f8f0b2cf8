package inferencegateway

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
