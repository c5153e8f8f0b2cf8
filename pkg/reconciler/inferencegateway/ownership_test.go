package inferencegateway

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	pkgreconciler "knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

func TestClaimOn(t *testing.T) {
	qwen := owner{"default", "qwen", "u1"}
	yes := true
	ref := func(kind, name string, uid types.UID, controller *bool) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: map[bool]string{true: knativeAPIVersion, false: "apps/v1"}[kind == knativeKind], Kind: kind, Name: name, UID: uid, Controller: controller}
	}
	ours := map[string]string{inference.ManagedByKey: inference.ManagedBy}
	for _, tt := range []struct {
		name   string
		labels map[string]string
		owners []metav1.OwnerReference
		as     manifest.Ownership
		going  bool
		want   claim
	}{
		{"controlled by the Service", nil, []metav1.OwnerReference{ref(knativeKind, "qwen", "u1", &yes)}, manifest.Controlled, false, mine},
		{"being deleted", ours, []metav1.OwnerReference{ref(knativeKind, "qwen", "u1", &yes)}, manifest.Controlled, true, leaving},
		{"of an earlier Service of the name", ours, []metav1.OwnerReference{ref(knativeKind, "qwen", "u0", &yes)}, manifest.Controlled, false, leaving},
		{"of another Service", ours, []metav1.OwnerReference{ref(knativeKind, "llama", "u2", &yes)}, manifest.Controlled, false, foreign},
		{"of a Deployment", nil, []metav1.OwnerReference{ref("Deployment", "qwen", "u3", &yes)}, manifest.Controlled, false, foreign},
		{"nobody's", nil, nil, manifest.Controlled, false, orphan},
		{"nobody's, with a plain owner", nil, []metav1.OwnerReference{ref("Deployment", "d", "u3", nil)}, manifest.Controlled, false, orphan},
		{"a shared pool of others", ours, []metav1.OwnerReference{ref(knativeKind, "llama", "u2", nil)}, manifest.Shared, false, mine},
		{"a shared pool where a pool of one is wanted", ours, []metav1.OwnerReference{ref(knativeKind, "llama", "u2", nil)}, manifest.Controlled, false, foreign},
		{"a pool that was shared, of the Service alone", ours, []metav1.OwnerReference{ref(knativeKind, "qwen", "u1", nil)}, manifest.Controlled, false, mine},
		{"of the Gateway", merged(ours, map[string]string{inference.GatewayNameKey: "g"}), nil, manifest.GatewayWide, false, mine},
		{"labelled for the Service", merged(ours, map[string]string{inference.OwnerNamespaceKey: "default", inference.OwnerServiceKey: "qwen"}), nil, manifest.Labelled, false, mine},
		{"ours once, restored without owners", ours, nil, manifest.Controlled, false, orphan},
		{"labelled for another", merged(ours, map[string]string{inference.OwnerNamespaceKey: "other", inference.OwnerServiceKey: "qwen"}), nil, manifest.Labelled, false, foreign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := &unstructured.Unstructured{Object: map[string]any{}}
			u.SetLabels(tt.labels)
			u.SetOwnerReferences(tt.owners)
			if tt.going {
				now := metav1.Now()
				u.SetDeletionTimestamp(&now)
			}
			if got := qwen.claimOn(u, tt.as); got != tt.want {
				t.Errorf("claim %d, want %d", got, tt.want)
			}
		})
	}
}

