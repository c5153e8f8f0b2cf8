package inferencegateway

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// The indexes of Services and KIngresses find the Services that share something
// with one Service, so that a change of one costs the same whatever the number of
// the others. Services are indexed by what their annotations name, whether the
// cluster's settings allow it or not: the settings change without an event of the
// Services. What an index finds is therefore compared with the Intent.
const (
	// byPool finds Services by namespace/name of the pool that they name.
	byPool = "ipa-pool"
	// byNamedHost finds Services by the hosts that they name, those of their objectives among them.
	byNamedHost = "ipa-named-host"
	// byModel finds the Services that name models; its only value is itself.
	byModel = "ipa-model"
	// byKnativeHost finds KIngresses by their hosts.
	byKnativeHost = "ipa-knative-host"
)

// sharingIndexers are the indexes of Knative Services.
func sharingIndexers() cache.Indexers {
	anything := binding.Defaults{AllowedHosts: []string{"*"}}
	named := func(pick func(binding.Intent) []string) cache.IndexFunc {
		return func(obj any) ([]string, error) {
			svc, ok := obj.(*servingv1.Service)
			if !ok || !asks(svc) {
				return nil, nil
			}
			in, _ := binding.Parse(svc.Namespace, svc.Name, binding.Annotations(svc), anything)
			if in == nil {
				return nil, nil
			}
			return pick(*in), nil
		}
	}
	return cache.Indexers{
		byPool: named(func(in binding.Intent) []string {
			if in.Pool == "" {
				return nil
			}
			return []string{in.Namespace + "/" + in.Pool}
		}),
		byNamedHost: named(func(in binding.Intent) []string { return manifest.Claims(in, nil) }),
		byModel: named(func(in binding.Intent) []string {
			if len(in.Models) == 0 {
				return nil
			}
			return []string{byModel}
		}),
	}
}

// hostIndexers are the indexes of KIngresses.
func hostIndexers() cache.Indexers {
	return cache.Indexers{byKnativeHost: func(obj any) (hosts []string, _ error) {
		if ing, ok := obj.(*nv1alpha1.Ingress); ok {
			for _, rule := range ing.Spec.Rules {
				hosts = append(hosts, rule.Hosts...)
			}
		}
		slices.Sort(hosts)
		return slices.Compact(hosts), nil
	}}
}

// sharing lists the Services, this one among them, that share a pool or a host with
// an Intent and hosts, and those that name models when this one does, for all of
// them are in the body-based router's filter. It may list more.
func (r *Reconciler) sharing(in binding.Intent, hosts []string) []*servingv1.Service {
	found := map[types.UID]*servingv1.Service{}
	add := func(svc *servingv1.Service) { found[svc.UID] = svc }
	if in.Pool != "" {
		r.indexed(byPool, in.Namespace+"/"+in.Pool, add)
	}
	if len(in.Models) > 0 {
		r.indexed(byModel, byModel, add)
	}
	for _, host := range hosts {
		r.indexed(byNamedHost, host, add)
		r.serving(host, add)
		for i := range host { // the host of an objective is its name, a dash, and a host
			if host[i] == '.' {
				break
			}
			if host[i] == '-' {
				r.serving(host[i+1:], add)
			}
		}
	}
	out := make([]*servingv1.Service, 0, len(found))
	for _, svc := range found {
		out = append(out, svc)
	}
	slices.SortFunc(out, func(a, b *servingv1.Service) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}

// indexed passes on the Services of one value of an index.
func (r *Reconciler) indexed(index, value string, add func(*servingv1.Service)) {
	found, err := r.serviceIndex.ByIndex(index, value)
	if err != nil {
		return // only for an index that sharingIndexers does not have
	}
	for _, obj := range found {
		add(obj.(*servingv1.Service))
	}
}

// serving passes on the Services whose KIngress, which has a Service's name, has a host.
func (r *Reconciler) serving(host string, add func(*servingv1.Service)) {
	for _, ing := range r.knativeIngresses(host) {
		if svc, err := r.services.Services(ing.Namespace).Get(ing.Name); err == nil {
			add(svc)
		}
	}
}

// knativeIngresses lists the KIngresses with a host, the oldest first.
func (r *Reconciler) knativeIngresses(host string) (out []*nv1alpha1.Ingress) {
	found, err := r.ingressIndex.ByIndex(byKnativeHost, host)
	if err != nil {
		return nil // only for an index that hostIndexers does not have
	}
	for _, obj := range found {
		out = append(out, obj.(*nv1alpha1.Ingress))
	}
	slices.SortFunc(out, func(a, b *nv1alpha1.Ingress) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}
