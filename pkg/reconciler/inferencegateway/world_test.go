package inferencegateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

const ingressText = `
spec:
  rules:
  - hosts: [qwen.default.example.com]
    visibility: ExternalIP
    http:
      paths:
      - path: /.well-known/acme-challenge/x
        splits: [{serviceName: cm-acme, percent: 100}]
      - headers: {Knative-Serving-Tag: {exact: canary}}
        splits: [{serviceName: qwen-00002, percent: 100}]
      - splits:
        - {serviceName: qwen-00001, percent: 85, appendHeaders: {Knative-Serving-Revision: qwen-00001}}
        - {serviceName: qwen-00002, percent: 10, appendHeaders: {Knative-Serving-Revision: qwen-00002}}
        - {serviceName: qwen-00002, percent: 5, appendHeaders: {Knative-Serving-Revision: qwen-00002}}
  - hosts: [qwen.default, qwen.default.svc]
    visibility: ClusterLocal
    http: {paths: [{splits: [{serviceName: qwen-00001, percent: 100}]}]}
  - hosts: [canary-qwen.default.example.com]
    visibility: ExternalIP
    http: {paths: [{splits: [{serviceName: qwen-00002}]}]}
`

func TestTrafficOf(t *testing.T) {
	var ing nv1alpha1.Ingress
	if err := yaml.Unmarshal([]byte(ingressText), &ing); err != nil {
		t.Fatal(err)
	}
	svc := &servingv1.Service{}
	svc.Status.Traffic = []servingv1.TrafficTarget{{Tag: "canary", URL: &apis.URL{Scheme: "http", Host: "canary-qwen.default.example.com"}}}
	main, tags := trafficOf(svc, &ing)
	wantMain := manifest.Traffic{Hosts: []string{"qwen.default.example.com"}, Splits: []manifest.Split{{Revision: "qwen-00001", Percent: 85}, {Revision: "qwen-00002", Percent: 15}}}
	wantTags := []manifest.Traffic{{Tag: "canary", Hosts: []string{"canary-qwen.default.example.com"}, Splits: []manifest.Split{{Revision: "qwen-00002", Percent: 100}}}}
	if diff := cmp.Diff(wantMain, main); diff != "" {
		t.Errorf("main (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantTags, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if main, tags := trafficOf(svc, nil); main.Hosts != nil || tags != nil {
		t.Errorf("without a KIngress: %v, %v", main, tags)
	}
}

func TestAllowed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {team: llm}}}`)
		for _, tt := range []struct {
			name, listener string
			want           bool
		}{
			{"all", `{protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}`, true},
			{"none said is the Gateway's own", `{protocol: HTTP}`, false},
			{"same", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}`, false},
			{"selector", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: llm}}}}}`, true},
			{"another selector", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: web}}}}}`, false},
			{"expressions", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}}}`, true},
			{"a bad selector", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Maybe}]}}}}`, false},
			{"no selector", `{protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}`, false},
			{"nobody", `{protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}`, false},
			{"TCP", `{protocol: TCP, allowedRoutes: {namespaces: {from: All}}}`, false},
			{"GRPCRoute only", `{protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}`, false},
			{"HTTPRoute too", `{protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}, {kind: HTTPRoute}]}}`, true},
			{"another group's HTTPRoute", `{protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{group: example.com, kind: HTTPRoute}]}}`, false},
		} {
			var l gatewayv1.Listener
			if err := yaml.Unmarshal([]byte(tt.listener), &l); err != nil {
				t.Fatal(err)
			}
			if got := c.r.allowed(l, "knative-serving", "default"); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	})
}

