package inferencegateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

var asked = map[string]string{"knative.aliyun.com/ai-gateway": "inference", "knative.aliyun.com/ai-gateway-inference-priority": "1"}

func with(more map[string]string) map[string]string { return merged(asked, more) }

// ACK's annotations alone bring everything about: the picker and its Service
// before the pool, the route last and only once the picker answers.
func TestReconcile_fromAnnotationsToReady(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		c.pod("qwen", "qwen-00001", "p1", nil)

		c.reconcile("qwen")
		want := []string{
			"patch Pod p1", "apply EnvoyFilter", // that of the Gateway
			"apply ServiceAccount qwen-epp", "apply RoleBinding qwen-epp-reads", "apply ConfigMap qwen-epp",
			"apply Service qwen-epp", "apply Deployment qwen-epp", "apply DestinationRule qwen-epp",
			"apply InferencePool qwen", "apply InferenceObjective qwen", "apply EnvoyFilter",
			"apply InferenceBinding qwen", "apply InferenceBinding qwen/status",
		}
		if diff := cmp.Diff(want, withoutName(c.writes, "EnvoyFilter")); diff != "" {
			t.Errorf("first round (-want +got):\n%s", diff)
		}
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Reason != "WaitingForEndpointPicker" {
			t.Errorf("RouteAccepted %s: %s, want it to wait for the picker", got.Reason, got.Message)
		}
		c.ready()
		c.reconcile("qwen")
		if !slices.Contains(c.writes, "apply HTTPRoute qwen-inference") {
			t.Errorf("second round wrote %v, want the route", c.writes)
		}
		c.settle("qwen")
		s := c.status("qwen")
		if s.URL != "http://qwen.default.example.com:8888" || s.Pool != "qwen" || s.Gateway != "knative-serving/knative-gateway" || s.Address != "10.0.0.9" || s.Provider != "istio" {
			t.Errorf("status %+v", s)
		}
		if got := c.podLabel("p1", inference.RoutedKey); got != "true" {
			t.Errorf("label routed of p1 is %q, want true", got)
		}
		for _, g := range []schema.GroupVersionResource{pools, httpRoutes, deployments, bindings} {
			for _, u := range c.list(g) {
				if !metav1.IsControlledBy(u, svc) {
					t.Errorf("%s %s is not controlled by the Service: %v", g.Resource, u.GetName(), u.GetOwnerReferences())
				}
			}
		}
		if got := c.told(); !slices.ContainsFunc(got, func(e string) bool { return strings.Contains(e, "InferenceGatewayReady") }) {
			t.Errorf("events %v, want one that says that it is ready", got)
		}
	})
}

// withoutName cuts the names of a kind that carry a hash.
func withoutName(lines []string, kind string) (out []string) {
	for _, l := range lines {
		if verb, _, found := strings.Cut(l, " "+kind+" "); found {
			l = verb + " " + kind
		}
		out = append(out, l)
	}
	return out
}

func TestReconcile_aSteadyStateWritesNothing(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.settle("qwen")
		for range 3 {
			if after := c.reconcile("qwen"); len(c.writes) > 0 || after != 0 {
				t.Errorf("wrote %v, asks again after %v", c.writes, after)
			}
		}
		c.r.ledger = ledger{} // as after a change of leader
		c.told()
		if c.reconcile("qwen"); len(c.writes) > 0 || len(c.told()) > 0 {
			t.Errorf("a new leader wrote %v", c.writes)
		}
	})
}

func TestReconcile_repairsWhatOthersChange(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.settle("qwen")
		c.set(pools, "qwen", func(o map[string]any) {
			o["spec"].(map[string]any)["targetPorts"] = []any{map[string]any{"number": int64(1)}}
		})
		c.reconcile("qwen")
		if diff := cmp.Diff([]string{"apply InferencePool qwen"}, c.writes); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		c.delete(deployments, "default", "qwen-epp")
		c.reconcile("qwen")
		if !slices.Contains(c.writes, "apply Deployment qwen-epp") {
			t.Errorf("wrote %v, want the Deployment back", c.writes)
		}
	})
}

// A Service that is still coming up is no warning, and one that the API server
// refuses is a condition of the object's own.
func TestReconcile_comingUpIsNoWarning(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.traffic("qwen", nil)
		c.reconcile("qwen")
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Status != metav1.ConditionUnknown || got.Reason != inference.ReasonNoTraffic {
			t.Errorf("RouteAccepted %s %s", got.Status, got.Reason)
		}
		if got := c.told(); len(got) > 0 {
			t.Errorf("events %v, want none", got)
		}
		c.traffic("qwen", map[string]int{"qwen-00001": 100})
		c.settle("qwen")
	})
}

