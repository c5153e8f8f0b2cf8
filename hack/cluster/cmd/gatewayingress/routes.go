package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

const (
	routeVersion    = "gateway.networking.k8s.io/v1"
	ingressLabel    = "networking.knative.dev/ingress"
	visibilityLabel = "networking.knative.dev/visibility"
)

// object is a piece of JSON.
type object = map[string]any

// routes are the HTTPRoutes of one Ingress: one for each rule, named after its longest host,
// on the whole Gateway (no sectionName).
func routes(ing *v1alpha1.Ingress, gateway types.NamespacedName) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil || len(rule.Hosts) == 0 {
			continue
		}
		r := &unstructured.Unstructured{Object: object{
			"apiVersion": routeVersion, "kind": "HTTPRoute",
			"spec": object{
				"parentRefs": []any{object{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": gateway.Namespace, "name": gateway.Name}},
				"hostnames":  list(rule.Hosts),
				"rules":      rules(rule.HTTP.Paths),
			},
		}}
		r.SetNamespace(ing.Namespace)
		r.SetName(longest(rule.Hosts))
		labels := maps.Clone(ing.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ingressLabel], labels[visibilityLabel] = ing.Name, visibility(rule)
		r.SetLabels(labels)
		r.SetAnnotations(ing.Annotations)
		r.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(ing, v1alpha1.SchemeGroupVersion.WithKind("Ingress"))})
		all = append(all, r)
	}
	return all
}

func visibility(rule v1alpha1.IngressRule) string {
	if rule.Visibility == v1alpha1.IngressVisibilityClusterLocal {
		return "cluster-local"
	}
	return ""
}

func longest(hosts []string) string {
	return slices.MaxFunc(hosts, func(a, b string) int { return len(a) - len(b) })
}

func rules(paths []v1alpha1.HTTPIngressPath) []any {
	var all []any
	for _, p := range paths {
		prefix := p.Path
		if prefix == "" {
			prefix = "/"
		}
		match := object{"path": object{"type": "PathPrefix", "value": prefix}}
		if len(p.Headers) > 0 {
			var headers []any
			for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
				headers = append(headers, object{"type": "Exact", "name": name, "value": p.Headers[name].Exact})
			}
			match["headers"] = headers
		}
		rule := object{"matches": []any{match}, "backendRefs": backends(p.Splits)}
		var filters []any
		if len(p.AppendHeaders) > 0 {
			filters = append(filters, setHeaders(p.AppendHeaders))
		}
		if p.RewriteHost != "" {
			filters = append(filters, object{"type": "URLRewrite", "urlRewrite": object{"hostname": p.RewriteHost}})
		}
		if len(filters) > 0 {
			rule["filters"] = filters
		}
		all = append(all, rule)
	}
	return all
}

func backends(splits []v1alpha1.IngressBackendSplit) []any {
	var all []any
	for _, s := range splits {
		ref := object{"group": "", "kind": "Service", "name": s.ServiceName, "port": int64(s.ServicePort.IntValue()), "weight": int64(s.Percent)}
		if len(s.AppendHeaders) > 0 {
			ref["filters"] = []any{setHeaders(s.AppendHeaders)}
		}
		all = append(all, ref)
	}
	return all
}

func setHeaders(h map[string]string) object {
	var set []any
	for _, name := range slices.Sorted(maps.Keys(h)) {
		set = append(set, object{"name": name, "value": h[name]})
	}
	return object{"type": "RequestHeaderModifier", "requestHeaderModifier": object{"set": set}}
}

func list(s []string) []any {
	var all []any
	for _, v := range s {
		all = append(all, v)
	}
	return all
}

// accepted says what keeps a route from being served, "" when nothing does.
func accepted(r *unstructured.Unstructured) string {
	parents, _, _ := unstructured.NestedSlice(r.Object, "status", "parents")
	if len(parents) == 0 {
		return "no Gateway has taken it"
	}
	var missing []string
	for _, p := range parents {
		parent, _ := p.(object)
		conditions, _, _ := unstructured.NestedSlice(parent, "conditions")
		for _, want := range []string{"Accepted", "ResolvedRefs"} {
			if !isTrue(conditions, want, r.GetGeneration()) {
				missing = append(missing, want)
			}
		}
	}
	return strings.Join(missing, ", ")
}

func isTrue(conditions []any, kind string, generation int64) bool {
	for _, c := range conditions {
		condition, _ := c.(object)
		if condition["type"] == kind {
			return condition["status"] == "True" && fmt.Sprint(condition["observedGeneration"]) == fmt.Sprint(generation)
		}
	}
	return false
}
