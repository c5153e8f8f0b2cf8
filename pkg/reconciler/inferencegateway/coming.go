package inferencegateway

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

const (
	// introduction is how long the Gateway must have accepted the coming route of a pool before
	// requests are led to the pool. The acceptance is istiod's word; Envoy has the pool when
	// istiod's next push has come to each of its workers.
	introduction = 3 * time.Second
	// maxIntroduction ends the wait of a Service for a Gateway that does not accept its coming
	// route, or for the route itself where it cannot be written.
	maxIntroduction = time.Minute
)

// ownRoutes are the HTTPRoutes of a Service as they are. One that is not as we wrote it is left out: it is
// written anew.
func (r *Reconciler) ownRoutes(svc *servingv1.Service) (routes []*gatewayv1.HTTPRoute) {
	for _, u := range r.watches.list(httpRoutes, byOwner, string(svc.UID)) {
		if live, err := decode[gatewayv1.HTTPRoute](u); err == nil {
			routes = append(routes, live)
		}
	}
	return routes
}

// servingPools names the pools that requests reach by these routes of a Service.
func servingPools(service string, routes []*gatewayv1.HTTPRoute) (names []string) {
	for _, route := range routes {
		if route.Name != manifest.ComingRoute(service) {
			names = append(names, poolsNamed(route)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func poolsNamed(route *gatewayv1.HTTPRoute) (names []string) {
	for _, rule := range route.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			if string(value(ref.Kind)) == "InferencePool" {
				names = append(names, string(ref.Name))
			}
		}
	}
	return names
}

// knownPools names the pools that the Gateway has been introduced to: it accepts the coming route that names
// them, and has for a while. The time starts again under another leader and when the route changes.
func (r *Reconciler) knownPools(b bound) []string {
	u := r.watches.get(httpRoutes, b.owner.namespace, manifest.ComingRoute(b.owner.name))
	if u == nil {
		return nil
	}
	live, err := decode[gatewayv1.HTTPRoute](u)
	if err != nil {
		return nil
	}
	version := types.UID(fmt.Sprintf("%s/%d", u.GetUID(), u.GetGeneration()))
	accepted, _, _ := r.verdict(u.GetGeneration(), ofGateway(routeParents(u), b), attached...)
	if accepted != metav1.ConditionTrue {
		r.accepted.forget(version)
	}
	if accepted == metav1.ConditionTrue && r.accepted.age(version, r.now()) >= introduction {
		return poolsNamed(live)
	}
	return nil
}

// introducing says why a route of requests is not changed yet while the Gateway learns of pools. A Service
// waits for maxIntroduction at most, from when its pickers answer; the time starts again under another leader.
func (r *Reconciler) introducing(b bound, plan manifest.Plan, route manifest.Object) *manifest.Finding {
	if len(plan.Coming) == 0 || route.Stage != manifest.StageRoute {
		return nil
	}
	if r.introduced.age(b.owner.uid, r.now()) >= maxIntroduction {
		return nil
	}
	name := manifest.ComingRoute(b.owner.name)
	why := "HTTPRoute " + name + " is not there yet"
	if u := r.watches.get(httpRoutes, b.owner.namespace, name); u != nil {
		why = r.introduction(b, u)
	}
	return &manifest.Finding{
		Type: inference.ConditionRouteAccepted, Status: string(metav1.ConditionUnknown), Reason: "WaitingForGateway",
		Message: fmt.Sprintf("Requests go where they went until the Gateway has accepted InferencePool %s for %v, at most %v: %s.",
			plan.Coming[0], introduction, maxIntroduction, why),
	}
}

func (r *Reconciler) introduction(b bound, coming *unstructured.Unstructured) string {
	status, _, why := r.verdict(coming.GetGeneration(), ofGateway(routeParents(coming), b), attached...)
	if status == metav1.ConditionTrue {
		why = "the Gateway has just accepted it"
	}
	return "HTTPRoute " + coming.GetName() + ", which no client asks for, names it: " + why
}