func TestReconcile_whatTheAPIServerRefuses(t *testing.T) {
	inCluster(t, func(c *cluster) {
		refusing := true
		c.client.PrependReactor("patch", "rolebindings", func(clienttesting.Action) (bool, runtime.Object, error) {
			return refusing, nil, apierrs.NewForbidden(schema.GroupResource{Resource: "rolebindings"}, "qwen-epp-reads", errors.New("escalation"))
		})
		c.service("qwen", asked)
		if err := c.r.Reconcile(c.Context(), "default/qwen"); err == nil || !strings.Contains(err.Error(), "escalation") {
			t.Errorf("error %v, want it back for another try", err)
		}
		synctest.Wait()
		if got := c.condition("qwen", inference.ConditionEndpointPickerReady); got.Reason != "ApplyFailed" || !strings.Contains(got.Message, "RoleBinding default/qwen-epp-reads") {
			t.Errorf("EndpointPickerReady %s: %s", got.Reason, got.Message)
		}
		if c.live(pools, "qwen") != nil {
			t.Error("the pool was made before its picker")
		}
		refusing = false
		c.settle("qwen")
	})
}

func TestReconcile_standbyWritesNothing(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.r.Demote(pkgreconciler.UniversalBucket())
		err := c.r.Reconcile(c.Context(), "default/qwen")
		if !controller.IsSkipKey(err) || len(c.writes) > 0 {
			t.Errorf("a standby returned %v and wrote %v", err, c.writes)
		}
	})
}

// The route goes at once, so that no new request comes; pool and picker when
// open answers have drained, and the pod's label with the pool.
func TestReconcile_annotationRemoved(t *testing.T) {
	for _, value := range []string{"", inference.Disabled} {
		t.Run(value, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				svc := c.service("qwen", asked)
				c.pod("qwen", "qwen-00001", "p1", nil)
				c.settle("qwen")
				if value == "" {
					c.annotate(svc, nil)
				} else {
					c.annotate(svc, map[string]string{inference.AIGatewayKey: value})
				}
				if after := c.reconcile("qwen"); after != drainTime {
					t.Errorf("asks again after %v, want %v", after, drainTime)
				}
				want := []string{"delete HTTPRoute qwen-inference", "delete HTTPRoute qwen-knative", "delete EnvoyFilter", "delete InferenceObjective qwen"}
				writes := withoutName(c.writes, "EnvoyFilter")
				slices.Sort(writes[:min(2, len(writes))]) // objects of a kind go in any order
				if diff := cmp.Diff(want, writes); diff != "" {
					t.Errorf("at once (-want +got):\n%s", diff)
				}
				if got := c.podLabel("p1", inference.RoutedKey); got != "true" {
					t.Errorf("label routed of p1 is %q: the picker forgot it while answers are open", got)
				}
				c.pass(drainTime)
				c.reconcile("qwen")
				if got := c.podLabel("p1", inference.RoutedKey); got != "" {
					t.Errorf("label routed of p1 is %q, want none", got)
				}
				if len(c.writes) < 2 || c.writes[0] != "delete EnvoyFilter knative-gateway-inference-objective" || c.writes[1] != "delete InferencePool qwen" || c.writes[len(c.writes)-1] != "delete InferenceBinding qwen" {
					t.Errorf("after the drain %v, want the Gateway's filter and the pool first and the binding last", c.writes)
				}
				for _, res := range resources() {
					if left := c.list(res.GroupVersionResource); res.ours && len(left) > 0 {
						t.Errorf("%d %s left", len(left), res.Resource)
					}
				}
				if c.reconcile("qwen"); len(c.writes) > 0 {
					t.Errorf("wrote %v when all was gone", c.writes)
				}
			})
		})
	}
}

// A slip of the pen takes nothing down, and says where it is.
func TestReconcile_refusedAnnotationsChangeNothing(t *testing.T) {
	for name, annotations := range map[string]map[string]string{
		"value":       with(map[string]string{inference.FailureModeKey: "Sometimes"}),
		"the gateway": {inference.AIGatewayKey: "inferense"},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				svc := c.service("qwen", asked)
				c.settle("qwen")
				c.told()
				c.annotate(svc, annotations)
				c.reconcile("qwen")
				if diff := cmp.Diff([]string{"apply InferenceBinding qwen/status"}, c.writes); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
				if got := c.condition("qwen", inference.ConditionReady); got.Status != metav1.ConditionFalse || got.Reason != inference.ReasonRefused {
					t.Errorf("Ready %s %s: %s", got.Status, got.Reason, got.Message)
				}
				if got := c.status("qwen").URL; got == "" {
					t.Error("the URL is lost although all still serves")
				}
				if got := c.told(); len(got) != 1 || !strings.Contains(got[0], "metadata.annotations") {
					t.Errorf("events %v, want one that names the field", got)
				}
				c.annotate(svc, asked)
				c.settle("qwen")
			})
		})
	}
}

