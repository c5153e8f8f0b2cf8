package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// checkGateway says whether a route can attach.
func (b *builder) checkGateway() bool {
	no := func(reason, format string, args ...any) bool {
		b.find(inference.ConditionRouteAccepted, "False", reason, fmt.Sprintf(format, args...))
		return false
	}
	g, name := b.w.Gateway, b.in.Gateway.Namespace+"/"+b.in.Gateway.Name
	switch {
	case !b.w.Served.HTTPRoute:
		return no(inference.ReasonRouteCRDMissing, "The cluster does not serve HTTPRoute of gateway.networking.k8s.io/v1; install the CRDs of the Gateway API v1.5.1.")
	case b.in.Gateway.Name == "":
		return no(inference.ReasonGatewayNotSet, "No Gateway is named; set %s, or \"gateway\" in the ConfigMap config-inference-gateway.", inference.GatewayKey)
	case !g.Exists:
		return no(inference.ReasonGatewayNotFound, "The Gateway %s does not exist; make it, or name another in %s or in the ConfigMap config-inference-gateway.", name, inference.GatewayKey)
	case g.Controller == "" && b.in.Provider == "":
		return no(inference.ReasonGatewayClassMissing, "The GatewayClass %s of the Gateway %s does not exist; install its implementation.", g.Class, name)
	case !b.can.pools:
		return no(inference.ReasonProviderUnsupported, "The gateway (%s) does not take an InferencePool; use Istio, agentgateway or another of docs/inference-gateway.md.", b.plan.Provider)
	}
	if !b.checkListener(no) {
		return false
	}
	if len(g.Addresses) == 0 {
		no(inference.ReasonGatewayNoAddress, "The Gateway %s has no address; give its Service one (a load balancer, or on Istio the annotation networking.istio.io/service-type: ClusterIP).", name)
	}
	if b.plan.Provider == Unknown {
		b.find(inference.ConditionRouteAccepted, "Unknown", inference.ReasonProviderUnknown,
			fmt.Sprintf("The controller %s of the GatewayClass %s is not known, so only what every gateway can is used; set %s if it is one of ours.", g.Controller, g.Class, inference.ProviderKey))
	}
	return true
}

func (b *builder) checkListener(no func(reason, format string, args ...any) bool) bool {
	name, listeners := b.in.Gateway.Namespace+"/"+b.in.Gateway.Name, b.listeners()
	if len(listeners) == 0 {
		have := []string{}
		for _, l := range b.w.Gateway.Listeners {
			have = append(have, l.Name)
		}
		return no(inference.ReasonListenerNotFound, "The Gateway %s has no listener %q, only %s; correct %s.", name, b.in.Listener, strings.Join(have, ", "), inference.ListenerKey)
	}
	if !slices.ContainsFunc(listeners, func(l Listener) bool { return l.Allowed }) {
		return no(inference.ReasonListenerRefuses, "The listener %s of the Gateway %s does not allow routes of namespace %s; widen its allowedRoutes.namespaces.", listeners[0].Name, name, b.in.Namespace)
	}
	return true
}

// listeners are those that the route may attach to.
func (b *builder) listeners() (out []Listener) {
	for _, l := range b.w.Gateway.Listeners {
		if b.in.Listener == "" || l.Name == b.in.Listener {
			out = append(out, l)
		}
	}
	return out
}

// served says whether a listener takes a host.
func (b *builder) served(host string) bool {
	return slices.ContainsFunc(b.listeners(), func(l Listener) bool {
		suffix, wildcard := strings.CutPrefix(l.Hostname, "*")
		return l.Allowed && (l.Hostname == "" || l.Hostname == host || wildcard && strings.HasSuffix(host, suffix))
	})
}
