package inferencegateway

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	pkgreconciler "knative.dev/pkg/reconciler"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

func TestLabelChange(t *testing.T) {
	keys := []string{"routed", "pool"}
	for _, tt := range []struct {
		name       string
		have, want map[string]string
		change     map[string]any
	}{
		{"nothing to do", map[string]string{"routed": "true", "user": "x"}, map[string]string{"routed": "true"}, map[string]any{}},
		{"joins", nil, map[string]string{"routed": "true"}, map[string]any{"routed": "true"}},
		{"leaves", map[string]string{"routed": "true", "pool": "p"}, nil, map[string]any{"routed": nil, "pool": nil}},
		{"moves", map[string]string{"pool": "p"}, map[string]string{"pool": "q"}, map[string]any{"pool": "q"}},
		{"other labels are not looked at", map[string]string{"user": "x"}, nil, map[string]any{}},
		{"an empty value is a value", map[string]string{"routed": ""}, nil, map[string]any{"routed": nil}},
	} {
		if diff := cmp.Diff(tt.change, labelChange(tt.have, tt.want, keys)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Traffic moves from one revision to the next: pods of the new one join before
// those of the old one leave, and pods being deleted are left alone.
func TestReconcile_podsFollowTraffic(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", asked)
		c.revision("qwen", "qwen-00002")
		c.pod("qwen", "qwen-00001", "a-old", nil)
		c.pod("qwen", "qwen-00002", "b-new", nil)
		c.settle("qwen")
		c.pass(time.Minute)
		if got := []string{c.podLabel("a-old", inference.RoutedKey), c.podLabel("b-new", inference.RoutedKey)}; !slices.Equal(got, []string{"true", ""}) {
			t.Errorf("routed %v, want the old pod only", got)
		}
		c.traffic("qwen", map[string]int{"qwen-00001": 90, "qwen-00002": 10})
		c.reconcile("qwen")
		if diff := cmp.Diff([]string{"patch Pod b-new"}, podWrites(c)); diff != "" {
			t.Errorf("canary (-want +got):\n%s", diff)
		}
		c.traffic("qwen", map[string]int{"qwen-00001": 0, "qwen-00002": 100})
		c.pod("qwen", "qwen-00002", "c-newer", nil)
		if after := c.reconcile("qwen"); after != time.Second {
			t.Errorf("looks again after %v, want the hold", after)
		}
		if diff := cmp.Diff([]string{"patch Pod c-newer", "patch Pod a-old"}, podWrites(c)); diff != "" {
			t.Errorf("promotion (-want +got):\n%s", diff)
		}
		if c.podLabel("a-old", inference.RoutedKey) != "true" || !c.hides("a-old") {
			t.Error("the old pod must be hidden from the picker while the gateway still knows it")
		}
		c.pass(time.Second)
		c.reconcile("qwen")
		if c.podLabel("a-old", inference.RoutedKey) != "" {
			t.Error("the old pod is still in the pool")
		}
		c.reconcile("qwen")
		if c.hides("a-old") {
			t.Error("the old pod is out of the pool and stays hidden")
		}
		if c.reconcile("qwen"); len(c.writes) > 0 {
			t.Errorf("wrote %v again", c.writes)
		}
	})
}

// The pods that lose their traffic stay to be picked until one that has it now
// can be: a rollout must not leave the picker without any. Where none comes, they
// go when the drain is over; where the traffic comes back, they stay.
func TestReconcile_podsLeaveWhenReplaced(t *testing.T) {
	begin := func(c *cluster) {
		c.service("qwen", asked)
		c.revision("qwen", "qwen-00002")
		c.pod("qwen", "qwen-00001", "old", nil)
		c.settle("qwen")
		c.pass(time.Minute)
		c.traffic("qwen", map[string]int{"qwen-00001": 0, "qwen-00002": 100})
		c.reconcile("qwen")
		if c.hides("old") || c.podLabel("old", inference.RoutedKey) != "true" {
			t.Fatal("the last pod that can be picked left")
		}
	}
	born := map[string]string{inference.ActivePortsKey: "", inference.LLMDActivePortsKey: ""}
	inCluster(t, func(c *cluster) {
		begin(c)
		c.pod("qwen", "qwen-00002", "new", born) // by the webhook
		c.reconcile("qwen")                      // the pod was Ready a moment ago only
		if c.hides("old") {
			t.Error("the old pod is hidden while the new one is")
		}
		for range 3 {
			c.pass(time.Second)
			c.reconcile("qwen")
		}
		if !c.hides("old") && c.podLabel("old", inference.RoutedKey) == "true" {
			t.Error("the old pod stays although the new one can be picked")
		}
	})
	inCluster(t, func(c *cluster) {
		begin(c)
		for range 33 {
			c.pass(time.Second)
			c.reconcile("qwen")
		}
		if got := c.podLabel("old", inference.RoutedKey); got != "" {
			t.Errorf("routed %q after the drain", got)
		}
	})
	inCluster(t, func(c *cluster) {
		begin(c)
		c.pod("qwen", "qwen-00002", "new", nil)
		c.reconcile("qwen")
		c.reconcile("qwen")
		if !c.hides("old") {
			t.Fatal("the old pod is not hidden")
		}
		c.traffic("qwen", map[string]int{"qwen-00001": 100})
		c.reconcile("qwen")
		c.reconcile("qwen")
		if c.hides("old") || c.podLabel("old", inference.RoutedKey) != "true" {
			t.Error("the traffic is back, and the pod is not")
		}
	})
}

// In revision mode the new revision's picker must answer, and the Gateway know its pool, before the route
// leads to it, and the old one stays until open answers have drained.
func TestReconcile_promotionWaitsForTheNewPicker(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", with(map[string]string{inference.PoolModeKey: "revision"}))
		c.settle("qwen")
		c.revision("qwen", "qwen-00002")
		c.traffic("qwen", map[string]int{"qwen-00002": 100})
		c.reconcile("qwen")
		if c.live(pools, "qwen-00002") == nil || slices.Contains(c.writes, "apply HTTPRoute qwen-inference") {
			t.Fatalf("wrote %v, want the new pool and the route as it was", c.writes)
		}
		if got := backends(c); !slices.Equal(got, []string{"qwen-00001"}) {
			t.Errorf("the route leads to %v while the new picker starts", got)
		}
		c.pass(2 * drainTime)
		c.reconcile("qwen")
		if c.live(pools, "qwen-00001") == nil {
			t.Fatal("the old pool went while the route still led to it")
		}
		c.ready()
		c.reconcile("qwen")
		c.pass(introduction)
		c.reconcile("qwen")
		if after := c.reconcile("qwen"); after != drainTime {
			t.Errorf("asks again after %v, want the drain", after)
		}
		if got := backends(c); !slices.Equal(got, []string{"qwen-00002"}) {
			t.Errorf("the route leads to %v after the promotion", got)
		}
		if c.live(pools, "qwen-00001") == nil || c.live(deployments, "qwen-00001-epp") == nil {
			t.Error("the old pool did not drain")
		}
		c.pass(drainTime)
		c.reconcile("qwen")
		if c.live(pools, "qwen-00001") != nil || c.live(deployments, "qwen-00001-epp") != nil {
			t.Error("the old pool stayed")
		}
	})
}

