//go:build e2e

package e2e

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
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

// bystanderKinds are the kinds that have a bystander.
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
	if _, err := testbed.Kubectl(ctx, gatewayBystanders, "apply", "-f", "-"); err != nil {
		return err
	}
	return e.waitUntouched(ctx)
}

// waitUntouched waits until nobody has written the bystanders for two seconds:
// Istio gives even a route that is not its own an empty status once.
func (e *environment) waitUntouched(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, slowness*30*time.Second)
	defer cancel()
	last, since := "", time.Now()
	return testbed.Poll(ctx, 200*time.Millisecond, func() (bool, string) {
		now := ""
		for _, kind := range []schema.GroupVersionResource{gateways, httpRoutes} {
			o, err := e.dynamic.Resource(kind).Namespace(bystanderNamespace).Get(ctx, "bystander", metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			now += o.GetResourceVersion() + " "
		}
		if now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 2*time.Second, "resource versions " + now
	})
}
