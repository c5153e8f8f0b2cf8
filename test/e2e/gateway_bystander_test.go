//go:build e2e

package e2e

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// gatewayBystanders are somebody else's objects of the kinds that we make too.
// No controller has their class, so nobody may change a byte of them. Pools are
// not among them: a test takes their whole kind away for a while.
const gatewayBystanders = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bystander, namespace: ipa-e2e-bystander}
spec:
  gatewayClassName: nobody
  listeners: [{name: web, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: bystander, namespace: ipa-e2e-bystander}
spec:
  parentRefs: [{name: bystander}]
  hostnames: [bystander.example.com]
  rules:
  - backendRefs: [{name: bystander, port: 80}]
`

// hasGatewayKinds says whether the cluster serves all of them.
func (e *environment) hasGatewayKinds(ctx context.Context) bool {
	for _, kind := range []schema.GroupVersionResource{gateways, httpRoutes} {
		if _, err := e.dynamic.Resource(kind).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return false
		}
	}
	return true
}

// bystanderKinds are those of which there is a bystander.
func (e *environment) bystanderKinds(ctx context.Context) []schema.GroupVersionResource {
	if !e.hasGatewayKinds(ctx) {
		return bystanders
	}
	return append(slices.Clone(bystanders), gateways, httpRoutes)
}

func (e *environment) makeGatewayBystanders(ctx context.Context) error {
	if !e.hasGatewayKinds(ctx) {
		return nil
	}
	_, err := kubectl(ctx, gatewayBystanders, "apply", "-f", "-")
	return err
}
