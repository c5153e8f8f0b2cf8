package manifest

import (
	"fmt"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// The API of Envoy Gateway's patches.
const (
	patchPolicyVersion = "gateway.envoyproxy.io/v1alpha1"
	patchPolicyKind    = "EnvoyPatchPolicy"

	envoyListener = "type.googleapis.com/envoy.config.listener.v3.Listener"
	envoyRoutes   = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
)

// renderPatchPolicies writes what Envoy Gateway needs besides the route: fractions of a
// split, and the header of an objective. Envoy Gateway parses and writes all routes of a listener
// for each patch, so a Service without shares and priorities has no policy.
func (b *builder) renderPatchPolicies() {
	if !b.can.patchPolicies || !b.w.Served.EnvoyPatchPolicy || len(b.groups) == 0 || !b.wantsPatches() {
		return
	}
	patches := list{}
	for _, rule := range b.ruleNames() {
		for _, name := range b.configurations(b.listeners()) {
			patches = append(patches, b.rulePatches(name, rule)...)
		}
	}
	if len(patches) == 0 {
		return
	}
	b.add(StageFilter, b.patchPolicyID(scoped(b.in.Namespace, b.in.Service)), b.patchPolicy(patches))
	if b.patchesObjective() {
		b.renderMutationPolicy()
	}
}

// patchesObjective is true for a Service whose priorities a route of the gateway must say.
func (b *builder) patchesObjective() bool { return b.wantsObjective() && b.setsObjective() }

// wantsPatches is true for a Service with objectives that we apply, or with shares.
func (b *builder) wantsPatches() bool {
	return b.patchesObjective() ||
		slices.ContainsFunc(b.groups, func(g group) bool { return len(g.shares) > 1 })
}

func (b *builder) patchPolicyID(name string) identity {
	return identity{patchPolicyVersion, patchPolicyKind, b.in.Gateway.Namespace, name, "filter"}
}

func (b *builder) patchPolicy(patches list) fields {
	return fields{"spec": fields{"targetRef": b.gatewayRef()[0], "type": "JSONPatch", "jsonPatches": patches}}
}

// rulePatches are the patches of the routes that Envoy Gateway makes of a rule, which it marks
// with the rule's name.
func (b *builder) rulePatches(configuration, rule string) (out list) {
	patch := b.patch(rule)
	routes := fmt.Sprintf("..routes[?(@.metadata.filter_metadata['envoy-gateway'].resources[0].sectionName=='%s')]", rule)
	add := func(path string, value any) {
		out = append(out, fields{"type": envoyRoutes, "name": configuration,
			"operation": fields{"op": "add", "jsonPath": routes, "path": path, "value": value}})
	}
	if match, ok := patch["match"].(fields); ok {
		add("match/runtime_fraction", match["runtime_fraction"])
	}
	if filters, ok := patch["typed_per_filter_config"].(fields); ok && b.patchesObjective() {
		add("typed_per_filter_config/"+mutationFilter, filters[mutationFilter])
	}
	return out
}

// configurations are the names of Envoy's listeners, and of their routes: Envoy Gateway
// names them after the first listener of a port. Each HTTPS listener has routes of its own, and
// they have its name.
func (b *builder) configurations(of []Listener) (names []string) {
	for _, l := range of {
		if l.Protocol == "HTTP" {
			first := slices.IndexFunc(b.w.Gateway.Listeners, func(o Listener) bool { return o.Port == l.Port })
			if first >= 0 {
				l = b.w.Gateway.Listeners[first]
			}
		}
		names = append(names, b.in.Gateway.Namespace+"/"+b.in.Gateway.Name+"/"+l.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// renderMutationPolicy puts mutationFilter before the picker's filter, once for each Gateway.
func (b *builder) renderMutationPolicy() {
	patches, ports := list{}, map[int32]bool{}
	for _, l := range b.w.Gateway.Listeners {
		if ports[l.Port] || l.Protocol != "HTTP" && l.Protocol != "HTTPS" {
			continue
		}
		ports[l.Port] = true
		patches = append(patches, fields{"type": envoyListener, "name": b.in.Gateway.Namespace + "/" + b.in.Gateway.Name + "/" + l.Name,
			"operation": fields{"op": "add", "jsonPath": "..http_filters", "path": "0", "value": mutationFilterFields()}})
	}
	name := fit(b.in.Gateway.Name+"-inference-objective", maxName)
	b.addGatewayWide(StageFilter, b.patchPolicyID(name), b.patchPolicy(patches))
}

// mutationFilterFields is Envoy's filter that changes headers, with no changes of its own: each
// route configures its changes.
func mutationFilterFields() fields {
	return fields{
		"name":         mutationFilter,
		"typed_config": fields{"@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"},
	}
}

// countAsks says where a picker is asked several times for one request.
func (b *builder) countAsks(matches int) {
	if !b.can.pickerPerMatch {
		return
	}
	asks := map[string]int{}
	for _, g := range b.groups {
		for _, s := range g.shares {
			asks[s.pool] += matches * len(g.hosts)
		}
	}
	most := 0
	for _, n := range asks {
		most = max(most, n)
	}
	if most > 1 {
		b.find(inference.ConditionRouteAccepted, "True", inference.ReasonPickerAskedOften,
			fmt.Sprintf("The gateway (%s) asks a picker once for each match and host that leads to its pool: %d times for a request. What the picker counts, holds and decides counts as often; give the pool one host.", b.plan.Provider, most))
	}
}
