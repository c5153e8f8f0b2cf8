package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// modelHeader is what a body-based router writes.
const modelHeader = "X-Gateway-Model-Name"

const (
	// maxRuleMatches and maxRouteMatches are Gateway API's bounds.
	maxRuleMatches  = 64
	maxRouteMatches = 128
	maxRules        = 16
)

// objectiveHeaders are the names under which pickers read an objective.
var objectiveHeaders = []string{"x-gateway-inference-objective", "x-llm-d-inference-objective"}

// renderRoutes writes an HTTPRoute for each group.
func (b *builder) renderRoutes() {
	if !b.checkModels() {
		b.groups = nil
		return
	}
	paths := b.paths()
	if len(paths) == 0 {
		b.groups = nil
		return
	}
	for i, g := range b.groups {
		name := b.in.Service + "-inference" + g.suffix()
		spec := gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{b.parent()}},
			Hostnames:       hostnames(g.hosts),
			Rules:           b.rules(g, paths),
		}
		if i == 0 {
			spec.Rules = append(spec.Rules, b.leavingRules(maxRules-len(spec.Rules))...)
		}
		for _, r := range spec.Rules {
			b.routeRules = append(b.routeRules, string(*r.Name))
		}
		b.addRoute(StageRoute, name, spec)
		b.renderOtherPaths(g)
	}
	b.countAsks(len(b.matches(paths)))
}

func (b *builder) addRoute(stage Stage, name string, spec gatewayv1.HTTPRouteSpec) {
	id := identity{gatewayv1.GroupVersion.String(), "HTTPRoute", b.in.Namespace, fit(name, maxName), "route"}
	b.add(stage, id, withSpec(&spec))
}

// parent is the Gateway that routes attach to, or one listener of the Gateway.
func (b *builder) parent() gatewayv1.ParentReference {
	parent := gatewayv1.ParentReference{
		Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: new(gatewayv1.Kind("Gateway")),
		Namespace: new(gatewayv1.Namespace(b.in.Gateway.Namespace)), Name: gatewayv1.ObjectName(b.in.Gateway.Name),
	}
	if b.in.Listener != "" {
		parent.SectionName = new(gatewayv1.SectionName(b.in.Listener))
	}
	return parent
}

func hostnames(hosts []string) (out []gatewayv1.Hostname) {
	for _, h := range hosts {
		out = append(out, gatewayv1.Hostname(h))
	}
	return out
}

// checkModels says whether somebody writes the header that models are matched by.
func (b *builder) checkModels() bool {
	if len(b.modelsByHeader()) == 0 || b.in.BodyRouter.Mode == binding.BodyRouterExternal {
		return true
	}
	if b.in.BodyRouter.Mode != binding.BodyRouterManaged {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonModelRoutingOff,
			fmt.Sprintf("%s needs a body-based router, and none is configured; set \"body-based-router\" in the ConfigMap config-inference-gateway to %q or %q.", inference.ModelKey, binding.BodyRouterManaged, binding.BodyRouterExternal))
		return false
	}
	if !b.can.envoyFilters || !b.w.Served.EnvoyFilter || !b.w.Served.DestinationRule {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonProviderUnsupported,
			fmt.Sprintf("A body-based router of ours needs Istio with its CRDs, and the gateway is %s; install its own and set \"body-based-router\" in the ConfigMap config-inference-gateway to %q.", b.plan.Provider, binding.BodyRouterExternal))
		return false
	}
	return true
}

// rules are those of one group: two and more pools share the requests by fractions
// on Istio, by weights elsewhere.
func (b *builder) rules(g group, paths []pathMatch) []gatewayv1.HTTPRouteRule {
	matches := b.matches(paths)
	if len(matches) > maxRuleMatches {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonTooManyMatches,
			fmt.Sprintf("%d matches of paths and models exceed the %d of a rule; name fewer in %s or %s.", len(matches), maxRuleMatches, inference.ModelKey, inference.PathsKey))
		matches = matches[:maxRuleMatches]
	}
	if !b.fractions() {
		return []gatewayv1.HTTPRouteRule{b.weightedRule(g, matches)}
	}
	out := b.fractionRules(g, matches)
	if b.answersUnknown() && len(out) < maxRules && (len(out)+1)*len(matches) <= maxRouteMatches {
		out = append(out, gatewayv1.HTTPRouteRule{Name: new(b.ruleName(g, unknownModel, 100)),
			Matches: matchesOf(paths, nil)})
	}
	return out
}