func TestReconcile_missingCRDsAreAConditionAndPickedUp(t *testing.T) {
	for _, tt := range []struct {
		gone              schema.GroupVersionResource
		condition, reason string
	}{
		{pools, inference.ConditionPoolAccepted, inference.ReasonPoolCRDMissing},
		{httpRoutes, inference.ConditionRouteAccepted, inference.ReasonRouteCRDMissing},
		{objectives(objectiveGroup), inference.ConditionObjectiveApplied, inference.ReasonObjectiveCRDMissing},
		{destRules, inference.ConditionEndpointPickerReady, inference.ReasonIstioCRDMissing},
		{gateways, inference.ConditionRouteAccepted, inference.ReasonGatewayNotFound},
	} {
		t.Run(tt.gone.Resource, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.service("qwen", asked)
				c.settle("qwen")
				gateway := c.list(gateways)[0]
				c.resynced.Store(0)
				c.undefine(tt.gone)
				if c.resynced.Load() == 0 {
					t.Error("nobody is told that a kind is gone")
				}
				c.reconcile("qwen")
				got := c.condition("qwen", tt.condition)
				if got.Status != metav1.ConditionFalse || got.Reason != tt.reason {
					t.Errorf("%s is %s %s: %s; want %s", tt.condition, got.Status, got.Reason, got.Message, tt.reason)
				}
				c.pass(time.Hour) // no watch of a kind that is gone wakes anybody
				synctest.Wait()
				c.resynced.Store(0)
				for _, res := range resources() {
					if res.GroupVersionResource == tt.gone {
						c.define(res)
					}
				}
				synctest.Wait()
				if c.resynced.Load() == 0 {
					t.Error("nobody is told that a kind is back")
				}
				if tt.gone == gateways {
					if err := c.client.Tracker().Create(gateways, gateway, gateway.GetNamespace()); err != nil {
						t.Fatal(err)
					}
				}
				c.settle("qwen")
			})
		})
	}
}

// makeUnlistable changes a kind's CRD, and from then on it cannot be listed.
func (c *cluster) makeUnlistable(gvr schema.GroupVersionResource) {
	c.Helper()
	c.client.PrependReactor("list", gvr.Resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrs.NewInternalError(errors.New("the conversion webhook is down"))
	})
	crd, err := c.client.Tracker().Get(crds, "", gvr.Resource+"."+gvr.Group)
	if err != nil {
		c.Fatal(err)
	}
	changed := crd.(*unstructured.Unstructured).DeepCopy()
	changed.SetUID("another")
	if err := c.client.Tracker().Update(crds, changed, ""); err != nil {
		c.Fatal(err)
	}
	c.pass(2 * patience)
}

// A pool's cache that cannot be filled again is no reason to take a route down.
func TestReconcile_aKindThatCanNoLongerBeListed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.pod("qwen", "qwen-00001", "p1", nil)
		c.settle("qwen")
		c.makeUnlistable(pools)
		c.reconcile("qwen")
		c.pass(2 * drainTime)
		c.reconcile("qwen")
		if c.live(httpRoutes, "qwen-inference") == nil || c.live(pools, "qwen") == nil || c.live(deployments, "qwen-epp") == nil {
			t.Error("route, pool or picker were removed")
		}
		if got := c.podLabel("p1", inference.RoutedKey); got != "true" {
			t.Errorf("routed %q: the pool that serves all the same lost its pods", got)
		}
	})
}

// A Gateway or class that is gone may come back: what leads to it stays.
func TestReconcile_theGatewayGoesAndComesBack(t *testing.T) {
	for _, gone := range []struct {
		res             schema.GroupVersionResource
		namespace, name string
	}{{gatewayClasses, "", "istio"}, {gateways, "knative-serving", "knative-gateway"}} {
		t.Run(gone.res.Resource, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.service("qwen", asked)
				c.settle("qwen")
				c.delete(gone.res, gone.namespace, gone.name)
				c.reconcile("qwen")
				c.pass(2 * drainTime)
				c.reconcile("qwen")
				if c.live(httpRoutes, "qwen-inference") == nil || c.live(pools, "qwen") == nil {
					t.Error("route or pool were removed")
				}
				if got := c.condition("qwen", inference.ConditionReady); got.Status != metav1.ConditionFalse {
					t.Errorf("Ready %s", got.Status)
				}
			})
		})
	}
}

