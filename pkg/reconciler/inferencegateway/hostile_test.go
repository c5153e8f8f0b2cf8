package inferencegateway

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// FuzzHostileWorld holds that no order of events has the reconciler write or delete
// an object that is not ours: one without our label, or with somebody else as its
// controller, under whatever name, labels and plain owners.
func FuzzHostileWorld(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{0x10, 0, 0x21, 0, 0x32, 0, 0x43, 1, 6, 0, 6, 0, 0x54, 0, 0x65, 0, 6, 0x76})
	f.Add([]byte{0, 0, 2, 0, 0x1f, 0x2f, 0x3f, 0x4f, 0x5f, 1, 6, 0, 6, 0, 4, 0, 6, 0})
	f.Add([]byte{0x0f, 0x1f, 0x2f, 0x3f, 0x4f, 0x5f, 0x6f, 0x7f, 0x8f, 0x9f, 0xaf, 0xbf, 0xcf, 0xdf, 0xef, 0xff, 0, 2, 6, 0, 1, 0, 6, 0, 5, 0, 6, 0})
	f.Add([]byte{0x0e, 0x1d, 0x2c, 0x3b, 0x4e, 0x5d, 0x6c, 0x7b, 0x8e, 0x9d, 3, 0, 2, 0, 6, 0, 1, 0, 6, 0})
	f.Add([]byte{0, 2, 0, 5, 0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x6f, 0x7e, 0x8d, 0x9c, 0xab, 0xba, 0, 6, 0, 0, 6, 0})
	f.Fuzz(func(t *testing.T, events []byte) {
		inCluster(t, func(c *cluster) {
			h := &hostile{cluster: c, names: c.ourNames(), foreign: map[name]*unstructured.Unstructured{}}
			h.svc = c.service("qwen", asked)
			for _, event := range events[:min(len(events), 64)] {
				h.happen(event)
			}
			h.look() // whatever is left to do
			c.pass(drainTime)
			h.look()
		})
	})
}

// name is where an object is.
type name struct {
	schema.GroupVersionResource
	types.NamespacedName
}

// hostile is a cluster in which somebody takes the names that we need.
type hostile struct {
	*cluster
	svc     *servingv1.Service
	names   []name
	foreign map[name]*unstructured.Unstructured
}

// ourNames are those of the objects that a Service needs here, found by having one
// and taking it away again.
func (c *cluster) ourNames() (names []name) {
	c.Helper()
	svc := c.service("qwen", asked)
	c.settle("qwen")
	for _, res := range resources() {
		for _, u := range c.list(res.GroupVersionResource) {
			if res.ours && managed(u) {
				names = append(names, name{res.GroupVersionResource, types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}})
			}
		}
	}
	if len(names) < 8 {
		c.Fatalf("a Service has the objects %v only", names)
	}
	c.annotate(svc, nil)
	c.reconcile("qwen")
	c.pass(drainTime)
	c.reconcile("qwen")
	for _, n := range names {
		if _, err := c.client.Tracker().Get(n.GroupVersionResource, n.Namespace, n.Name); err == nil {
			c.Fatalf("%v stays", n)
		}
	}
	return names
}

// happen lets one event come: below 8 of the Service and of time, above of somebody else.
func (h *hostile) happen(event byte) {
	h.Helper()
	switch {
	case event >= 8:
		h.take(h.names[int(event>>4)%len(h.names)], event&0xf)
		return
	case event == 1:
		h.annotate(h.svc, nil)
	case event == 2:
		h.annotate(h.svc, asked)
	case event == 3:
		h.annotate(h.svc, with(map[string]string{inference.PoolModeKey: "revision"}))
	case event == 4:
		h.annotate(h.svc, with(map[string]string{inference.PoolModeKey: "nonsense"}))
	case event == 5:
		if err := h.services.Delete(h.svc); err != nil {
			h.Fatal(err)
		}
		h.r.ledger, h.r.stale = ledger{}, firstSeen{} // and another replica leads
	case event == 6:
		h.pass(drainTime)
	case event == 7:
		h.ready()
	}
	h.look()
}

// look reconciles the Service and the Gateway's keeper, and compares what is not ours.
func (h *hostile) look() {
	h.Helper()
	for _, key := range []string{"default/qwen", "knative-serving/knative-gateway"} {
		_ = h.r.Reconcile(h.Context(), key) // what is in the way is an error
		synctest.Wait()
	}
	if h.panics > 0 {
		h.Fatal("a panic was contained")
	}
	for n, before := range h.foreign {
		after, err := h.client.Tracker().Get(n.GroupVersionResource, n.Namespace, n.Name)
		if err != nil {
			h.Errorf("%v was deleted: labels %v, owners %v", n, before.GetLabels(), before.GetOwnerReferences())
			delete(h.foreign, n)
			continue
		}
		now := after.(*unstructured.Unstructured).DeepCopy()
		delete(now.Object, "status") // ready writes that, as Kubernetes would
		if diff := cmp.Diff(before.Object, now.Object); diff != "" {
			h.Errorf("%v was changed (-before +after):\n%s", n, diff)
			delete(h.foreign, n)
		}
	}
}

// take puts an object of somebody else under a name that we need, with some of our
// labels and owners; in the place of ours, as somebody may who has the rights.
func (h *hostile) take(n name, form byte) {
	h.Helper()
	if _, err := h.client.Tracker().Get(n.GroupVersionResource, n.Namespace, n.Name); err == nil {
		h.delete(n.GroupVersionResource, n.Namespace, n.Name)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"theirs": true}}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: n.Group, Version: n.Version, Kind: kindOf(n.GroupVersionResource)})
	u.SetNamespace(n.Namespace)
	u.SetName(n.Name)
	labels, controlled, yes := map[string]string{}, form&1 != 0, true
	if form&2 != 0 {
		labels[inference.GatewayNameKey] = "knative-gateway"
	}
	if form&4 != 0 {
		labels[inference.OwnerNamespaceKey], labels[inference.OwnerServiceKey] = "default", "qwen"
	}
	var owners []metav1.OwnerReference
	if form&8 != 0 {
		owners = append(owners, ownerOf(h.svc).reference(false))
	}
	if controlled { // then our label does not make it ours
		labels[inference.ManagedByKey] = inference.ManagedBy
		owners = append(owners, metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "theirs", UID: "theirs", Controller: &yes})
	}
	u.SetLabels(labels)
	u.SetOwnerReferences(owners)
	h.stamp(u)
	if err := h.client.Tracker().Create(n.GroupVersionResource, u, n.Namespace); err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
	h.foreign[n] = u.DeepCopy()
}

// Every name and every form of a foreign object, alone, through the whole life of a Service.
func TestReconcile_neverTouchesWhatIsNotOurs(t *testing.T) {
	for form := range byte(16) {
		inCluster(t, func(c *cluster) {
			h := &hostile{cluster: c, names: c.ourNames(), foreign: map[name]*unstructured.Unstructured{}}
			for _, n := range h.names {
				h.svc = c.service("qwen", asked)
				h.take(n, form)
				for _, event := range []byte{2, 7, 2, 1, 6, 2, 7, 5, 6} {
					h.happen(event)
				}
				delete(h.foreign, n)
				if slices.ContainsFunc(c.list(n.GroupVersionResource), func(u *unstructured.Unstructured) bool { return u.GetName() == n.Name }) {
					c.delete(n.GroupVersionResource, n.Namespace, n.Name)
				}
			}
		})
	}
}
