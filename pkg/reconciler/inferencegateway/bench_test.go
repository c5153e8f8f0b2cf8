package inferencegateway

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// BenchmarkFlip is all that follows the change of one Service's priority, with 10
// and with 1,000 Services on its Gateway that are served already:
//
//	go test -run=^$ -bench=Flip -benchmem ./pkg/reconciler/inferencegateway
func BenchmarkFlip(b *testing.B) {
	for _, services := range []int{10, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			c := servedCluster(b, services)
			svc := c.named("s-0")
			priority := 0
			b.ReportAllocs()
			for b.Loop() {
				priority++
				after := svc.DeepCopy()
				after.ResourceVersion = fmt.Sprint(priority)
				after.Annotations = with(map[string]string{inference.PriorityKey: fmt.Sprint(1 + priority%2)})
				put(c, c.services, after)
				for _, key := range append(c.r.affected(svc, after), ownerOf(svc).key()) {
					if err := c.r.Reconcile(b.Context(), key.String()); err != nil {
						b.Fatal(err)
					}
				}
				svc = after
			}
		})
	}
}

func (c *cluster) named(name string) *servingv1.Service {
	svc, err := c.r.services.Services("default").Get(name)
	if err != nil {
		c.Fatal(err)
	}
	return svc
}

// servedCluster is a cluster of n Services that are all served, outside of a bubble.
// What is applied is in the caches at once.
func servedCluster(t testing.TB, n int) *cluster {
	c := newCluster(t)
	c.client.PrependReactor("patch", "*", c.applyToCache)
	c.open()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	for _, w := range c.r.watches.caches {
		go w.RunWithContext(ctx)
		if !cache.WaitForCacheSync(ctx.Done(), w.HasSynced) {
			t.Fatal("no caches")
		}
	}
	c.hold(place{gateways, "knative-serving", "knative-gateway", ""}, mustParse(c, `{spec: {gatewayClassName: istio, listeners: [{name: llm-gw, port: 8888, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]},
		status: {addresses: [{value: 10.0.0.9}]}}`))
	c.hold(place{gatewayClasses, "", "istio", ""}, mustParse(c, `{spec: {controllerName: istio.io/gateway-controller}}`))
	for i := range n {
		c.service(fmt.Sprintf("s-%d", i), with(map[string]string{inference.PriorityKey: "1"}))
	}
	for i := range n {
		key := fmt.Sprintf("default/s-%d", i)
		for range 2 { // pickers first, then the routes to them
			_ = c.r.Reconcile(ctx, key) // asks to be called again
		}
	}
	return c
}

func mustParse(c *cluster, text string) *unstructured.Unstructured {
	u, err := parse(text)
	if err != nil {
		c.Fatal(err)
	}
	ports, ok := u.Object["spec"].(map[string]any)["listeners"].([]any)
	for i := 0; ok && i < len(ports); i++ {
		ports[i].(map[string]any)["port"] = int64(8888)
	}
	return u
}

// applyToCache is server-side apply whose result is seen at once, with the status
// that Kubernetes and the gateway would write.
func (c *cluster) applyToCache(a clienttesting.Action) (bool, runtime.Object, error) {
	p := a.(clienttesting.PatchAction)
	want := &unstructured.Unstructured{}
	if err := json.Unmarshal(p.GetPatch(), &want.Object); err != nil {
		return true, nil, err
	}
	if p.GetResource() == bindings && p.GetSubresource() == "" {
		return true, want, nil
	}
	c.uid++
	want.SetUID(types.UID(fmt.Sprint(c.uid)))
	want.SetCreationTimestamp(metav1.Now())
	said := []any{map[string]any{"type": "Accepted", "status": "True"}, map[string]any{"type": "ResolvedRefs", "status": "True"}, map[string]any{"type": "Available", "status": "True"}}
	if want.GetKind() != "InferenceBinding" {
		want.Object["status"] = map[string]any{"conditions": said, "parents": []any{map[string]any{
			"parentRef": map[string]any{"name": "knative-gateway", "namespace": "knative-serving"}, "conditions": said}}}
	}
	return true, want, c.r.watches.caches[p.GetResource()].GetIndexer().Update(want)
}