// fractionRules gives each share a rule of the same matches; the last one, and
// the last that a route holds, takes what those before it leave.
func (b *builder) fractionRules(g group, matches []gatewayv1.HTTPRouteMatch) (out []gatewayv1.HTTPRouteRule) {
	sum := int32(0)
	for i, s := range g.shares {
		sum += s.percent
		last := i+1 == len(g.shares)
		if !last && (i+1 == maxRules || (i+2)*len(matches) > maxRouteMatches) {
			last = true
			b.find(inference.ConditionTrafficSplit, "False", inference.ReasonTooManyMatches,
				fmt.Sprintf("A route cannot hold %d revisions with %d matches each; %s also gets the shares below its own. Give traffic to fewer revisions, or name fewer paths and models.", len(g.shares), len(matches), s.revision))
		}
		if last {
			sum = 100
		}
		out = append(out, b.rule(g, []share{s}, matches, b.ruleName(g, s.what(), sum)))
		if last {
			break
		}
	}
	return out
}

// weightedRule leaves the split to the gateway.
func (b *builder) weightedRule(g group, matches []gatewayv1.HTTPRouteMatch) gatewayv1.HTTPRouteRule {
	what := "inference"
	if len(g.shares) == 1 {
		what = g.shares[0].what()
	} else if b.wantsObjective() {
		b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonPriorityNotEnforced,
			"Each revision's pool has an objective of its own, and a rule with several pools can name only one; requests have no priority until one revision has all traffic.")
	}
	return b.rule(g, g.shares, matches, b.ruleName(g, what, 100))
}

// what distinguishes a share's rule from the others of its group.
func (s share) what() string {
	if s.revision == "" {
		return "inference"
	}
	return s.revision
}

// patchesRules is true where an object of ours changes what the gateway made of one rule.
func (b *builder) patchesRules() bool {
	return b.can.envoyFilters && b.w.Served.EnvoyFilter || b.can.patchPolicies && b.w.Served.EnvoyPatchPolicy
}

// fractions is true where an EnvoyFilter or EnvoyPatchPolicy holds the shares.
func (b *builder) fractions() bool { return b.patchesRules() && !b.in.AllowWeightedPools }

// leavingPath begins the paths of leavingRules, which no client requests.
const leavingPath = "/knative-inference.dev/leaving"

// leavingRules are at most most rules, one for each pool that is deleted once its answers have
// ended. A gateway with forgetsPools drops a pool that no rule names, together with these answers.
func (b *builder) leavingRules(most int) (out []gatewayv1.HTTPRouteRule) {
	if !b.can.forgetsPools {
		return nil
	}
	wanted := slices.Collect(maps.Values(b.plan.Pools))
	for _, pool := range b.w.LivePools {
		if len(out) < most && !slices.Contains(wanted, pool) {
			name := gatewayv1.SectionName(fmt.Sprintf("%s.%s.leaving.%s.p100", b.in.Namespace, b.in.Service, pool))
			rule := b.rule(group{}, []share{{pool: pool}}, matchesOf(exact(leavingPath+"/"+pool), nil), name)
			out = append(out, rule)
		}
	}
	return out
}

// ruleName is unique on the Gateway: Istio joins the routes of a host and finds
// pickers and patches by it. It ends in the fraction of all requests that this
// rule and those before it take, so that a filter can be made for it alone.
func (b *builder) ruleName(g group, what string, upTo int32) gatewayv1.SectionName {
	return gatewayv1.SectionName(fmt.Sprintf("%s.%s.%s.%s.p%d", b.in.Namespace, b.in.Service, g.name, what, upTo))
}