// Somebody's object of a name that we need is left alone, in each kind; what
// would lead to it is not made.
func TestReconcile_foreignObjects(t *testing.T) {
	const route = "apply HTTPRoute qwen-inference"
	for _, tt := range []struct {
		gvr             schema.GroupVersionResource
		text, condition string
	}{
		{pools, `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {namespace: default, name: qwen}, spec: {targetPorts: [{number: 1}]}}`, inference.ConditionPoolAccepted},
		{services, `{apiVersion: v1, kind: Service, metadata: {namespace: default, name: qwen-epp}, spec: {selector: {app: x}}}`, inference.ConditionEndpointPickerReady},
		{httpRoutes, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: default, name: qwen-inference}, spec: {hostnames: [a.example.com]}}`, inference.ConditionRouteAccepted},
		{objectives(objectiveGroup), `{apiVersion: inference.networking.x-k8s.io/v1alpha2, kind: InferenceObjective, metadata: {namespace: default, name: qwen}, spec: {priority: 9}}`, inference.ConditionObjectiveApplied},
	} {
		t.Run(tt.gvr.Resource, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				before := c.create(tt.gvr, tt.text)
				svc := c.service("qwen", asked)
				for range 3 {
					c.reconcile("qwen")
					if slices.Contains(c.writes, route) {
						t.Error("a route was made")
					}
					c.ready()
				}
				if got := c.condition("qwen", tt.condition); got.Reason != inference.ReasonNotOwned || !strings.Contains(got.Message, inference.AdoptKey) {
					t.Errorf("%s: %s: %s; want NotOwned with the fix", tt.condition, got.Reason, got.Message)
				}
				if got := c.told(); !slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, corev1.EventTypeWarning+" NotOwned") }) {
					t.Errorf("events %v, want a warning NotOwned", got)
				}
				if diff := cmp.Diff(before.Object, c.live(tt.gvr, before.GetName()).Object); diff != "" {
					t.Errorf("the object was touched (-before +after):\n%s", diff)
				}
				c.annotate(svc, nil)
				c.reconcile("qwen")
				c.pass(drainTime)
				c.reconcile("qwen")
				if c.live(tt.gvr, before.GetName()) == nil {
					t.Error("the object was deleted with the annotation")
				}
				c.annotate(svc, with(map[string]string{inference.AdoptKey: "true"}))
				c.settle("qwen")
				if u := c.live(tt.gvr, before.GetName()); !metav1.IsControlledBy(u, svc) || !managed(u) {
					t.Errorf("not adopted: %v", u.Object["metadata"])
				}
			})
		})
	}
}

// What another controller holds is not adopted even on request.
func TestReconcile_adoptsOnlyWhatNobodyControls(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(pools, `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {namespace: default, name: qwen,
			ownerReferences: [{apiVersion: serving.kserve.io/v1alpha1, kind: LLMInferenceService, name: other, uid: x, controller: true}]}, spec: {}}`)
		c.service("qwen", with(map[string]string{inference.AdoptKey: "true"}))
		c.reconcile("qwen")
		got := c.condition("qwen", inference.ConditionPoolAccepted)
		if got.Reason != inference.ReasonNotOwned || !strings.Contains(got.Message, "LLMInferenceService other") {
			t.Errorf("%s: %s; want NotOwned by LLMInferenceService other", got.Reason, got.Message)
		}
	})
}

// Services that name the same pool own it together; it goes with the last.
func TestReconcile_sharedPool(t *testing.T) {
	inCluster(t, func(c *cluster) {
		shared := with(map[string]string{inference.PoolKey: "gpus"})
		a, b := c.service("a", shared), c.service("b", shared)
		c.reconcile("a")
		c.ready()
		c.settle("b")
		c.settle("a")
		if diff := cmp.Diff([]types.UID{"svc-a", "svc-b"}, ownersOf(c.live(pools, "gpus"))); diff != "" {
			t.Errorf("owners of the pool (-want +got):\n%s", diff)
		}
		if ref := metav1.GetControllerOf(c.live(pools, "gpus")); ref != nil {
			t.Errorf("the pool is controlled by %v", ref)
		}
		c.annotate(b, with(map[string]string{inference.PoolKey: "gpus", inference.FailureModeKey: "Never"}))
		c.reconcile("a")
		if got := ownersOf(c.live(pools, "gpus")); len(got) != 2 {
			t.Errorf("owners %v: a slip of the pen took b out", got)
		}
		c.annotate(b, nil)
		c.reconcile("b")
		c.pass(drainTime)
		c.reconcile("b")
		c.settle("a")
		if diff := cmp.Diff([]types.UID{"svc-a"}, ownersOf(c.live(pools, "gpus"))); diff != "" {
			t.Errorf("owners after b left (-want +got):\n%s", diff)
		}
		c.annotate(a, nil)
		c.reconcile("a")
		c.pass(drainTime)
		c.reconcile("a")
		if c.live(pools, "gpus") != nil || c.live(deployments, "gpus-epp") != nil {
			t.Error("pool or picker outlived the last Service")
		}
	})
}

func ownersOf(u *unstructured.Unstructured) (uids []types.UID) {
	for _, ref := range u.GetOwnerReferences() {
		uids = append(uids, ref.UID)
	}
	return uids
}

// What serves a whole Gateway outlives the first Service and not the last, and
// a new leader removes nothing before it knows every Service.
func TestReconcile_gatewayWide(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a, b := c.service("a", asked), c.service("b", asked)
		c.settle("a")
		c.settle("b")
		wide := func() (n int) {
			for _, u := range c.list(envoyFilters) {
				if u.GetLabels()[inference.GatewayNameKey] != "" {
					n++
				}
			}
			return n
		}
		had := wide()
		if had == 0 {
			t.Fatal("nothing serves the whole Gateway")
		}
		c.r.ledger = ledger{}
		c.annotate(a, nil)
		c.reconcile("a")
		c.pass(drainTime)
		c.reconcile("a")
		if wide() != had {
			t.Error("b's filter went with a")
		}
		c.reconcile("b")
		put(c, c.services, b)
		if err := c.services.Delete(b); err != nil {
			t.Fatal(err)
		}
		c.reconcile("b")
		if wide() != had {
			t.Error("the filter went at once: one that comes back within the drain would disturb everybody twice")
		}
		c.pass(drainTime)
		c.reconcile("b")
		if wide() != 0 {
			t.Error("the filter outlived the last Service")
		}
	})
}

// A Service deleted while nobody led: the next leader finds what it left in the
// Gateway's namespace, where no owner reference reaches.
func TestReconcile_deletedWhileNobodyLed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a := c.service("a", asked)
		c.settle("a")
		if err := c.services.Delete(a); err != nil {
			t.Fatal(err)
		}
		c.r.ledger, c.r.stale = ledger{}, firstSeen{}
		want := []types.NamespacedName{{Namespace: "default", Name: "a"}, {Namespace: "knative-serving", Name: "knative-gateway"}}
		keys := c.r.unowned()
		for _, key := range want {
			if !slices.Contains(keys, key) {
				t.Errorf("the new leader does not look at %v: %v", key, keys)
			}
		}
		lookAtAll := func() {
			for _, key := range keys {
				_ = c.r.Reconcile(c.Context(), key.String()) // asks to be called again while something drains
				synctest.Wait()
			}
		}
		lookAtAll()
		c.pass(drainTime)
		lookAtAll()
		for _, u := range c.list(envoyFilters) {
			t.Errorf("left behind: %s", u.GetName())
		}
	})
}

// A replica leads, another one does while a Service goes, and the first leads again: what
// it remembers of its first term keeps nothing of that Service.
func TestReconcile_deletedWhileAnotherLed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		a, b := c.service("a", asked), c.service("b", asked)
		c.settle("a")
		c.settle("b")
		if err := c.services.Delete(a); err != nil { // and its event meets a replica that does not lead
			t.Fatal(err)
		}
		for _, u := range c.list(envoyFilters) { // which the other replica removes
			if u.GetLabels()[inference.OwnerServiceKey] == "a" {
				c.delete(envoyFilters, u.GetNamespace(), u.GetName())
			}
		}
		synctest.Wait()
		lookAtAll := func(keys []types.NamespacedName) {
			for _, key := range keys {
				_ = c.r.Reconcile(c.Context(), key.String()) // asks to be called again while something drains
				synctest.Wait()
			}
		}
		var keys []types.NamespacedName
		err := c.r.beginTerm(pkgreconciler.UniversalBucket(), func(_ pkgreconciler.Bucket, key types.NamespacedName) { keys = append(keys, key) })
		if err != nil {
			t.Fatal(err)
		}
		lookAtAll(keys)
		if err := c.services.Delete(b); err != nil {
			t.Fatal(err)
		}
		lookAtAll(keys)
		c.pass(drainTime)
		lookAtAll(keys)
		for _, u := range c.list(envoyFilters) {
			t.Errorf("left behind: %s", u.GetName())
		}
	})
}

func TestWithin(t *testing.T) {
	live := map[string]any{"a": "x", "n": int64(3), "list": []any{map[string]any{"k": "v", "defaulted": true}}}
	for _, tt := range []struct {
		name string
		want map[string]any
		ok   bool
	}{
		{"same", map[string]any{"a": "x"}, true},
		{"another number type", map[string]any{"n": float64(3)}, true},
		{"defaults in a list", map[string]any{"list": []any{map[string]any{"k": "v"}}}, true},
		{"changed", map[string]any{"a": "y"}, false},
		{"missing", map[string]any{"b": "y"}, false},
		{"missing but empty", map[string]any{"b": map[string]any{}, "c": "", "d": false, "e": nil}, true},
		{"another length", map[string]any{"list": []any{}}, false},
		{"a string for a number", map[string]any{"n": "3"}, false},
		{"a map for a string", map[string]any{"a": map[string]any{"b": "c"}}, false},
		{"a missing map", map[string]any{"m": map[string]any{"b": "c"}}, false},
	} {
		if got := within(tt.want, live); got != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.ok)
		}
	}
}
