package inferencegateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	networkinglisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// cluster is an API server of maps with the reconciler on it. Everything runs
// in a bubble of testing/synctest: caches settle at once, waiting costs nothing.
type cluster struct {
	testing.TB
	r        *Reconciler
	client   *dynamicfake.FakeDynamicClient
	kube     *kubefake.Clientset
	services cache.Indexer
	ingress  cache.Indexer
	revs     cache.Indexer
	events   *record.FakeRecorder
	// writes are the verbs and names of everything written.
	writes []string
	// resynced counts how often all bound Services were asked for.
	resynced atomic.Int32
	uid      int
	// panics counts those that the reconciler contained.
	panics int
}

// inCluster runs a test on a cluster with Gateway, Istio and all CRDs.
func inCluster(t *testing.T, test func(*cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := newCluster(t)
		if err := c.r.watches.start(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the fake has no resourceVersion: what is made between list and watch is never seen
		for _, res := range resources() {
			if res.custom {
				c.define(res)
			}
		}
		c.create(gateways, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {namespace: knative-serving, name: knative-gateway},
			spec: {gatewayClassName: istio, listeners: [{name: llm-gw, port: 8888, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]},
			status: {addresses: [{value: 10.0.0.9}]}}`)
		c.create(gatewayClasses, `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio}, spec: {controllerName: istio.io/gateway-controller}}`)
		synctest.Wait()
		c.writes = nil
		test(c)
		cancel()
		synctest.Wait()
	})
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{TB: t, services: indexer(), ingress: indexer(), revs: indexer(), events: record.NewFakeRecorder(1000)}
	if err := errors.Join(c.services.AddIndexers(sharingIndexers()), c.ingress.AddIndexers(hostIndexers())); err != nil {
		t.Fatal(err)
	}
	kinds := map[schema.GroupVersionResource]string{crds: "CustomResourceDefinitionList"}
	for _, res := range resources() {
		kinds[res.GroupVersionResource] = res.kind + "List"
	}
	c.client = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds)
	c.client.PrependReactor("*", "*", c.record)
	c.client.PrependReactor("patch", "*", c.apply)
	c.kube = kubefake.NewClientset()
	c.kube.PrependReactor("patch", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		p := a.(clienttesting.PatchAction)
		c.writes = append(c.writes, "patch Pod "+p.GetName())
		return false, nil, nil
	})
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, podIndexer())
	c.r = &Reconciler{
		serviceIndex: c.services, ingressIndex: c.ingress,
		services: servinglisters.NewServiceLister(c.services), revisions: servinglisters.NewRevisionLister(c.revs),
		ingresses: networkinglisters.NewIngressLister(c.ingress), pods: pods, client: c.client, kube: c.kube,
		defaults: sync.OnceValue(func() *binding.Defaults {
			d, err := binding.ParseDefaults(map[string]string{"gateway": "knative-serving/knative-gateway", "listener": "llm-gw", "allowed-gateways": "other/*"})
			if err != nil {
				t.Fatal(err)
			}
			d.Domains = []string{"example.com"}
			return &d
		}),
		build: manifest.Build, onPanic: func() { c.panics++ }, recorder: c.events, log: slog.New(slog.DiscardHandler), now: time.Now, drain: drainTime,
	}
	c.r.watches = &watches{client: c.client, log: c.r.log, resources: resources(), changed: func(resource, *unstructured.Unstructured) {}, served: func() { c.resynced.Add(1) }}
	if err := c.r.Promote(pkgreconciler.UniversalBucket(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func indexer() cache.Indexer {
	return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
}

// record notes what the reconciler writes.
func (c *cluster) record(a clienttesting.Action) (bool, runtime.Object, error) {
	if named, ok := a.(interface{ GetName() string }); ok && slices.Contains([]string{"create", "update", "patch", "delete"}, a.GetVerb()) {
		line := a.GetVerb() + " " + kindOf(a.GetResource()) + " " + named.GetName()
		if a.GetSubresource() != "" {
			line += "/" + a.GetSubresource()
		}
		c.writes = append(c.writes, strings.Replace(line, "patch", "apply", 1))
	}
	return false, nil, nil
}

func kindOf(g schema.GroupVersionResource) string {
	for _, res := range resources() {
		if res.GroupVersionResource == g {
			return res.kind
		}
	}
	return g.Resource
}

// apply is server-side apply as far as one manager needs it: what is applied
// replaces all but the status, or the status alone.
func (c *cluster) apply(a clienttesting.Action) (bool, runtime.Object, error) {
	p := a.(clienttesting.PatchAction)
	if p.GetPatchType() != types.ApplyPatchType {
		return false, nil, nil
	}
	if _, _, err := c.record(a); err != nil {
		return true, nil, err
	}
	var want unstructured.Unstructured
	if err := json.Unmarshal(p.GetPatch(), &want.Object); err != nil {
		return true, nil, err
	}
	old, err := c.client.Tracker().Get(p.GetResource(), p.GetNamespace(), p.GetName())
	if apierrs.IsNotFound(err) {
		c.stamp(&want)
		return true, &want, c.client.Tracker().Create(p.GetResource(), &want, p.GetNamespace())
	}
	live := old.(*unstructured.Unstructured).DeepCopy()
	if p.GetSubresource() == "status" {
		live.Object["status"] = want.Object["status"]
	} else {
		status := live.Object["status"]
		labels, annotations := live.GetLabels(), live.GetAnnotations()
		want.SetUID(live.GetUID())
		want.SetCreationTimestamp(live.GetCreationTimestamp())
		live = want.DeepCopy()
		live.Object["status"] = status
		live.SetLabels(merged(labels, want.GetLabels()))
		live.SetAnnotations(merged(annotations, want.GetAnnotations()))
	}
	return true, live, c.client.Tracker().Update(p.GetResource(), live, p.GetNamespace())
}

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func (c *cluster) stamp(u *unstructured.Unstructured) {
	c.uid++
	u.SetUID(types.UID(fmt.Sprintf("uid-%d", c.uid)))
	u.SetCreationTimestamp(metav1.Now())
}

// define installs a CRD.
func (c *cluster) define(res resource) {
	c.create(crds, fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %s},
		spec: {versions: [{name: %s, served: true, schema: {openAPIV3Schema: {properties: {spec: {properties: {appProtocol: {type: string}}}}}}}]},
		status: {conditions: [{type: Established, status: "True"}]}}`, res.crd(), res.Version))
}

