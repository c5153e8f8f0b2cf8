package manifest

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// comingPath begins the paths of the coming route, which no client requests.
const comingPath = "/knative-inference.dev/coming"

// ComingRoute names the HTTPRoute of a Service that introduces its next pools to the Gateway.
func ComingRoute(service string) string { return fit(service+"-coming", maxName) }

// renderComing introduces the pools that requests are about to reach and that no live route
// leads to, on a gateway with learnsPools. A rule for each pool is in a route of its own, because
// the live routes stay as they are until the gateway knows the pools. A Service without live routes
// has no requests to lose: its routes are written at once.
func (b *builder) renderComing() {
	if !b.can.learnsPools || len(b.groups) == 0 || len(b.w.ServingPools) == 0 {
		return
	}
	pools := b.comingPools()
	var rules []gatewayv1.HTTPRouteRule
	for _, pool := range pools {
		name := gatewayv1.SectionName(fmt.Sprintf("%s.%s.coming.%s.p100", b.in.Namespace, b.in.Service, pool))
		rules = append(rules, b.rule(group{}, []share{{pool: pool}}, matchesOf(exact(comingPath+"/"+pool), nil), name))
		b.routeRules = append(b.routeRules, string(name))
		if !slices.Contains(b.w.KnownPools, pool) {
			b.plan.Coming = append(b.plan.Coming, pool)
		}
	}
	if len(rules) > 0 {
		b.addRoute(StageComing, ComingRoute(b.in.Service), gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{b.parent()}},
			Hostnames:       hostnames(b.groups[0].hosts[:1]), Rules: rules,
		})
	}
}

// comingPools are the pools of the new routes that no live route leads to, as many as a route has rules.
func (b *builder) comingPools() (pools []string) {
	for _, g := range b.groups {
		for _, s := range g.shares {
			if !slices.Contains(b.w.ServingPools, s.pool) {
				pools = append(pools, s.pool)
			}
		}
	}
	slices.Sort(pools)
	pools = slices.Compact(pools)
	return pools[:min(len(pools), maxRules)]
}
