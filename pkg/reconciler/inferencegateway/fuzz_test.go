package inferencegateway

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// place is where an object of others is read.
type place struct {
	schema.GroupVersionResource
	namespace, name, usual string
}

// places are all objects of others, or that others write the status of, with what they are usually.
func places() []place {
	const parents = `"status":{"parents":[{"parentRef":{"namespace":"knative-serving","name":"knative-gateway"},"conditions":[{"type":"Accepted","status":"True"},{"type":"ResolvedRefs","status":"True"}]}]}`
	return []place{
		{gateways, "knative-serving", "knative-gateway", `{"spec":{"gatewayClassName":"istio","listeners":[{"name":"llm-gw","port":8888,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":{"a":"b"}}}}}]},"status":{"addresses":[{"value":"10.0.0.9"}]}}`},
		{gatewayClasses, "", "istio", `{"spec":{"controllerName":"istio.io/gateway-controller"}}`},
		{namespaces, "", "default", `{"metadata":{"labels":{"a":"b"}}}`},
		{pools, "default", "shared", `{"spec":{"selector":{"matchLabels":{"app":"vllm"}},"targetPorts":[{"number":8000}]},` + parents + `}`},
		{pools, "default", "qwen", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"knative-inference-gateway"}},` + parents + `}`},
		{httpRoutes, "default", "qwen-inference", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"knative-inference-gateway"}},"spec":{"rules":[{"name":"default.qwen.main"}]},` + parents + `}`},
		{httpRoutes, "other", "theirs", `{"spec":{"parentRefs":[{"namespace":"knative-serving","name":"knative-gateway"}],"hostnames":["qwen.default.example.com"],"rules":[{"matches":[{"method":"POST","path":{"type":"Exact","value":"/v1/completions"}}]}]}}`},
		{deployments, "default", "qwen-epp", `{"status":{"conditions":[{"type":"Available","status":"True"}]}}`},
		{bindings, "default", "qwen", `{"status":{"pool":"shared","pools":["shared"],"conditions":[{"type":"PoolAccepted","status":"False","reason":"PoolMismatch"}]}}`},
	}
}

// FuzzObjects holds that nothing in an object of others makes one of the readers
// panic or render what is no JSON. The bits say which objects have the text in them.
func FuzzObjects(f *testing.F) {
	for i, p := range places() {
		f.Add(uint16(0), p.usual)
		f.Add(uint16(1)<<i, `{}`)
		f.Add(uint16(1)<<i, `{"metadata":null,"spec":null,"status":null}`)
		f.Add(uint16(1)<<i, `{"metadata":{"labels":{"a":1},"ownerReferences":[{"uid":3},null]},"spec":{"listeners":[null,{"port":"x"},[]],"hostnames":[1],"parentRefs":{}},"status":{"conditions":{},"parents":[3]}}`)
	}
	all := uint16(0xffff)
	f.Add(all, `{"spec":[],"status":"x"}`)
	f.Add(all, `{"spec":{"gatewayClassName":7,"controllerName":{},"listeners":[{"name":"llm-gw","port":99999999999,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchExpressions":[{"key":"","operator":"?"}]}},"kinds":[null,{"kind":"HTTPRoute","group":3}]}}],
		"selector":{"matchLabels":{"":"","serving.knative.dev/revision":"x"}},"rules":[{"name":""},{"name":"default.qwen.obj-.p"},{"matches":[{}]}],"hostnames":[],"parentRefs":[{"name":"knative-gateway","namespace":"knative-serving"}]}}`)
	f.Add(all, `{"metadata":{"generation":-1,"deletionTimestamp":"x","labels":{"app.kubernetes.io/managed-by":"knative-inference-gateway","knative-inference.dev/gateway-name":"/","knative-inference.dev/service":"//"},"ownerReferences":[{"controller":true,"uid":"svc-qwen"}]},
		"status":{"pools":["shared"],"parents":[{"parentRef":{"name":"knative-gateway","namespace":"knative-serving"},"conditions":[{"type":"Accepted","status":"False","observedGeneration":1e300,"lastTransitionTime":"9999-99-99"}]}]}}`)
	f.Add(all, `{"spec":{"versions":[null,{"name":"v1","served":"yes","appProtocol":3},{"name":"v1","served":true,"schema":{"openAPIV3Schema":[]}}]},"status":{"conditions":[{"type":"Established","status":"True"},7]}}`)
	f.Fuzz(func(t *testing.T, bits uint16, text string) {
		content, ok := fromJSON(text)
		if !ok {
			return
		}
		readDefinition(t, &unstructured.Unstructured{Object: content})
		c := newCluster(t)
		c.open()
		for i, p := range places() {
			u := &unstructured.Unstructured{}
			if u.Object, _ = fromJSON(p.usual); bits&(1<<i) != 0 {
				u.Object, _ = fromJSON(text)
			}
			c.hold(p, u)
		}
		for _, more := range []map[string]string{nil, {inference.PoolKey: "shared"}, {inference.ModelKey: "a,b", inference.PoolModeKey: "revision"}} {
			c.readAll(with(more))
		}
	})
}