func backends(c *cluster) (names []string) {
	for _, rule := range slice(c.live(httpRoutes, "qwen-inference").Object, "spec", "rules") {
		for _, ref := range slice(rule, "backendRefs") {
			names = append(names, ref["name"].(string))
		}
	}
	return names
}

func podWrites(c *cluster) []string {
	return slices.DeleteFunc(slices.Clone(c.writes), func(w string) bool { return len(w) < 9 || w[:9] != "patch Pod" })
}

// A label of the user's own template is not ours to remove.
func TestReconcile_labelsOfTheTemplateStay(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		rev, err := c.r.revisions.Revisions("default").Get("qwen-00001")
		if err != nil {
			t.Fatal(err)
		}
		rev = rev.DeepCopy()
		rev.Labels[inference.EngineTypeKey] = "sglang"
		put(c, c.revs, rev)
		c.pod("qwen", "qwen-00001", "p1", nil)
		pod, err := c.kube.CoreV1().Pods("default").Get(c.Context(), "p1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pod.Labels[inference.EngineTypeKey] = "sglang"
		if _, err := c.kube.CoreV1().Pods("default").Update(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.seePods()
		c.settle("qwen")
		c.annotate(svc, nil)
		c.reconcile("qwen")
		c.pass(drainTime)
		c.reconcile("qwen")
		if got := c.podLabel("p1", inference.EngineTypeKey); got != "sglang" {
			t.Errorf("engine type %q, want the template's", got)
		}
		if got := c.podLabel("p1", inference.RoutedKey); got != "" {
			t.Errorf("routed %q, want none", got)
		}
	})
}

// A pod that was born hidden is shown to the picker once it has been Ready for the hold.
func TestReconcile_hiddenPodsAreShownAfterTheHold(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", with(map[string]string{inference.EndpointHoldKey: "2s"}))
		c.settle("qwen")
		c.pod("qwen", "qwen-00001", "p1", map[string]string{inference.ActivePortsKey: "", inference.LLMDActivePortsKey: ""})
		after := c.reconcile("qwen")
		if after != 2*time.Second {
			t.Fatalf("asks again after %v, want the hold", after)
		}
		c.pass(after)
		c.reconcile("qwen")
		pod, err := c.kube.CoreV1().Pods("default").Get(c.Context(), "p1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{inference.ActivePortsKey: "8012", inference.LLMDActivePortsKey: "8012"}
		if diff := cmp.Diff(want, pod.Annotations); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
		if c.reconcile("qwen"); len(c.writes) > 0 {
			t.Errorf("wrote %v again", c.writes)
		}
	})
}

