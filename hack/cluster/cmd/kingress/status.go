package main

import (
	"context"
	"log"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"
)

func ours(objects []any) []*v1alpha1.Ingress {
	var mine []*v1alpha1.Ingress
	for _, o := range objects {
		ing, ok := o.(*v1alpha1.Ingress)
		if ok && ing.Annotations[networking.IngressClassAnnotationKey] == class && ing.DeletionTimestamp == nil {
			mine = append(mine, ing)
		}
	}
	return mine
}

// markReady reports whether every Ingress now carries a ready status of its own generation.
func markReady(ctx context.Context, client versioned.Interface, mine []*v1alpha1.Ingress, internal string) bool {
	all := true
	for _, ing := range mine {
		if ing.Status.ObservedGeneration == ing.Generation && ing.IsReady() {
			continue
		}
		ing = ing.DeepCopy()
		ing.Status.InitializeConditions()
		ing.Status.MarkNetworkConfigured()
		lb := []v1alpha1.LoadBalancerIngressStatus{{DomainInternal: internal}}
		ing.Status.MarkLoadBalancerReady(lb, lb)
		ing.Status.ObservedGeneration = ing.Generation
		_, err := client.NetworkingV1alpha1().Ingresses(ing.Namespace).UpdateStatus(ctx, ing, metav1.UpdateOptions{})
		if err == nil {
			continue
		}
		all = false
		if !apierrs.IsConflict(err) && !apierrs.IsNotFound(err) {
			log.Print(err)
		}
	}
	return all
}
