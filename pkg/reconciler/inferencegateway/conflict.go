package inferencegateway

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// conflicts finds routes of others that take requests of ours: same listener,
// host and match, and older, so that the Gateway API gives them the request.
// Knative's own routes match "/", which is less specific, and do not conflict.
func (r *Reconciler) conflicts(b bound, plan manifest.Plan) []manifest.Finding {
	cache := r.watches.cache(httpRoutes)
	if cache == nil {
		return nil
	}
	var findings []manifest.Finding
	for _, obj := range plan.Objects {
		if obj.GetKind() != "HTTPRoute" {
			continue
		}
		mine := r.watches.get(httpRoutes, obj.GetNamespace(), obj.GetName())
		for _, other := range cache.GetStore().List() {
			theirs := other.(*unstructured.Unstructured)
			if managed(theirs) || mine != nil && older(mine, theirs) || !r.sameListener(b, theirs) {
				continue
			}
			if host, match := overlap(obj.Unstructured, theirs); host != "" {
				findings = append(findings, manifest.Finding{
					Type: inference.ConditionRouteAccepted, Status: string(metav1.ConditionFalse), Reason: inference.ReasonHostConflict,
					Message: fmt.Sprintf("HTTPRoute %s/%s has %s on host %s of the same listener and is older, so it gets the requests; remove that match there, or name other hosts or another listener.",
						theirs.GetNamespace(), theirs.GetName(), match, host),
				})
			}
		}
	}
	slices.SortFunc(findings, func(a, b manifest.Finding) int { return strings.Compare(a.Message, b.Message) })
	return findings
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
func (r *Reconciler) sameListener(b bound, route *unstructured.Unstructured) bool {
	for _, p := range slice(route.Object, "spec", "parentRefs") {
		ns := text(p, "namespace")
		if ns == "" {
			ns = route.GetNamespace()
		}
		section := text(p, "sectionName")
		if text(p, "name") == b.intent.Gateway.Name && ns == b.intent.Gateway.Namespace && (section == "" || b.intent.Listener == "" || section == b.intent.Listener) {
			return true
		}
	}
	return false
}

// overlap returns a host and a match that both routes have.
func overlap(mine, theirs *unstructured.Unstructured) (host, match string) {
	hosts := hostsOf(theirs)
	for _, h := range sortedKeys(hostsOf(mine)) {
		if !hosts[h] && len(hosts) > 0 {
			continue
		}
		if m := commonMatch(mine, theirs); m != "" {
			return h, m
		}
	}
	return "", ""
}

func commonMatch(mine, theirs *unstructured.Unstructured) string {
	others := matchesOf(theirs)
	for _, m := range matchesOf(mine) {
		if slices.ContainsFunc(others, func(o map[string]any) bool { return reflect.DeepEqual(o, m) }) {
			return strings.TrimSpace(text(m, "method") + " " + text(m, "path", "value"))
		}
	}
	return ""
}

// matchesOf lists all matches of a route, as the API server writes them.
func matchesOf(route *unstructured.Unstructured) (out []map[string]any) {
	for _, rule := range slice(route.Object, "spec", "rules") {
		out = append(out, slice(rule, "matches")...)
	}
	return out
}