// fromJSON reads an object with the types that the API server's decoder gives it.
func fromJSON(text string) (map[string]any, bool) {
	var raw map[string]any
	if json.Unmarshal([]byte(text), &raw) != nil || raw == nil {
		return nil, false
	}
	raw["apiVersion"], raw["kind"] = "v1", "Any" // an object has both
	typed, err := json.Marshal(raw)
	if err != nil {
		return nil, false
	}
	u := &unstructured.Unstructured{}
	if u.UnmarshalJSON(typed) != nil {
		return nil, false
	}
	return u.Object, true
}

// open gives the reconciler a cache of every kind, which no API server fills.
func (c *cluster) open() {
	w := c.r.watches
	w.caches, w.started = map[schema.GroupVersionResource]*watched{}, true
	for _, res := range resources() {
		informer := dynamicinformer.NewFilteredDynamicInformer(c.client, res.GroupVersionResource, metav1.NamespaceAll, 0, indexers(), nil).Informer()
		w.caches[res.GroupVersionResource] = &watched{SharedIndexInformer: informer, opened: time.Now()}
	}
}

// hold puts an object where it is read. The API server sees to kind, name and namespace.
func (c *cluster) hold(p place, u *unstructured.Unstructured) {
	c.Helper()
	if _, ok := u.Object["metadata"].(map[string]any); !ok {
		u.Object["metadata"] = map[string]any{}
	}
	res := resources()[0]
	for _, r := range resources() {
		if r.GroupVersionResource == p.GroupVersionResource {
			res = r
		}
	}
	u.SetGroupVersionKind(res.gvk())
	u.SetNamespace(p.namespace)
	u.SetName(p.name)
	slimmed, err := slim(u)
	if err != nil {
		c.Fatal(err)
	}
	put(c, c.r.watches.caches[p.GroupVersionResource].GetIndexer(), slimmed)
}

// readAll has every reader look at what is in the caches.
func (c *cluster) readAll(annotations map[string]string) {
	c.Helper()
	svc := c.service("qwen", annotations)
	in, problems := c.r.intent(svc)
	if in == nil {
		c.Fatalf("%v ask for nothing: %v", annotations, problems)
	}
	b := bound{owner: ownerOf(svc), svc: svc, intent: *in, problems: problems}
	b.members = c.r.members(b)
	w := c.r.world(svc, *in)
	plan := manifest.Build(*in, w)
	for _, o := range append(plan.Gateway, plan.Objects...) {
		runtime.DeepCopyJSON(o.Object) // panics on what is no JSON
		c.r.current(b, o)
	}
	c.r.ledger.planned(b.key(), plan)
	for _, cond := range c.r.conditions(b, result{plan: plan, findings: c.r.conflicts(b, plan)}) {
		if cond.Type == "" || cond.Status == "" {
			c.Errorf("condition %+v", cond)
		}
	}
	_, err := bindingObject(b.owner, c.r.last(b.owner))
	if err != nil {
		c.Error(err)
	}
	c.r.lastPlan(svc)
	c.r.watches.keptOut("default", "qwen")
	c.r.unowned()
	c.r.bound()
	c.r.children(b.owner)
	for _, res := range resources() {
		for _, obj := range c.r.watches.caches[res.GroupVersionResource].GetStore().List() {
			c.readOne(b, res, obj.(*unstructured.Unstructured))
		}
	}
}

func (c *cluster) readOne(b bound, res resource, u *unstructured.Unstructured) {
	before := u.DeepCopy()
	c.r.concerned(res, u)
	for _, as := range []manifest.Ownership{manifest.Controlled, manifest.Shared, manifest.Labelled, manifest.GatewayWide} {
		b.owner.claimOn(u, as)
	}
	notOwned(res, u)
	if route, err := decode[gatewayv1.HTTPRoute](u); err == nil {
		overlap(route, route)
		sameListener(b, route)
	}
	upToDate(u, u)
	joins, _ := binding.PoolLabels(selectorOfPool(u), "qwen", u.GetName())
	labelChange(map[string]string{"a": "b"}, joins, sortedKeys(joins))
	if !reflect.DeepEqual(before.Object, u.Object) {
		c.Errorf("a reader changed the cached %s", fmt.Sprint(u.GroupVersionKind()))
	}
}

// readDefinition reads a CRD before and after it is made small, and small twice.
func readDefinition(t *testing.T, crd *unstructured.Unstructured) {
	t.Helper()
	whole := definitionOf(crd, "v1")
	once, err := slimCRD(crd.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	small := once.(*unstructured.Unstructured)
	first := definitionOf(small, "v1")
	twice, err := slimCRD(small.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if second := definitionOf(twice.(*unstructured.Unstructured), "v1"); first != second || first.served != whole.served || first.uid != whole.uid {
		t.Errorf("read %+v, %+v once small, %+v twice", whole, first, second)
	}
}