func (b *builder) rule(g group, shares []share, matches []gatewayv1.HTTPRouteMatch,
	name gatewayv1.SectionName) gatewayv1.HTTPRouteRule {
	rule := gatewayv1.HTTPRouteRule{Name: &name, Matches: matches, Filters: b.headerFilters(g, shares)}
	for _, s := range shares {
		ref := gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
			Group: new(gatewayv1.Group(poolGroup)), Kind: new(gatewayv1.Kind(poolKind)), Name: gatewayv1.ObjectName(s.pool),
		}}
		if len(shares) > 1 {
			ref.Weight = new(s.percent)
		}
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref})
	}
	if b.can.timeouts {
		rule.Timeouts = &gatewayv1.HTTPRouteTimeouts{Request: new(gatewayDuration(b.in.RequestTimeout))}
	}
	return rule
}

// headerFilters removes what a client must not say, and sets the objective where
// filters run before the picker.
func (b *builder) headerFilters(g group, shares []share) []gatewayv1.HTTPRouteFilter {
	if !b.can.filtersFirst && !b.can.ownEndpoints {
		return nil
	}
	removed := b.removedHeaders()
	modifier := &gatewayv1.HTTPHeaderFilter{}
	objective := b.objectiveOf(g, shares[0])
	if len(shares) > 1 {
		objective = ""
	}
	switch {
	case !b.can.filtersFirst || !b.setsObjective():
	case objective == "":
		removed = append(removed, objectiveHeaders...)
	default:
		for _, h := range objectiveHeaders {
			modifier.Set = append(modifier.Set, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(h), Value: objective})
		}
	}
	modifier.Remove = removed
	return []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier,
		RequestHeaderModifier: modifier}}
}

// objectiveOf is the InferenceObjective of a group's requests to a pool; empty is none.
func (b *builder) objectiveOf(g group, s share) string {
	if g.objective == "" && b.in.Priority == nil {
		return ""
	}
	return b.objectiveName(s, g.objective)
}

// matches are paths times models.
func (b *builder) matches(paths []pathMatch) (out []gatewayv1.HTTPRouteMatch) {
	models := b.modelsByHeader()
	if len(models) == 0 {
		models = []string{""}
	}
	if b.can.pickerPerMatch {
		paths, models = joinPaths(paths), joinModels(models)
	}
	for _, m := range models {
		out = append(out, matchesOf(paths, b.headers(m))...)
	}
	return out
}

// matchesOf are paths with the same headers, each POST: a picker cannot hold a request without a body.
func matchesOf(paths []pathMatch, headers []gatewayv1.HTTPHeaderMatch) (out []gatewayv1.HTTPRouteMatch) {
	for _, p := range paths {
		out = append(out, gatewayv1.HTTPRouteMatch{
			Method: new(gatewayv1.HTTPMethodPost), Path: &gatewayv1.HTTPPathMatch{Type: &p.kind, Value: &p.value},
			Headers: headers,
		})
	}
	return out
}

func (b *builder) headers(model string) (out []gatewayv1.HTTPHeaderMatch) {
	add := func(kind gatewayv1.HeaderMatchType, name, value string) {
		out = append(out, gatewayv1.HTTPHeaderMatch{Type: &kind, Name: gatewayv1.HTTPHeaderName(name), Value: value})
	}
	switch {
	case model == "":
	case slices.Contains(b.in.Models, model):
		add(gatewayv1.HeaderMatchExact, modelHeader, model)
	default: // several, joined
		add(gatewayv1.HeaderMatchRegularExpression, modelHeader, model)
	}
	for _, h := range b.in.MatchHeaders {
		add(gatewayv1.HeaderMatchExact, h.Name, h.Value)
	}
	return out
}

// gatewayDuration writes a duration as Gateway API reads it.
func gatewayDuration(d time.Duration) gatewayv1.Duration {
	if d == 0 {
		return "0s"
	}
	var out strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&out, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	return gatewayv1.Duration(out.String())
}
