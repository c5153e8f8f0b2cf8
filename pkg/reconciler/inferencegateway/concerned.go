package inferencegateway

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// bound lists the Services that ask for the gateway, or have been bound to it.
func (r *Reconciler) bound() []types.NamespacedName {
	keys := map[types.NamespacedName]bool{}
	for _, key := range r.asking() {
		keys[key] = true
	}
	if c := r.watches.cache(bindings); c != nil {
		for _, key := range cacheKeys(c.GetStore()) {
			keys[key] = true
		}
	}
	return slices.Collect(maps.Keys(keys))
}

// concerned lists the Services that an object matters to which does not belong to them.
func (r *Reconciler) concerned(res resource, u *unstructured.Unstructured) []types.NamespacedName {
	l := u.GetLabels()
	switch {
	case res.GroupVersionResource == httpRoutes && !managed(u):
		return r.ledger.serving(hostsOf(u))
	case l[inference.GatewayNameKey] != "" && managed(u):
		return append(r.asking(), keeper(u))
	case res.GroupVersionResource == gatewayClasses:
		return r.asking()
	case l[inference.OwnerServiceKey] != "":
		return []types.NamespacedName{{Namespace: l[inference.OwnerNamespaceKey], Name: l[inference.OwnerServiceKey]}}
	case res.GroupVersionResource == gateways:
		return r.on(u)
	case res.GroupVersionResource == pools:
		return r.naming(u)
	case res.GroupVersionResource == namespaces:
		return r.in(u.GetName())
	}
	return nil
}

// unowned lists who looks after what no owner reference ties to a Service: such
// an object would stay for good if its Service was deleted while nobody led.
func (r *Reconciler) unowned() (keys []types.NamespacedName) {
	for _, res := range resources() {
		c := r.watches.cache(res.GroupVersionResource)
		if c == nil || !res.ours {
			continue
		}
		for _, obj := range c.GetStore().List() {
			u, ok := obj.(*unstructured.Unstructured)
			if !ok || !managed(u) {
				continue
			}
			switch l := u.GetLabels(); {
			case l[inference.OwnerServiceKey] != "":
				keys = append(keys, types.NamespacedName{Namespace: l[inference.OwnerNamespaceKey],
					Name: l[inference.OwnerServiceKey]})
			case l[inference.GatewayNameKey] != "":
				keys = append(keys, keeper(u))
			}
		}
	}
	return keys
}

// keeper is the key under which an object of a whole Gateway is reconciled when
// no Service asks any more: a Service of that name need not exist.
func keeper(u *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetLabels()[inference.GatewayNameKey]}
}

func hostsOf(route *unstructured.Unstructured) map[string]bool {
	hosts := map[string]bool{}
	list, _, _ := unstructured.NestedStringSlice(route.Object, "spec", "hostnames")
	for _, h := range list {
		hosts[h] = true
	}
	return hosts
}

// on lists the Services on a Gateway.
func (r *Reconciler) on(gateway *unstructured.Unstructured) []types.NamespacedName {
	return r.where(func(svc *servingv1.Service) bool {
		in, _ := r.intent(svc)
		return in != nil && in.Gateway.Name == gateway.GetName() && in.Gateway.Namespace == gateway.GetNamespace()
	})
}

// naming lists the Services whose annotation names a pool, or that may be waiting for its name.
func (r *Reconciler) naming(pool *unstructured.Unstructured) (keys []types.NamespacedName) {
	all, err := r.services.Services(pool.GetNamespace()).List(labels.Everything())
	if err != nil {
		return nil // a lister's List does not fail
	}
	for _, svc := range all {
		in, _ := r.intent(svc)
		if in != nil && (in.Pool == pool.GetName() || strings.HasPrefix(pool.GetName(), svc.Name)) {
			keys = append(keys, types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name})
		}
	}
	return keys
}

// claiming lists the Services whose annotation names a host of a KIngress.
func (r *Reconciler) claiming(ing *nv1alpha1.Ingress) []types.NamespacedName {
	keys := map[types.NamespacedName]bool{}
	for _, rule := range ing.Spec.Rules {
		for _, host := range rule.Hosts {
			r.indexed(byNamedHost, host, func(svc *servingv1.Service) {
				if in, _ := r.intent(svc); in != nil && slices.Contains(in.Hostnames, host) {
					keys[types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}] = true
				}
			})
		}
	}
	return slices.Collect(maps.Keys(keys))
}

func (r *Reconciler) in(namespace string) []types.NamespacedName {
	return r.where(func(svc *servingv1.Service) bool { return asks(svc) && svc.Namespace == namespace })
}

func (r *Reconciler) where(match func(*servingv1.Service) bool) (keys []types.NamespacedName) {
	all, err := r.services.List(labels.Everything())
	if err != nil {
		return nil // a lister's List does not fail
	}
	for _, svc := range all {
		if match(svc) {
			keys = append(keys, types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name})
		}
	}
	return keys
}

// sameWish is true when two states of a Service ask for the same.
func sameWish(a, b *servingv1.Service) bool {
	return maps.Equal(a.Annotations, b.Annotations) &&
		maps.Equal(a.Spec.Template.Annotations, b.Spec.Template.Annotations) &&
		(a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil)
}