// undefine deletes a CRD, and with it all objects of the kind.
func (c *cluster) undefine(g schema.GroupVersionResource) {
	c.Helper()
	for _, u := range c.list(g) {
		c.delete(g, u.GetNamespace(), u.GetName())
	}
	c.delete(crds, "", g.Resource+"."+g.Group)
	synctest.Wait()
}

func (c *cluster) create(g schema.GroupVersionResource, text string) *unstructured.Unstructured {
	c.Helper()
	var u unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		c.Fatal(err)
	}
	n, err := normal(&u)
	if err != nil {
		c.Fatal(err)
	}
	if s, ok := u.Object["status"]; ok {
		n.Object["status"] = s
	}
	c.stamp(n)
	if err := c.client.Tracker().Create(g, n, n.GetNamespace()); err != nil {
		c.Fatal(err)
	}
	synctest.Wait()
	return n
}

func (c *cluster) delete(g schema.GroupVersionResource, namespace, name string) {
	c.Helper()
	if err := c.client.Tracker().Delete(g, namespace, name); err != nil {
		c.Fatal(err)
	}
	synctest.Wait()
}

func (c *cluster) list(g schema.GroupVersionResource) (out []*unstructured.Unstructured) {
	c.Helper()
	list, err := c.client.Tracker().List(g, g.GroupVersion().WithKind(kindOf(g)), "")
	if err != nil {
		return nil
	}
	for _, item := range list.(*unstructured.UnstructuredList).Items {
		out = append(out, &item)
	}
	return out
}

// live returns an object of the API server, nil without one.
func (c *cluster) live(g schema.GroupVersionResource, name string) *unstructured.Unstructured {
	for _, namespace := range []string{"default", "knative-serving"} {
		if obj, err := c.client.Tracker().Get(g, namespace, name); err == nil {
			return obj.(*unstructured.Unstructured)
		}
	}
	return nil
}

// set changes a live object as some other controller would.
func (c *cluster) set(g schema.GroupVersionResource, name string, change func(map[string]any)) {
	c.Helper()
	u := c.live(g, name)
	if u == nil {
		c.Fatalf("there is no %s %s", g.Resource, name)
	}
	u = u.DeepCopy()
	change(u.Object)
	if err := c.client.Tracker().Update(g, u, u.GetNamespace()); err != nil {
		c.Fatal(err)
	}
	synctest.Wait()
}

// reconcile runs one round and lets the caches settle. It returns the time
// after which another round is asked for.
func (c *cluster) reconcile(name string) time.Duration {
	c.Helper()
	c.writes = nil
	err := c.r.Reconcile(c.Context(), "default/"+name)
	synctest.Wait()
	c.seePods()
	if requeue, after := controller.IsRequeueKey(err); requeue {
		return after
	}
	if err != nil {
		c.Fatalf("reconciling %s: %v", name, err)
	}
	return 0
}

// ready makes what the gateway and Kubernetes would say of what is there.
func (c *cluster) ready() {
	c.Helper()
	for _, d := range c.list(deployments) {
		c.set(deployments, d.GetName(), func(o map[string]any) {
			o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Available", "status": "True"}}}
		})
	}
	parents := func(o map[string]any) {
		o["status"] = map[string]any{"parents": []any{map[string]any{
			"parentRef":  map[string]any{"name": "knative-gateway", "namespace": "knative-serving"},
			"conditions": []any{map[string]any{"type": "Accepted", "status": "True"}, map[string]any{"type": "ResolvedRefs", "status": "True"}},
		}}}
	}
	for _, g := range []schema.GroupVersionResource{pools, httpRoutes} {
		for _, u := range c.list(g) {
			if managed(u) {
				c.set(g, u.GetName(), parents)
			}
		}
	}
}

// settle reconciles a Service until it is served.
func (c *cluster) settle(name string) {
	c.Helper()
	for range 3 {
		c.reconcile(name)
		c.ready()
	}
	c.reconcile(name)
	if got := c.condition(name, inference.ConditionReady); got.Status != metav1.ConditionTrue {
		c.Fatalf("%s is not Ready: %s: %s", name, got.Reason, got.Message)
	}
}

func (c *cluster) status(name string) v1alpha1.InferenceBindingStatus {
	c.Helper()
	u := c.live(bindings, name)
	if u == nil {
		return v1alpha1.InferenceBindingStatus{}
	}
	var b v1alpha1.InferenceBinding
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &b); err != nil {
		c.Fatal(err)
	}
	return b.Status
}

func (c *cluster) condition(name, kind string) metav1.Condition {
	c.Helper()
	if found := find(c.status(name).Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{}
}

// told returns the events, and empties them.
func (c *cluster) told() (out []string) {
	for {
		select {
		case e := <-c.events.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

func parse(text string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	return u, yaml.Unmarshal([]byte(text), &u.Object)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// pass lets time go by in the bubble.
func (c *cluster) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// slice is a list of objects in an untyped object, without what is none.
func slice(m map[string]any, path ...string) (out []map[string]any) {
	v, _, _ := unstructured.NestedFieldNoCopy(m, path...)
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}
