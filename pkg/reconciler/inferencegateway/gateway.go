package inferencegateway

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// gateway is the Gateway that an Intent names, as it is.
func (r *Reconciler) gateway(in binding.Intent) manifest.Gateway {
	gw := typed[gatewayv1.Gateway](r.watches, gateways, in.Gateway.Namespace, in.Gateway.Name)
	if gw == nil {
		return manifest.Gateway{}
	}
	out := manifest.Gateway{Exists: true, Class: string(gw.Spec.GatewayClassName)}
	if class := typed[gatewayv1.GatewayClass](r.watches, gatewayClasses, "", out.Class); class != nil {
		out.Controller = string(class.Spec.ControllerName)
	}
	for _, a := range gw.Status.Addresses {
		if a.Value != "" {
			out.Addresses = append(out.Addresses, a.Value)
		}
	}
	for _, l := range gw.Spec.Listeners {
		out.Listeners = append(out.Listeners, manifest.Listener{
			Name: string(l.Name), Port: l.Port, Protocol: string(l.Protocol), Hostname: string(value(l.Hostname)),
			Allowed: r.allowed(l, in.Gateway.Namespace, in.Namespace),
		})
	}
	return out
}

// allowed reports whether a listener lets HTTPRoutes of a namespace attach; by
// default only those of the Gateway's own namespace.
func (r *Reconciler) allowed(listener gatewayv1.Listener, own, namespace string) bool {
	routes := value(listener.AllowedRoutes)
	if !takesHTTPRoutes(listener.Protocol, routes.Kinds) {
		return false
	}
	from := value(routes.Namespaces)
	switch value(from.From) {
	case gatewayv1.NamespacesFromAll:
		return true
	case "", gatewayv1.NamespacesFromSame:
		return own == namespace
	case gatewayv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(from.Selector) // nil selects nothing
		ns := r.watches.get(namespaces, "", namespace)
		return err == nil && ns != nil && selector.Matches(labels.Set(ns.GetLabels()))
	default:
		return false
	}
}

// takesHTTPRoutes follows the listener's protocol unless it names kinds.
func takesHTTPRoutes(protocol gatewayv1.ProtocolType, kinds []gatewayv1.RouteGroupKind) bool {
	if len(kinds) == 0 {
		return protocol == gatewayv1.HTTPProtocolType || protocol == gatewayv1.HTTPSProtocolType
	}
	return slices.ContainsFunc(kinds, func(k gatewayv1.RouteGroupKind) bool {
		return k.Kind == "HTTPRoute" && (k.Group == nil || *k.Group == gatewayGroup)
	})
}

// value is what a pointer points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