// A route of somebody else with our host and match is older and wins: a
// condition says so. Knative's own route for "/" is none.
func TestReconcile_hostConflict(t *testing.T) {
	const route = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: default, name: %NAME},
		spec: {parentRefs: [{name: knative-gateway, namespace: knative-serving}], hostnames: [qwen.default.example.com], rules: [{matches: [%MATCH]}]}}`
	theirs := func(name, match string) string {
		return strings.NewReplacer("%NAME", name, "%MATCH", match).Replace(route)
	}
	inCluster(t, func(c *cluster) {
		c.create(httpRoutes, theirs("qwen.default.example.com", `{path: {type: PathPrefix, value: /}}`))
		c.service("qwen", asked)
		c.settle("qwen")
		age := func(o map[string]any) {
			o["metadata"].(map[string]any)["creationTimestamp"] = "1999-01-01T00:00:00Z"
		}
		c.set(httpRoutes, "qwen.default.example.com", age)
		c.reconcile("qwen")
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Reason == inference.ReasonHostConflict {
			t.Errorf("Knative's older route: %s", got.Message)
		}
		c.pass(time.Minute)
		c.create(httpRoutes, theirs("newer", `{method: POST, path: {type: Exact, value: /v1/completions}}`))
		c.settle("qwen")
		if got := c.r.concerned(resource{GroupVersionResource: httpRoutes}, c.live(httpRoutes, "newer")); len(got) != 1 || got[0].Name != "qwen" {
			t.Errorf("a route on our host concerns %v, want qwen", got)
		}
		c.set(httpRoutes, "newer", age)
		c.reconcile("qwen")
		got := c.condition("qwen", inference.ConditionRouteAccepted)
		if got.Status != metav1.ConditionFalse || got.Reason != inference.ReasonHostConflict || !strings.Contains(got.Message, "default/newer has POST /v1/completions on host qwen.default.example.com") {
			t.Errorf("RouteAccepted %s %s: %s", got.Status, got.Reason, got.Message)
		}
	})
}

func TestReconcile_theGatewaysWordIsTold(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.settle("qwen")
		c.set(httpRoutes, "qwen-inference", func(o map[string]any) {
			o["status"] = map[string]any{"parents": []any{map[string]any{
				"parentRef":  map[string]any{"name": "knative-gateway", "namespace": "knative-serving"},
				"conditions": []any{map[string]any{"type": "Accepted", "status": "True"}, map[string]any{"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "no pool", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}},
			}}}
		})
		if after := c.reconcile("qwen"); after != settling || c.condition("qwen", inference.ConditionReady).Reason != reasonSettling {
			t.Errorf("Ready %+v, again after %v; want it to settle", c.condition("qwen", inference.ConditionReady), after)
		}
		c.pass(settling)
		c.reconcile("qwen")
		ready := c.condition("qwen", inference.ConditionReady)
		if ready.Status != metav1.ConditionFalse || ready.Reason != "BackendNotFound" || !strings.Contains(ready.Message, "no pool") {
			t.Errorf("Ready %s %s: %s", ready.Status, ready.Reason, ready.Message)
		}
	})
}

// What a Gateway said of an object before it was changed is not its word on what
// it is now; one without a generation is believed.
func TestReconcile_anEarlierWordDoesNotCount(t *testing.T) {
	for _, kind := range []struct {
		res       schema.GroupVersionResource
		name      string
		condition string
	}{{pools, "qwen", inference.ConditionPoolAccepted}, {httpRoutes, "qwen-inference", inference.ConditionRouteAccepted}} {
		for _, tt := range []struct {
			name                 string
			accepted, references any // the generations of the two conditions; the object's is 2
			want                 metav1.ConditionStatus
			message              string
		}{
			{"of this generation", int64(2), int64(2), metav1.ConditionTrue, ""},
			{"of a later one", int64(3), int64(3), metav1.ConditionTrue, ""},
			{"of an earlier one", int64(1), int64(1), metav1.ConditionUnknown, "of generation 1 of 2"},
			{"one of the two", int64(2), int64(1), metav1.ConditionUnknown, "of generation 1 of 2"},
			{"not told", nil, nil, metav1.ConditionTrue, ""},
			{"a negative one", int64(-1), int64(2), metav1.ConditionTrue, ""},
			{"no number, which the CRD refuses", "two", int64(2), metav1.ConditionUnknown, "has not said anything"},
		} {
			t.Run(kind.condition+" "+tt.name, func(t *testing.T) {
				inCluster(t, func(c *cluster) {
					c.service("qwen", asked)
					c.settle("qwen")
					c.set(kind.res, kind.name, func(o map[string]any) {
						o["metadata"].(map[string]any)["generation"] = int64(2)
						for i, generation := range []any{tt.accepted, tt.references} {
							said := slice(o, "status", "parents")[0]["conditions"].([]any)[i].(map[string]any)
							if generation != nil {
								said["observedGeneration"] = generation
							}
						}
					})
					c.reconcile("qwen")
					got := c.condition("qwen", kind.condition)
					if got.Status != tt.want || !strings.Contains(got.Message, tt.message) {
						t.Errorf("%s %s: %s", got.Status, got.Reason, got.Message)
					}
				})
			})
		}
	}
}

// A Service that is deleted takes along what owner references cannot.
func TestReconcile_deletedService(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		c.settle("qwen")
		c.create(destRules, `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {namespace: knative-serving, name: far,
			labels: {app.kubernetes.io/managed-by: knative-inference-gateway, knative-inference.dev/service-namespace: default, knative-inference.dev/service: qwen}}, spec: {}}`)
		if err := c.services.Delete(svc); err != nil {
			t.Fatal(err)
		}
		c.reconcile("qwen")
		if diff := cmp.Diff([]string{"delete EnvoyFilter", "delete DestinationRule far"}, withoutName(c.writes, "EnvoyFilter")); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		c.pass(drainTime)
		c.reconcile("qwen")
		if diff := cmp.Diff([]string{"delete EnvoyFilter knative-gateway-inference-objective"}, c.writes); diff != "" {
			t.Errorf("after the drain (-want +got):\n%s", diff)
		}
	})
}

func TestConcerned(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.service("llama", with(map[string]string{inference.GatewayKey: "other/gw", inference.PoolKey: "gpus"}))
		c.service("plain", nil)
		for _, tt := range []struct {
			name string
			res  resource
			text string
			want []string
		}{
			{"a Gateway", resource{GroupVersionResource: gateways}, `{metadata: {namespace: knative-serving, name: knative-gateway}}`, []string{"qwen"}},
			{"a Gateway of nobody", resource{GroupVersionResource: gateways}, `{metadata: {namespace: x, name: y}}`, nil},
			{"a pool by name", resource{GroupVersionResource: pools}, `{metadata: {namespace: default, name: gpus}}`, []string{"llama"}},
			{"a namespace", resource{GroupVersionResource: namespaces}, `{metadata: {name: default}}`, []string{"llama", "qwen"}},
			{"a GatewayClass", resource{GroupVersionResource: gatewayClasses}, `{metadata: {name: istio}}`, []string{"llama", "qwen"}},
		} {
			u, err := parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, key := range c.r.concerned(tt.res, u) {
				got = append(got, key.Name)
			}
			if diff := cmp.Diff(tt.want, sorted(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
	})
}

// A gateway that we do not know works with what every gateway can: the message
// says so, and Ready is what the gateway says.
func TestReconcile_unknownProvider(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.delete(gatewayClasses, "", "istio")
		c.create(gatewayClasses, `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio}, spec: {controllerName: example.com/new}}`)
		c.service("qwen", map[string]string{inference.AIGatewayKey: inference.Enabled})
		c.settle("qwen")
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Reason != inference.ReasonProviderUnknown || !strings.Contains(got.Message, "example.com/new") {
			t.Errorf("RouteAccepted %s %s: %s", got.Status, got.Reason, got.Message)
		}
	})
}

// A Service that only the cluster reaches serves the hosts that it names, and
// going there and back takes no pool down.
func TestReconcile_clusterLocal(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		c.pod("qwen", "qwen-00001", "p1", nil)
		c.settle("qwen")
		obj, _, _ := c.ingress.GetByKey("default/qwen")
		local := obj.(*nv1alpha1.Ingress).DeepCopy()
		tag := *local.Spec.Rules[1].DeepCopy()
		tag.Hosts = []string{"canary-qwen.default"}
		tag.HTTP.Paths[0].Splits[0].AppendHeaders["Knative-Serving-Revision"] = "qwen-00009"
		local.Spec.Rules = []nv1alpha1.IngressRule{tag, local.Spec.Rules[1]}
		put(c, c.ingress, local)
		for range 3 {
			c.reconcile("qwen")
			c.pass(drainTime)
		}
		if c.live(pools, "qwen") == nil || c.live(deployments, "qwen-epp") == nil || c.podLabel("p1", inference.RoutedKey) != "true" {
			t.Error("pool, picker or label went with the external host")
		}
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Reason != inference.ReasonNoHosts {
			t.Errorf("RouteAccepted %s: %s", got.Reason, got.Message)
		}
		c.annotate(svc, with(map[string]string{inference.HostnamesKey: "llm.default.example.com"}))
		c.settle("qwen")
		if got := c.status("qwen").URL; got != "http://llm.default.example.com:8888" {
			t.Errorf("URL %q, want that of the host it names", got)
		}
	})
}
