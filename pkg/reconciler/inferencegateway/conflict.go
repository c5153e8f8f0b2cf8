package inferencegateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// conflicts finds routes of others that take requests of ours: same listener,
// host and match, and older, so that the Gateway API gives them the request.
// Knative's own routes match "/" and do not conflict: that is less specific than what
// inference has, and just what our route for other paths is for.
func (r *Reconciler) conflicts(b bound, plan manifest.Plan) []manifest.Finding {
	var findings []manifest.Finding
	for _, obj := range plan.Objects {
		if obj.GetKind() != "HTTPRoute" {
			continue
		}
		ours, err := decode[gatewayv1.HTTPRoute](obj.Unstructured)
		if err != nil {
			continue // rendered from the type
		}
		mine := r.watches.get(httpRoutes, obj.GetNamespace(), obj.GetName())
		for _, other := range r.foreignRoutes(ours.Spec.Hostnames) {
			if mine != nil && older(mine, other) {
				continue
			}
			theirs, err := decode[gatewayv1.HTTPRoute](other)
			if err != nil || !sameListener(b, theirs) {
				continue
			}
			if host, match := overlap(ours, theirs); match != "" {
				findings = append(findings, manifest.Finding{
					Type: inference.ConditionRouteAccepted, Status: string(metav1.ConditionFalse),
					Reason: inference.ReasonHostConflict,
					Message: fmt.Sprintf("HTTPRoute %s/%s has %s on host %s of the same listener and is older, so it gets the requests; remove that match there, or name other hosts or another listener.",
						theirs.Namespace, theirs.Name, match, host),
				})
			}
		}
	}
	slices.SortFunc(findings, func(a, b manifest.Finding) int { return strings.Compare(a.Message, b.Message) })
	return findings
}

// foreignRoutes lists the routes of others that have one of the hosts, or no host, which is every host.
func (r *Reconciler) foreignRoutes(hosts []gatewayv1.Hostname) (out []*unstructured.Unstructured) {
	seen := map[types.NamespacedName]bool{}
	for _, h := range append([]gatewayv1.Hostname{everyHost}, hosts...) {
		for _, route := range r.watches.list(httpRoutes, byHost, string(h)) {
			key := types.NamespacedName{Namespace: route.GetNamespace(), Name: route.GetName()}
			if !seen[key] {
				seen[key] = true
				out = append(out, route)
			}
		}
	}
	return out
}

// older follows the Gateway API: creation time, then namespace/name.
func older(a, b *unstructured.Unstructured) bool {
	ta, tb := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !ta.Equal(&tb) {
		return ta.Before(&tb)
	}
	return a.GetNamespace()+"/"+a.GetName() < b.GetNamespace()+"/"+b.GetName()
}

// sameListener is true when a route attaches where ours does.
func sameListener(b bound, route *gatewayv1.HTTPRoute) bool {
	return slices.ContainsFunc(route.Spec.ParentRefs, func(p gatewayv1.ParentReference) bool {
		ns, section := cmp.Or(string(value(p.Namespace)), route.Namespace), string(value(p.SectionName))
		return string(p.Name) == b.intent.Gateway.Name && ns == b.intent.Gateway.Namespace &&
			(section == "" || b.intent.Listener == "" || section == b.intent.Listener)
	})
}

// overlap returns a host and a match that both routes have; the match is empty if there is none.
func overlap(mine, theirs *gatewayv1.HTTPRoute) (host, match string) {
	for _, h := range slices.Sorted(slices.Values(mine.Spec.Hostnames)) {
		if len(theirs.Spec.Hostnames) == 0 || slices.Contains(theirs.Spec.Hostnames, h) {
			return string(h), commonMatch(mine, theirs)
		}
	}
	return "", ""
}

// commonMatch is the text of a match for inference that both routes have, as the API server
// writes matches. Ours for other paths, the only one without a method, gives way to an older
// route, such as Knative's own.
func commonMatch(mine, theirs *gatewayv1.HTTPRoute) string {
	others := matchesOf(theirs)
	for _, m := range matchesOf(mine) {
		if m.Method != nil && slices.ContainsFunc(others, func(o gatewayv1.HTTPRouteMatch) bool {
			return equality.Semantic.DeepEqual(o, m)
		}) {
			return strings.TrimSpace(string(value(m.Method)) + " " + value(value(m.Path).Value))
		}
	}
	return ""
}

func matchesOf(route *gatewayv1.HTTPRoute) (out []gatewayv1.HTTPRouteMatch) {
	for _, rule := range route.Spec.Rules {
		out = append(out, rule.Matches...)
	}
	return out
}