// A pod that was born while the webhook was away is hidden while it starts, and shown after the
// hold. One that may serve already, or whose template says which ports serve, stays as it is.
func TestReconcile_podsBornWithoutTheWebhookAreHidden(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", with(map[string]string{inference.EndpointHoldKey: "2s"}))
		c.settle("qwen")
		c.pod("qwen", "qwen-00001", "serves", nil)
		c.pod("qwen", "qwen-00001", "starts", nil)
		c.setReady("starts", false)
		c.pod("qwen", "qwen-00001", "own", map[string]string{inference.ActivePortsKey: "8000"})
		c.setReady("own", false)
		c.reconcile("qwen")
		for name, want := range map[string]bool{"serves": false, "starts": true, "own": false} {
			if got := c.hides(name); got != want {
				t.Errorf("%s is hidden: %v, want %v", name, got, want)
			}
		}
		c.setReady("starts", true)
		after := c.reconcile("qwen")
		if after != 2*time.Second || !c.hides("starts") {
			t.Fatalf("asks again after %v, hidden %v; want the hold, hidden", after, c.hides("starts"))
		}
		c.setReady("starts", false)
		c.pass(after)
		c.reconcile("qwen")
		c.setReady("starts", true)
		if c.reconcile("qwen"); !c.hides("starts") {
			t.Error("shown without a whole hold after it became Ready again")
		}
		c.pass(after)
		if c.reconcile("qwen"); c.hides("starts") {
			t.Error("hidden still after the hold")
		}
	})
}

// A Service that leaves the gateway shows its pods, also those that are not Ready yet.
func TestReconcile_startingPodsAreShownWhenTheGatewayGoes(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("qwen", with(map[string]string{inference.EndpointHoldKey: "2s"}))
		c.settle("qwen")
		c.pod("qwen", "qwen-00001", "starts", nil)
		c.setReady("starts", false)
		if c.reconcile("qwen"); !c.hides("starts") {
			t.Fatal("not hidden")
		}
		c.service("qwen", nil)
		if c.reconcile("qwen"); c.hides("starts") {
			t.Error("hidden for good")
		}
	})
}

// The API server said late that the pod is Ready, so the gateway has not heard of it for longer: the
// hold begins now.
func TestReconcile_theHoldBeginsWhenThePodIsSeenReady(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", with(map[string]string{inference.EndpointHoldKey: "2s"}))
		if err := c.r.beginTerm(pkgreconciler.UniversalBucket(), func(pkgreconciler.Bucket, types.NamespacedName) {}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Minute)
		c.pod("qwen", "qwen-00001", "p1", map[string]string{inference.ActivePortsKey: ""})
		c.pass(20 * time.Second)
		left, ready := c.r.heldFor(c.r.podsOf(ownerOf(svc))[0], 2*time.Second)
		if !ready || left != 2*time.Second {
			t.Errorf("held for another %v, ready %v; want the whole hold", left, ready)
		}
	})
}

// A new leader has not seen the pod become Ready: the condition's own time counts.
func TestReconcile_theHoldSurvivesAChangeOfLeader(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", with(map[string]string{inference.EndpointHoldKey: "2s"}))
		c.pod("qwen", "qwen-00001", "p1", map[string]string{inference.ActivePortsKey: ""})
		c.pass(time.Minute)
		left, ready := c.r.heldFor(c.r.podsOf(ownerOf(svc))[0], 2*time.Second)
		if !ready || left > 0 {
			t.Errorf("held for another %v, ready %v; want it due", left, ready)
		}
	})
}

