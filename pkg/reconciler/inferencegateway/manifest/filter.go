package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

const (
	istioFilterVersion = "networking.istio.io/v1alpha3"
	// unknownModel is the rule that answers for models nobody serves.
	unknownModel = "unknown-model"
	// mutationFilter is our header_mutation in the gateway's filter chain.
	mutationFilter = "envoy.filters.http.header_mutation"
	// inferenceHeader marks requests of inference routes within the gateway.
	inferenceHeader = "x-knative-inference"
	// retryAfter is what the gateway's own 503 and 429 of such a request say in Retry-After, in seconds.
	retryAfter = "30"
	// connectionManager is Envoy's filter that has all others of HTTP.
	connectionManager = "envoy.filters.network.http_connection_manager"
	// destinationHeader is what a picker writes; a client must not, or it could name any address.
	destinationHeader = "x-gateway-destination-endpoint"
)

// fairnessHeaders are the names under which pickers read the flow of a request.
// A picker keeps metrics of each flow (34 lines and 6 KB of its page in v1.5.0), so
// that clients that make up many make the page long.
var fairnessHeaders = []string{"x-gateway-inference-fairness-id", "x-llm-d-inference-fairness-id"}

// removedHeaders are those of a client that no picker and no gateway may see.
func (b *builder) removedHeaders() []string {
	if b.in.FairnessID == binding.FairnessClient {
		return []string{destinationHeader}
	}
	return append([]string{destinationHeader}, fairnessHeaders...)
}

// headersRemoved is true where the removal takes effect before anybody reads the
// headers. Elsewhere a route's filter runs too late or would take the picker's own
// word away: Envoy applies it after the picker and, since 1.35, before it chooses the host.
func (b *builder) headersRemoved() bool {
	return b.can.filtersFirst || b.can.ownEndpoints || b.can.envoyFilters && b.w.Served.EnvoyFilter
}

// notFound is the answer to a model that no Service of the host has.
const notFound = `{"error":{"message":"No model of this name is served on this host.","type":"invalid_request_error","param":"model","code":"model_not_found"}}`

// renderFilters writes what Istio needs besides the route: fractions of a
// split, and the header of the objective, which no client may choose.
func (b *builder) renderFilters() {
	if !b.can.envoyFilters || len(b.groups) == 0 {
		return
	}
	if !b.w.Served.EnvoyFilter {
		b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonIstioCRDMissing,
			fmt.Sprintf("The cluster does not serve EnvoyFilter of %s, so clients choose their priority themselves; install Istio's CRDs.", istioFilterVersion))
		return
	}
	patches := list{}
	for _, rule := range b.ruleNames() {
		if patch := b.patch(rule); len(patch) > 0 {
			patches = append(patches, fields{
				"applyTo": "HTTP_ROUTE",
				"match":   fields{"context": "GATEWAY", "routeConfiguration": fields{"vhost": fields{"route": fields{"name": rule}}}},
				"patch":   fields{"operation": "MERGE", "value": patch},
			})
		}
	}
	if len(patches) == 0 {
		return
	}
	b.add(StageFilter, identity{istioFilterVersion, "EnvoyFilter", b.in.Gateway.Namespace, scoped(b.in.Namespace, b.in.Service), "filter"},
		fields{"spec": fields{"targetRefs": b.gatewayRef(), "configPatches": patches}})
	b.renderMutationFilter()
}

