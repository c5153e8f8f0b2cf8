// Package ingress is what the two TEST-ONLY ingresses of the cluster share: they follow the
// Knative Ingresses of their class and mark those that they serve as ready.
package ingress

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/networking/pkg/client/informers/externalversions"
)

// Follow calls sync with the Ingresses of the class, at once, after every change, and when
// the time that sync returned has gone by, until the context ends. The Ingresses are shared
// with the cache: sync must not change them.
func Follow(
	ctx context.Context, client versioned.Interface, class string,
	sync func([]*v1alpha1.Ingress) (again time.Duration),
) error {
	factory := externalversions.NewSharedInformerFactory(client, 0)
	informer := factory.Networking().V1alpha1().Ingresses().Informer()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(_, _ any) { notify() }, DeleteFunc: func(any) { notify() },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
	for again := time.Duration(0); ; again = sync(ofClass(informer.GetStore().List(), class)) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(again):
		}
	}
}

func ofClass(objects []any, class string) []*v1alpha1.Ingress {
	var mine []*v1alpha1.Ingress
	for _, o := range objects {
		ing, ok := o.(*v1alpha1.Ingress)
		if ok && ing.Annotations[networking.IngressClassAnnotationKey] == class && ing.DeletionTimestamp == nil {
			mine = append(mine, ing)
		}
	}
	return mine
}

// IsReady reports whether the status says ready for the Ingress as it is now.
func IsReady(ing *v1alpha1.Ingress) bool {
	return ing.Status.ObservedGeneration == ing.Generation && ing.IsReady()
}

// MarkReady writes a ready status that names the domain of the load balancer.
func MarkReady(ctx context.Context, client versioned.Interface, ing *v1alpha1.Ingress, domain string) error {
	ing = ing.DeepCopy()
	ing.Status.InitializeConditions()
	ing.Status.MarkNetworkConfigured()
	lb := []v1alpha1.LoadBalancerIngressStatus{{DomainInternal: domain}}
	ing.Status.MarkLoadBalancerReady(lb, lb)
	ing.Status.ObservedGeneration = ing.Generation
	_, err := client.NetworkingV1alpha1().Ingresses(ing.Namespace).UpdateStatus(ctx, ing, metav1.UpdateOptions{})
	return err
}