// Somebody else's pool sends requests for as long as its labels are there: they
// leave with the annotation, but for what is Knative's or the template's.
func TestReconcile_podsLeaveAForeignPool(t *testing.T) {
	for name, later := range map[string]map[string]string{"no gateway": nil, "another pool": asked} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.create(pools, `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {namespace: default, name: theirs},
					spec: {selector: {matchLabels: {team: llm, tier: gold, pod-template-hash: 7d5b9c, serving.knative.dev/service: qwen}}, targetPorts: [{number: 8012}]}}`)
				svc := c.service("qwen", with(map[string]string{inference.PoolKey: "theirs"}))
				rev, err := c.r.revisions.Revisions("default").Get("qwen-00001")
				if err != nil {
					t.Fatal(err)
				}
				rev = rev.DeepCopy()
				rev.Labels["tier"] = "gold"
				put(c, c.revs, rev)
				c.pod("qwen", "qwen-00001", "p1", nil)
				c.reconcile("qwen")
				if got := c.podLabel("p1", "team"); got != "llm" {
					t.Fatalf("team %q, want the pool's", got)
				}
				if got := c.podLabel("p1", "pod-template-hash"); got != "" {
					t.Errorf("pod-template-hash %q: the ReplicaSet no longer owns the pod", got)
				}
				if got := c.condition("qwen", inference.ConditionPodsLabelled); got.Reason != inference.ReasonPoolMismatch || !strings.Contains(got.Message, "pod-template-hash") {
					t.Errorf("PodsLabelled %s %s: %s", got.Status, got.Reason, got.Message)
				}
				c.annotate(svc, later)
				c.reconcile("qwen")
				if got := c.podLabel("p1", "team"); got != "" {
					t.Errorf("team %q: the pod is in the pool still", got)
				}
				if got := c.podLabel("p1", "tier"); got != "gold" {
					t.Errorf("tier %q, want the template's", got)
				}
				if got := c.podLabel("p1", serving.ServiceLabelKey); got != "qwen" {
					t.Errorf("Knative's label is %q", got)
				}
			})
		})
	}
}

// A pool of two goes on for the other one: the pods of the Service that leaves must go at once.
func TestReconcile_podsLeaveASharedPoolAtOnce(t *testing.T) {
	inCluster(t, func(c *cluster) {
		shared := with(map[string]string{inference.PoolKey: "gpus"})
		a, b := c.service("a", shared), c.service("b", shared)
		c.pod("a", "a-00001", "pa", nil)
		c.pod("b", "b-00001", "pb", nil)
		c.reconcile("a")
		c.ready()
		c.settle("b")
		c.settle("a")
		c.annotate(b, nil)
		c.reconcile("b")
		if got := c.podLabel("pb", inference.RoutedKey); got != "" {
			t.Errorf("routed %q: the pool goes on sending requests to b", got)
		}
		c.settle("a") // a alone owns the pool now
		c.annotate(a, nil)
		c.reconcile("a")
		if got := c.podLabel("pa", inference.RoutedKey); got != "true" {
			t.Errorf("routed %q while the last Service drains", got)
		}
		c.pass(drainTime)
		c.reconcile("a")
		if got := c.podLabel("pa", inference.RoutedKey); got != "" {
			t.Errorf("routed %q after the drain", got)
		}
	})
}

// A Service that disagrees with the pool it names is known as such on every
// replica, for the webhook, and until it agrees. The webhook runs in a process of
// its own and reads it from the cluster.
func TestReconcile_keptOut(t *testing.T) {
	inCluster(t, func(c *cluster) {
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		seen, alone := NewReader(ReaderOptions{Client: c.client, Log: c.r.log, WithBindings: true}), NewReader(ReaderOptions{Client: c.client, Log: c.r.log})
		for _, r := range []*Reader{seen, alone} {
			if !r.Installed() {
				t.Error("the gateway counts as missing before anything is known")
			}
			if err := r.Start(ctx); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !seen.Installed() || alone.Installed() {
			t.Errorf("InferenceBindings defined: %t, and %t for a reader that does not look; want true and false", seen.Installed(), alone.Installed())
		}
		shared := with(map[string]string{inference.PoolKey: "gpus"})
		c.service("a", shared)
		c.service("b", shared)
		rev, err := c.r.revisions.Revisions("default").Get("b-00001")
		if err != nil {
			t.Fatal(err)
		}
		rev = rev.DeepCopy()
		rev.Spec.Containers[0].Ports[0].ContainerPort = 9000 // where the engine's page is
		put(c, c.revs, rev)
		c.pod("b", "b-00001", "pb", nil)
		c.settle("a")
		if seen.KeptOut("default", "b") {
			t.Error("b is kept out before anybody has looked at it")
		}
		c.reconcile("b")
		if got := c.condition("b", inference.ConditionPoolAccepted); got.Reason != inference.ReasonPoolMismatch || c.podLabel("pb", inference.RoutedKey) != "" {
			t.Fatalf("b is no stranger: %s %s", got.Reason, got.Message)
		}
		if seen.KeptOut("default", "a") || !seen.KeptOut("default", "b") || seen.KeptOut("other", "b") {
			t.Error("want b kept out, and b alone")
		}
		c.revision("b", "b-00001")
		c.settle("b")
		if seen.KeptOut("default", "b") || c.podLabel("pb", inference.RoutedKey) != "true" {
			t.Error("b agrees now and is kept out")
		}
		if len(seen.Pools()) == 0 || len(alone.Pools()) != len(seen.Pools()) {
			t.Errorf("%d and %d pools are seen, want the same ones", len(seen.Pools()), len(alone.Pools()))
		}
	})
}