// The filter that asks a body-based router comes after the router: without it
// every request that it is for fails.
func TestReconcile_theBodyRouterComesBeforeItsFilter(t *testing.T) {
	inCluster(t, func(c *cluster) {
		d, err := binding.ParseDefaults(map[string]string{"body-based-router": "managed"})
		if err != nil {
			t.Fatal(err)
		}
		c.r.defaults = func() *binding.Defaults { return &d }
		c.service("qwen", with(map[string]string{inference.ModelKey: "qwen"}))
		filter := func() bool {
			return slices.ContainsFunc(c.list(envoyFilters), func(u *unstructured.Unstructured) bool { return strings.HasSuffix(u.GetName(), "-bbr") })
		}
		for range 3 {
			c.reconcile("qwen")
		}
		if filter() {
			t.Error("the filter is there before the router answers")
		}
		if got := c.condition("qwen", inference.ConditionEndpointPickerReady); got.Status == metav1.ConditionTrue || !strings.Contains(got.Message, "-bbr") {
			t.Errorf("EndpointPickerReady %s: %s; want the router's Deployment", got.Status, got.Message)
		}
		c.settle("qwen")
		if !filter() {
			t.Error("the filter never came")
		}
	})
}

// Pods that are born hidden while annotations are refused are shown all the same.
func TestReconcile_refusedAnnotationsHideNoPod(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		c.settle("qwen")
		c.annotate(svc, with(map[string]string{inference.FailureModeKey: "Sometimes"}))
		c.pod("qwen", "qwen-00001", "p1", map[string]string{inference.ActivePortsKey: "", inference.LLMDActivePortsKey: ""})
		c.reconcile("qwen")
		pod, err := c.kube.CoreV1().Pods("default").Get(c.Context(), "p1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if hidden(pod) {
			t.Errorf("hidden still: %v", pod.Annotations)
		}
	})
}

// A kind that we may not list holds nothing up but what needs it.
func TestReconcile_aKindThatCannotBeListed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.undefine(objectives(objectiveGroup))
		c.client.PrependReactor("list", "inferenceobjectives", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrs.NewForbidden(schema.GroupResource{Resource: "inferenceobjectives"}, "", errors.New("no"))
		})
		res, _ := resourceOf(objectives(objectiveGroup).GroupVersion().WithKind("InferenceObjective"))
		c.define(res)
		c.service("qwen", asked)
		if after := c.reconcile("qwen"); after != syncRetry {
			t.Errorf("asks again after %v, want %v while the cache fills", after, syncRetry)
		}
		c.pass(patience)
		for range 3 {
			c.reconcile("qwen")
			c.ready()
		}
		if got := c.condition("qwen", inference.ConditionObjectiveApplied); got.Reason != inference.ReasonObjectiveCRDMissing {
			t.Errorf("ObjectiveApplied %s: %s", got.Reason, got.Message)
		}
		if got := c.condition("qwen", inference.ConditionRouteAccepted); got.Status != metav1.ConditionTrue {
			t.Errorf("RouteAccepted %s: %s; the rest must be served", got.Reason, got.Message)
		}
	})
}

// A kind that is there but cannot be listed keeps its form: a split that Istio's
// filters hold does not turn into another one, and nothing is taken away.
func TestReconcile_aFormDoesNotChangeForACacheThatIsLate(t *testing.T) {
	for _, late := range []schema.GroupVersionResource{envoyFilters, httpRoutes, destRules} {
		t.Run(late.Resource, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.service("qwen", with(map[string]string{inference.PoolModeKey: "revision"}))
				c.revision("qwen", "qwen-00002")
				c.traffic("qwen", map[string]int{"qwen-00001": 50, "qwen-00002": 50})
				c.settle("qwen")
				before := c.live(httpRoutes, "qwen-inference").DeepCopy()
				filters := len(c.list(envoyFilters))
				c.makeUnlistable(late)
				c.traffic("qwen", map[string]int{"qwen-00001": 40, "qwen-00002": 60})
				for range 3 {
					c.reconcile("qwen")
					c.pass(drainTime)
				}
				if diff := cmp.Diff(before.Object["spec"], c.live(httpRoutes, "qwen-inference").Object["spec"]); diff != "" {
					t.Errorf("the route changed (-before +after):\n%s", diff)
				}
				if got := len(c.list(envoyFilters)); got != filters {
					t.Errorf("%d filters, had %d", got, filters)
				}
				told := slices.ContainsFunc(c.status("qwen").Conditions, func(m metav1.Condition) bool {
					return m.Reason == "KindNotListed" && strings.Contains(m.Message, late.GroupResource().String())
				})
				if !told {
					t.Errorf("conditions %+v do not name the kind", c.status("qwen").Conditions)
				}
			})
		})
	}
}
