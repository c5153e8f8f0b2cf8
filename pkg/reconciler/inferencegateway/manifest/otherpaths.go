package manifest

import (
	"fmt"
	"slices"

	"knative.dev/serving/pkg/activator"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// knativePort is that of the Service that Knative makes for each revision.
const knativePort = 80

// suffix is what the names of a group's objects end in.
func (g group) suffix() string {
	if g.name == "main" {
		return ""
	}
	return "-" + g.name
}

// renderOtherPaths writes the route of a group for all requests that are not for inference.
// They go to the revisions as Knative's own route sends them: to pods, or to the
// activator, which wakes a revision at zero. A picker cannot hold a request without a
// body, and understands the inference paths only. The rule matches every path. The rules of
// the group's inference route match less and come first, and so does Knative's own route,
// which is older, where it is on the same Gateway.
func (b *builder) renderOtherPaths(g group) {
	if b.in.OtherPaths == binding.OtherPathsNone || len(b.in.Models) > 0 || len(b.in.MatchHeaders) > 0 {
		return
	}
	hosts := slices.DeleteFunc(slices.Clone(g.hosts), b.hasNeighbourAt)
	shares := b.knativeShares(g)
	if len(hosts) == 0 || len(shares) == 0 {
		return
	}
	every := gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}
	rule := gatewayv1.HTTPRouteRule{
		// Not the name of a rule that a filter of ours is for.
		Name:    new(gatewayv1.SectionName(fmt.Sprintf("%s.%s.%s.knative", b.in.Namespace, b.in.Service, g.name))),
		Matches: []gatewayv1.HTTPRouteMatch{{Path: &every}},
	}
	for _, s := range shares {
		rule.BackendRefs = append(rule.BackendRefs, b.knativeBackend(s))
	}
	if len(shares) == 1 { // every gateway knows filters of a rule
		rule.Filters, rule.BackendRefs[0].Filters, rule.BackendRefs[0].Weight = rule.BackendRefs[0].Filters, nil, nil
	}
	if b.can.timeouts {
		rule.Timeouts = &gatewayv1.HTTPRouteTimeouts{Request: new(gatewayDuration(b.in.RequestTimeout))}
	}
	b.addRoute(StageRoute, b.in.Service+"-knative"+g.suffix(), gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{b.parent()}},
		Hostnames:       hostnames(hosts), Rules: []gatewayv1.HTTPRouteRule{rule},
	})
}

// hasNeighbourAt reports whether another Service of the Gateway serves a host, too. Then it
// is not known which Service's models a GET asks for.
func (b *builder) hasNeighbourAt(host string) bool {
	return slices.ContainsFunc(b.w.Neighbours, func(n Neighbour) bool {
		return n.Intent.Gateway == b.in.Gateway && slices.Contains(hostsOf(n), host)
	})
}

// knativeShares are the shares of the revisions in a group's requests, the largest first. On
// a gateway that cannot set the headers of each backend it is the largest alone.
func (b *builder) knativeShares(g group) []share {
	shares := b.shares(g.splits)
	if len(shares) > 1 && !b.can.backendFilters {
		return shares[:1]
	}
	return shares
}

// knativeBackend is a revision's Service with the headers by which Knative's activator
// knows the revision, as Knative's own routes set them.
func (b *builder) knativeBackend(s share) gatewayv1.HTTPBackendRef {
	return gatewayv1.HTTPBackendRef{
		BackendRef: gatewayv1.BackendRef{Weight: new(s.percent), BackendObjectReference: gatewayv1.BackendObjectReference{
			Name: gatewayv1.ObjectName(s.revision), Port: new(gatewayv1.PortNumber(knativePort)),
		}},
		Filters: []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{
				{Name: activator.RevisionHeaderNamespace, Value: b.in.Namespace},
				{Name: activator.RevisionHeaderName, Value: s.revision},
			}}}},
	}
}
