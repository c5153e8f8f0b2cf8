package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/ingress"
)

var routeResource = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// syncer is used by one goroutine.
type syncer struct {
	knative versioned.Interface
	dynamic dynamic.Interface
	gateway types.NamespacedName
	service string
}

// sync reports whether every Ingress has its routes and is ready.
func (s *syncer) sync(ctx context.Context, mine []*v1alpha1.Ingress) bool {
	all := true
	for _, ing := range mine {
		if err := s.syncOne(ctx, ing); err != nil {
			log.Printf("%s/%s: %v", ing.Namespace, ing.Name, err)
			all = false
		}
	}
	return all
}

func (s *syncer) syncOne(ctx context.Context, ing *v1alpha1.Ingress) error {
	client := s.dynamic.Resource(routeResource).Namespace(ing.Namespace)
	wanted := map[string]bool{}
	ready := ingress.IsReady(ing)
	for _, r := range routes(ing, s.gateway) {
		wanted[r.GetName()] = true
		got, err := client.Apply(ctx, r.GetName(), r, metav1.ApplyOptions{FieldManager: "gatewayingress", Force: true})
		if err != nil {
			return err
		}
		if ready {
			continue
		}
		if why := accepted(got); why != "" {
			return fmt.Errorf("HTTPRoute %s: %s", r.GetName(), why)
		}
		if err := s.probe(ctx, r.GetName()); err != nil {
			return err
		}
	}
	if err := s.prune(ctx, ing, wanted); err != nil || ready {
		return err
	}
	return ingress.MarkReady(ctx, s.knative, ing, s.service)
}

// prune removes the routes of hosts that the Ingress no longer has.
func (s *syncer) prune(ctx context.Context, ing *v1alpha1.Ingress, wanted map[string]bool) error {
	client := s.dynamic.Resource(routeResource).Namespace(ing.Namespace)
	old, err := client.List(ctx, metav1.ListOptions{LabelSelector: ingressLabel + "=" + ing.Name})
	if err != nil {
		return err
	}
	for _, r := range old.Items {
		if wanted[r.GetName()] || !metav1.IsControlledBy(&r, ing) {
			continue
		}
		if err := client.Delete(ctx, r.GetName(), metav1.DeleteOptions{}); err != nil && !apierrs.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// probe asks the Gateway for the host: a 404 means that the route is not there yet.
func (s *syncer) probe(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.service+"/", nil)
	if err != nil {
		return err
	}
	req.Host = host
	req.Header.Set("K-Network-Probe", "probe") // answered by the activator and by queue-proxy
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return fmt.Errorf("the Gateway does not know %s yet", host)
	}
	return nil
}