// ruleNames are those of the new routes and of the live ones, whose patches
// stay until the new route has replaced them.
func (b *builder) ruleNames() []string {
	names := slices.Clone(b.routeRules)
	prefix := b.in.Namespace + "." + b.in.Service + "."
	for _, n := range b.w.LiveRules {
		if strings.HasPrefix(n, prefix) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// patch is what a rule's name asks for.
func (b *builder) patch(rule string) fields {
	parts := strings.Split(strings.TrimPrefix(rule, b.in.Namespace+"."+b.in.Service+"."), ".")
	if len(parts) < 3 {
		return nil
	}
	what := strings.Join(parts[1:len(parts)-1], ".")
	if what == unknownModel {
		return fields{
			"direct_response":         fields{"status": int64(404), "body": fields{"inline_string": notFound}},
			"response_headers_to_add": list{fields{"append_action": overwrite, "header": fields{"key": "content-type", "value": "application/json"}}},
		}
	}
	patch := fields{}
	if upTo, err := strconv.Atoi(strings.TrimPrefix(parts[len(parts)-1], "p")); err == nil && upTo > 0 && upTo < 100 {
		// Envoy draws once per stream and asks every rule with the same number: fractions add up.
		patch["match"] = fields{"runtime_fraction": fields{"default_value": fields{"numerator": int64(upTo), "denominator": "HUNDRED"}}}
	}
	patch["typed_per_filter_config"] = fields{mutationFilter: b.mutations(parts[0], what)}
	return patch
}

const overwrite = "OVERWRITE_IF_EXISTS_OR_ADD"

// mutations sets the objective of a rule, and drops what only a picker may write.
func (b *builder) mutations(groupName, what string) fields {
	s := share{}
	if what != "inference" {
		s = share{pool: fit(what, maxPool), revision: what}
	}
	objective, _ := strings.CutPrefix(groupName, "obj-")
	if objective == groupName {
		objective = ""
	}
	name := b.objectiveOf(group{objective: objective}, s)
	if s.revision == "" && b.plan.Pools[""] == "" {
		name = "" // Several pools, each with an objective of its own.
	}
	out := list{}
	if b.can.envoyFilters { // where retryHint looks for it
		out = append(out, fields{"append": fields{"append_action": overwrite, "header": fields{"key": inferenceHeader, "value": "true"}}})
	}
	for _, h := range b.removedHeaders() {
		out = append(out, fields{"remove": h})
	}
	for _, h := range objectiveHeaders {
		if !b.setsObjective() {
			break
		}
		if name == "" {
			out = append(out, fields{"remove": h})
			continue
		}
		out = append(out, fields{"append": fields{"append_action": overwrite, "header": fields{"key": h, "value": name}}})
	}
	return fields{
		"@type":     "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
		"mutations": fields{"request_mutations": out},
	}
}

// answersUnknown is true where a 404 of ours can say why: on Istio, by model, and
// without another Service that takes all other models of the host.
func (b *builder) answersUnknown() bool {
	if !b.can.envoyFilters || len(b.modelsByHeader()) == 0 || len(b.in.MatchHeaders) > 0 {
		return false
	}
	return !slices.ContainsFunc(b.w.Neighbours, func(n Neighbour) bool {
		return n.Intent.Gateway == b.in.Gateway && len(n.Intent.Models) == 0 &&
			slices.ContainsFunc(hostsOf(n), func(h string) bool { return slices.Contains(b.plan.Hosts, h) })
	})
}

func (b *builder) gatewayRef() list {
	return list{fields{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": b.in.Gateway.Name}}
}

// renderMutationFilter puts the filter that the routes configure before Istio's picker filter, once a Gateway.
func (b *builder) renderMutationFilter() {
	b.addGatewayWide(StageFilter, identity{istioFilterVersion, "EnvoyFilter", b.in.Gateway.Namespace,
		fit(b.in.Gateway.Name+"-inference-objective", maxName), "filter"},
		fields{"spec": fields{"targetRefs": b.gatewayRef(), "configPatches": list{fields{
			"applyTo": "HTTP_FILTER",
			"match": fields{"context": "GATEWAY", "listener": fields{"filterChain": fields{"filter": fields{
				"name": connectionManager, "subFilter": fields{"name": "envoy.filters.http.ext_proc"}}}}},
			"patch": fields{"operation": "INSERT_BEFORE", "value": mutationFilterFields()},
		}, retryHint()}}})
}

// retryHint gives the answers that the gateway itself makes for an inference route, 503 and
// 429, a Retry-After: a picker of v1.5.0 cannot name headers of an answer that it refuses.
// It is one static part of the listeners: when it changes, Envoy drains their connections.
func retryHint() fields {
	status := func(code int64) fields {
		return fields{"status_code_filter": fields{"comparison": fields{"op": "EQ", "value": fields{
			"default_value": code, "runtime_key": fmt.Sprintf("knative_inference.retry_after.%d", code)}}}}
	}
	return fields{
		"applyTo": "NETWORK_FILTER",
		"match":   fields{"context": "GATEWAY", "listener": fields{"filterChain": fields{"filter": fields{"name": connectionManager}}}},
		"patch": fields{"operation": "MERGE", "value": fields{
			"name": connectionManager,
			"typed_config": fields{
				"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"local_reply_config": fields{"mappers": list{fields{
					"filter": fields{"and_filter": fields{"filters": list{
						fields{"header_filter": fields{"header": fields{"name": inferenceHeader, "present_match": true}}},
						fields{"or_filter": fields{"filters": list{status(503), status(429)}}},
					}}},
					"headers_to_add": list{fields{"append_action": "ADD_IF_ABSENT", "header": fields{"key": "retry-after", "value": retryAfter}}},
				}}},
			},
		}},
	}
}
