package inferencegateway

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/network"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// world collects what manifest.Build needs to know, from caches alone.
func (r *Reconciler) world(svc *servingv1.Service, in binding.Intent) manifest.World {
	routes := r.ownRoutes(svc)
	w := manifest.World{
		ServiceUID: svc.UID, Created: svc.CreationTimestamp.Time, ClusterDomain: network.GetClusterDomainName(),
		Gateway: r.gateway(in), Served: r.watches.kinds(), Revisions: map[string]manifest.Revision{},
		Pool: r.namedPool(in), LiveRules: liveRules(routes), LivePools: r.livePools(svc),
		ServingPools: servingPools(svc.Name, routes), Neighbours: r.neighbours(svc, in),
	}
	w.Main, w.Tags = r.traffic(svc)
	for _, t := range append([]manifest.Traffic{w.Main}, w.Tags...) {
		for _, s := range t.Splits {
			if rev, err := r.revisions.Revisions(svc.Namespace).Get(s.Revision); err == nil {
				w.Revisions[s.Revision] = revisionOf(rev)
			}
		}
	}
	claims := manifest.Claims(in, w.Main.Hosts)
	for _, n := range w.Neighbours {
		claims = append(claims, manifest.Claims(n.Intent, n.Hosts)...)
	}
	w.HostOwners = r.hostOwners(claims)
	return w
}

// hostOwners finds the Knative Services that hosts belong to, in any namespace
// and whether they are bound or not: the oldest, if several have a host.
func (r *Reconciler) hostOwners(hosts []string) map[string]binding.Name {
	owners := map[string]binding.Name{}
	for _, host := range hosts {
		if ingresses := r.knativeIngresses(host); len(ingresses) > 0 {
			owners[host] = binding.Name{Namespace: ingresses[0].Namespace, Name: serviceOf(ingresses[0])}
		}
	}
	return owners
}

// serviceOf is the Service whose hosts a KIngress serves: of its own name, or the
// one that a DomainMapping leads to.
func serviceOf(ing *nv1alpha1.Ingress) string {
	if !has(ing.Labels, serving.DomainMappingUIDLabelKey) {
		return ing.Name
	}
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			if path.RewriteHost != "" && len(path.Splits) == 1 { // others answer certificate challenges
				return path.Splits[0].ServiceName
			}
		}
	}
	return ing.Name
}

// traffic reads the KIngress of a Service; it has none before its first revision is ready.
func (r *Reconciler) traffic(svc *servingv1.Service) (manifest.Traffic, []manifest.Traffic) {
	ing, err := r.ingresses.Ingresses(svc.Namespace).Get(svc.Name)
	if err != nil {
		return manifest.Traffic{}, nil
	}
	return trafficOf(svc, ing)
}

func (w *watches) kinds() manifest.Served {
	s := manifest.Served{
		HTTPRoute: w.defines(httpRoutes), InferencePool: w.serves(pools),
		DestinationRule: w.defines(destRules), EnvoyFilter: w.defines(envoyFilters),
		EnvoyPatchPolicy: w.defines(patchPolicies),
	}
	if c := w.cache(pools); c != nil {
		s.PoolAppProtocol = c.appProtocol
	}
	for _, group := range []string{llmdGroup, objectiveGroup} {
		if w.serves(objectives(group)) {
			s.Objective = append(s.Objective, group)
		}
		if w.serves(rewrites(group)) {
			s.Rewrite = append(s.Rewrite, group)
		}
	}
	return s
}

// namedPool is the pool that the annotation names.
func (r *Reconciler) namedPool(in binding.Intent) *manifest.Pool {
	if in.Pool == "" {
		return nil
	}
	live := r.watches.get(pools, in.Namespace, in.Pool)
	if live == nil {
		return nil
	}
	return &manifest.Pool{Managed: managed(live), Selector: selectorOfPool(live)}
}

// liveRules names the rules of routes.
func liveRules(routes []*gatewayv1.HTTPRoute) (names []string) {
	for _, route := range routes {
		for _, rule := range route.Spec.Rules {
			if name := value(rule.Name); name != "" {
				names = append(names, string(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *Reconciler) livePools(svc *servingv1.Service) (names []string) {
	for _, pool := range r.watches.list(pools, byOwner, string(svc.UID)) {
		if managed(pool) && pool.GetDeletionTimestamp() == nil {
			names = append(names, pool.GetName())
		}
	}
	slices.Sort(names)
	return names
}

// neighbours are the other bindings that manifest.Build needs to know.
func (r *Reconciler) neighbours(svc *servingv1.Service, in binding.Intent) (out []manifest.Neighbour) {
	seen := map[types.UID]bool{svc.UID: true}
	add := func(list []*servingv1.Service) (models []manifest.Neighbour) {
		for _, other := range list {
			if seen[other.UID] || other.DeletionTimestamp != nil {
				continue
			}
			seen[other.UID] = true
			if n, ok := r.neighbour(other); ok && near(in, n.Intent) {
				out = append(out, n)
				if sharesFilter(in, n.Intent) {
					models = append(models, n)
				}
			}
		}
		return models
	}
	// Who may have a host in the body-based router's filter is decided for all of its
	// Services together, so that those that contend for one of their hosts count, too.
	for _, n := range add(r.sharing(in, r.hosts(svc, in))) {
		add(r.sharing(binding.Intent{}, append(n.Hosts, manifest.Claims(n.Intent, n.Hosts)...)))
	}
	slices.SortFunc(out, func(a, b manifest.Neighbour) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.UID, b.UID))
	})
	return out
}

// neighbour is a Service as manifest.Build needs to know it; false for one that is not bound.
func (r *Reconciler) neighbour(svc *servingv1.Service) (manifest.Neighbour, bool) {
	in, problems := r.intent(svc)
	if in == nil || refused(problems) != nil {
		return manifest.Neighbour{}, false
	}
	main, tags := r.traffic(svc)
	return manifest.Neighbour{
		Intent: *in, UID: svc.UID, Created: svc.CreationTimestamp.Time, Hosts: hostsOfTraffic(main, tags),
		Revision: r.largest(svc, main),
	}, true
}

func hostsOfTraffic(main manifest.Traffic, tags []manifest.Traffic) []string {
	hosts := slices.Clone(main.Hosts)
	for _, t := range tags {
		hosts = append(hosts, t.Hosts...)
	}
	return hosts
}

func near(a, b binding.Intent) bool {
	return a.Gateway == b.Gateway || pooled(a, b)
}

// largest is the revision with the largest share, as the Service's own plan has
// it, with the longest timeout of all that take traffic.
func (r *Reconciler) largest(svc *servingv1.Service, main manifest.Traffic) manifest.Revision {
	var out manifest.Revision
	most := int32(0)
	for _, s := range main.Splits {
		rev, err := r.revisions.Revisions(svc.Namespace).Get(s.Revision)
		if err != nil || s.Percent == 0 {
			continue
		}
		this := revisionOf(rev)
		timeout := max(out.Timeout, this.Timeout)
		if s.Percent > most {
			most, out = s.Percent, this
		}
		out.Timeout = timeout
	}
	return out
}
