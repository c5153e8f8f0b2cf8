package inferencegateway

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// gateway is the Gateway that an Intent names, as it is.
func (r *Reconciler) gateway(in binding.Intent) manifest.Gateway {
	gw := r.watches.get(gateways, in.Gateway.Namespace, in.Gateway.Name)
	if gw == nil {
		return manifest.Gateway{}
	}
	out := manifest.Gateway{Exists: true, Class: text(gw.Object, "spec", "gatewayClassName")}
	if class := r.watches.get(gatewayClasses, "", out.Class); class != nil {
		out.Controller = text(class.Object, "spec", "controllerName")
	}
	for _, a := range slice(gw.Object, "status", "addresses") {
		if v := text(a, "value"); v != "" {
			out.Addresses = append(out.Addresses, v)
		}
	}
	for _, l := range slice(gw.Object, "spec", "listeners") {
		port, _, _ := unstructured.NestedInt64(l, "port")
		out.Listeners = append(out.Listeners, manifest.Listener{
			Name: text(l, "name"), Port: int32(port), Protocol: text(l, "protocol"), Hostname: text(l, "hostname"),
			Allowed: r.allowed(l, in.Gateway.Namespace, in.Namespace),
		})
	}
	return out
}

// allowed tells whether a listener lets HTTPRoutes of a namespace attach; by
// default only those of the Gateway's own namespace.
func (r *Reconciler) allowed(listener map[string]any, own, namespace string) bool {
	if !takesHTTPRoutes(listener) {
		return false
	}
	switch from := text(listener, "allowedRoutes", "namespaces", "from"); from {
	case "All":
		return true
	case "", "Same":
		return own == namespace
	case "Selector":
		selector, ok := selectorOf(listener)
		ns := r.watches.get(namespaces, "", namespace)
		return ok && ns != nil && selector.Matches(labels.Set(ns.GetLabels()))
	}
	return false
}

// takesHTTPRoutes follows the listener's protocol unless it names kinds.
func takesHTTPRoutes(listener map[string]any) bool {
	kinds := slice(listener, "allowedRoutes", "kinds")
	if len(kinds) == 0 {
		protocol := text(listener, "protocol")
		return protocol == "HTTP" || protocol == "HTTPS"
	}
	for _, k := range kinds {
		if group, given := k["group"]; text(k, "kind") == "HTTPRoute" && (!given || group == gatewayGroup) {
			return true
		}
	}
	return false
}

func selectorOf(listener map[string]any) (labels.Selector, bool) {
	m, ok, _ := unstructured.NestedMap(listener, "allowedRoutes", "namespaces", "selector")
	if !ok {
		return nil, false
	}
	var s metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, &s); err != nil {
		return nil, false
	}
	selector, err := metav1.LabelSelectorAsSelector(&s)
	return selector, err == nil
}

// text is a string field, empty when it is missing or something else.
func text(m map[string]any, path ...string) string {
	s, _, _ := unstructured.NestedString(m, path...)
	return s
}

// slice is a list of objects, without what is none. It shares the memory of m.
func slice(m map[string]any, path ...string) (out []map[string]any) {
	v, _, _ := unstructured.NestedFieldNoCopy(m, path...)
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}
