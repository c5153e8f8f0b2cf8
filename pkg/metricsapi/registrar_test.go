package metricsapi

import (
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
)

// cluster is a fake one with our ClusterRole, a registrar, and what it said.
type cluster struct {
	t         *testing.T
	client    *dynamicfake.FakeDynamicClient
	registrar *Registrar
	events    *record.FakeRecorder
	log       *strings.Builder
	bundle    string
	unwanted  bool
}

func apiServices(client dynamic.Interface) dynamic.ResourceInterface {
	return client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
}

func clusterRole(uid string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": "autoscaler-adapter", "uid": uid},
	}}
}

func newDynamic(objects ...runtime.Object) *dynamicfake.FakeDynamicClient {
	return dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}:     "APIServiceList",
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}: "ClusterRoleList",
	}, objects...)
}

func newCluster(t *testing.T, objects ...runtime.Object) *cluster {
	c := &cluster{t: t, client: newDynamic(objects...), events: record.NewFakeRecorder(100), log: &strings.Builder{}, bundle: "CA one"}
	// The fake keeps no resource versions, without which a create and an update look the same.
	c.client.PrependReactor("create", "apiservices", func(a clienttesting.Action) (bool, runtime.Object, error) {
		a.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured).SetResourceVersion("1")
		return false, nil, nil
	})
	c.registrar = NewRegistrar(RegistrarOptions{
		Client: c.client, Namespace: testNamespace, Name: "autoscaler-adapter",
		Bundle: func() []byte { return []byte(c.bundle) }, Wanted: func() bool { return !c.unwanted },
		Events: c.events, Log: slog.New(slog.NewTextHandler(c.log, nil)),
	})
	return c
}

func (c *cluster) sync(now time.Time) {
	c.t.Helper()
	if err := c.registrar.Sync(c.t.Context(), now); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) get(version string) *unstructured.Unstructured {
	c.t.Helper()
	o, err := apiServices(c.client).Get(c.t.Context(), version+".custom.metrics.k8s.io", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return o
}

// apply is kubectl apply of another adapter's manifest: it sets the spec and leaves
// labels and owners that others put there.
func (c *cluster) apply(version, namespace, name string) {
	c.t.Helper()
	o := c.get(version)
	if o == nil {
		o = newAPIService(version)
		o.Object["spec"] = theirSpec(version, namespace, name)
		if _, err := apiServices(c.client).Create(c.t.Context(), o, metav1.CreateOptions{}); err != nil {
			c.t.Fatal(err)
		}
		return
	}
	o.Object["spec"] = theirSpec(version, namespace, name)
	if _, err := apiServices(c.client).Update(c.t.Context(), o, metav1.UpdateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) remove(version string) {
	c.t.Helper()
	if err := apiServices(c.client).Delete(c.t.Context(), version+".custom.metrics.k8s.io", metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) writes() (n int) {
	for _, a := range c.client.Actions() {
		if a.GetVerb() != "get" {
			n++
		}
	}
	return n
}

func theirSpec(version, namespace, name string) map[string]any {
	return map[string]any{
		"group": GroupName, "version": version, "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
		"insecureSkipTLSVerify": true, "service": map[string]any{"namespace": namespace, "name": name},
	}
}

func TestRegistrar_writes_both_when_absent(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	c.sync(day(0))
	for version, priority := range map[string]int64{"v1beta1": 100, "v1beta2": 200} {
		want := map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
			"metadata": map[string]any{
				"name":            version + ".custom.metrics.k8s.io",
				"resourceVersion": "1",
				"labels":          map[string]any{"app.kubernetes.io/managed-by": "autoscaler-adapter"},
				"ownerReferences": []any{map[string]any{
					"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "autoscaler-adapter", "uid": "role-1",
				}},
			},
			"spec": map[string]any{
				"group": "custom.metrics.k8s.io", "version": version,
				"groupPriorityMinimum": int64(100), "versionPriority": priority,
				"caBundle": base64.StdEncoding.EncodeToString([]byte("CA one")),
				"service":  map[string]any{"namespace": "knative-inference", "name": "autoscaler-adapter", "port": int64(443)},
			},
		}
		if diff := cmp.Diff(want, c.get(version).Object); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
	if len(c.events.Events) != 0 {
		t.Errorf("an event without a reason: %s", <-c.events.Events)
	}
}

func TestRegistrar_writes_nothing_when_nothing_changed(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	c.sync(day(0))
	before := c.writes()
	c.sync(day(1))
	if got := c.writes() - before; got != 0 {
		t.Errorf("%d writes, want 0", got)
	}
}

func TestRegistrar_keeps_ours_current(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *cluster)
		check  func(o *unstructured.Unstructured) bool
	}{
		"a new CA": {
			func(c *cluster) { c.bundle = "CA two" },
			func(o *unstructured.Unstructured) bool { return caBundle(o) == "CA two" },
		},
		"verification turned off by hand": {
			func(c *cluster) {
				c.edit("v1beta2", func(o *unstructured.Unstructured) {
					_ = unstructured.SetNestedField(o.Object, true, "spec", "insecureSkipTLSVerify")
				})
			},
			func(o *unstructured.Unstructured) bool {
				_, found, _ := unstructured.NestedBool(o.Object, "spec", "insecureSkipTLSVerify")
				return !found
			},
		},
		"label and owner removed": {
			func(c *cluster) {
				c.edit("v1beta2", func(o *unstructured.Unstructured) { o.SetLabels(nil); o.SetOwnerReferences(nil) })
			},
			func(o *unstructured.Unstructured) bool {
				return o.GetLabels()[managedByLabel] == "autoscaler-adapter" && len(o.GetOwnerReferences()) == 1
			},
		},
		"the ClusterRole made anew": {
			func(c *cluster) {
				roles := c.client.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"})
				if _, err := roles.Update(t.Context(), clusterRole("role-2"), metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			func(o *unstructured.Unstructured) bool {
				owners := o.GetOwnerReferences()
				return len(owners) == 1 && owners[0].UID == "role-2"
			},
		},
		"deleted by hand": {
			func(c *cluster) { c.remove("v1beta2") },
			func(o *unstructured.Unstructured) bool { return o != nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, clusterRole("role-1"))
			c.sync(day(0))
			tt.change(c)
			c.sync(day(1))
			if o := c.get("v1beta2"); !tt.check(o) {
				t.Errorf("got %v", o)
			}
		})
	}
}

// Other people's labels and owner references on our objects stay.
func TestRegistrar_leaves_the_marks_of_others(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	c.sync(day(0))
	c.edit("v1beta1", func(o *unstructured.Unstructured) {
		o.SetLabels(map[string]string{"team": "ml"})
		o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "y"}})
	})
	c.sync(day(1))
	if o := c.get("v1beta1"); o.GetLabels()["team"] != "ml" || len(o.GetOwnerReferences()) != 2 {
		t.Errorf("got labels %v, owners %v", o.GetLabels(), o.GetOwnerReferences())
	}
}

// A story: another adapter has the API, is named once, named again after half an hour
// or when it changes, and its API is taken up once it goes.
func TestRegistrar_another_adapter(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	c.apply("v1beta1", "monitoring", "prometheus-adapter")
	before := c.get("v1beta1")
	start := day(0)
	for _, step := range []struct {
		after      time.Duration
		change     func()
		wantEvents []string // owners named
		wantOurs   int      // APIServices that lead to us
	}{
		{after: 0, wantEvents: []string{"monitoring/prometheus-adapter"}},
		{after: 10 * time.Second},
		{after: 29 * time.Minute},
		{after: 30 * time.Minute, wantEvents: []string{"monitoring/prometheus-adapter"}},
		{after: 31 * time.Minute, change: func() { c.apply("v1beta1", "keda", "keda-metrics") }, wantEvents: []string{"keda/keda-metrics"}},
		{after: 32 * time.Minute, change: func() { c.apply("v1beta2", "keda", "keda-metrics") }, wantEvents: []string{"keda/keda-metrics"}},
		{after: 33 * time.Minute, change: func() { c.remove("v1beta1") }},
		{after: 34 * time.Minute, change: func() { c.remove("v1beta2") }, wantOurs: 2},
		{after: 35 * time.Minute, change: func() { c.apply("v1beta1", "keda", "keda-metrics") }, wantEvents: []string{"keda/keda-metrics"}, wantOurs: 1},
	} {
		if step.change != nil {
			step.change()
		}
		c.sync(start.Add(step.after))
		for _, owner := range step.wantEvents {
			select {
			case got := <-c.events.Events:
				if !strings.HasPrefix(got, "Warning "+ReasonServedByAnother) || !strings.Contains(got, "Service "+owner+":") {
					t.Errorf("after %v: event %q, want one that names %s", step.after, got, owner)
				}
			default:
				t.Errorf("after %v: no event, want one that names %s", step.after, owner)
			}
			if !strings.Contains(c.log.String(), "owner="+owner) {
				t.Errorf("after %v: the log does not name %s", step.after, owner)
			}
		}
		if len(c.events.Events) != 0 {
			t.Errorf("after %v: one event too many: %s", step.after, <-c.events.Events)
		}
		ours := 0
		for _, version := range versions() {
			if o := c.get(version); o != nil && owner(o) == "knative-inference/autoscaler-adapter" {
				ours++
			}
		}
		if ours != step.wantOurs {
			t.Errorf("after %v: %d APIServices lead to us, want %d", step.after, ours, step.wantOurs)
		}
		if step.after == 0 {
			if diff := cmp.Diff(before, c.get("v1beta1")); diff != "" {
				t.Errorf("theirs was touched:\n%s", diff)
			}
		}
	}
}

// A story: config-ipa leaves the API to another adapter. Ours go, nothing is taken or warned
// of while that adapter comes and goes, and all is as before once it is ours again.
func TestRegistrar_leavesTheAPIToAnother(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	theirs := func() {
		for _, version := range versions() {
			c.apply(version, "monitoring", "prometheus-adapter")
		}
	}
	for i, step := range []struct {
		change     func()
		ours       int // APIServices that lead to us
		registered bool
		log        string
		warned     bool
	}{
		{ours: 2, registered: true, log: "APIService written"},
		{change: func() { c.unwanted = true }, log: "APIService deleted: register-metrics-api is false"},
		{},
		{change: theirs, log: "leaves it to that one"},
		{},
		{change: func() { c.remove("v1beta1"); c.remove("v1beta2") }, log: "free again"},
		{change: theirs, log: "leaves it to that one"},
		{change: func() { c.unwanted = false }, log: "does not show our metrics", warned: true},
		{change: func() { c.remove("v1beta1"); c.remove("v1beta2") }, ours: 2, registered: true, log: "APIService written"},
	} {
		c.log.Reset()
		if step.change != nil {
			step.change()
		}
		c.sync(day(0).Add(time.Duration(i) * time.Minute))
		ours := 0
		for _, version := range versions() {
			if o := c.get(version); o != nil && owner(o) == "knative-inference/autoscaler-adapter" {
				ours++
			}
		}
		if ours != step.ours || c.registrar.Registered() != step.registered {
			t.Errorf("step %d: %d APIServices lead to us, registered %v; want %d, %v", i, ours, c.registrar.Registered(), step.ours, step.registered)
		}
		if got := c.log.String(); !strings.Contains(got, step.log) || (step.log == "" && got != "") {
			t.Errorf("step %d: log %q, want %q", i, got, step.log)
		}
		if warned := len(c.events.Events) > 0; warned != step.warned {
			t.Errorf("step %d: warned %v, want %v", i, warned, step.warned)
		}
		for len(c.events.Events) > 0 {
			<-c.events.Events
		}
	}
}

// An adapter installed over us must survive our removal: our owner reference goes.
func TestRegistrar_lets_go_of_what_was_taken(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	c.sync(day(0))
	for _, version := range versions() {
		c.apply(version, "monitoring", "prometheus-adapter")
		c.edit(version, func(o *unstructured.Unstructured) { // their manifest sets no CA, so ours stays behind
			ours := base64.StdEncoding.EncodeToString([]byte(c.bundle))
			_ = unstructured.SetNestedField(o.Object, ours, "spec", "caBundle")
		})
	}
	c.sync(day(1))
	for _, version := range versions() {
		o := c.get(version)
		if len(o.GetOwnerReferences()) != 0 || o.GetLabels()[managedByLabel] != "" {
			t.Errorf("%s: our marks stay: %v %v", version, o.GetLabels(), o.GetOwnerReferences())
		}
		if diff := cmp.Diff(theirSpec(version, "monitoring", "prometheus-adapter"), o.Object["spec"]); diff != "" {
			t.Errorf("%s: their spec was changed:\n%s", version, diff)
		}
	}
}

// A group served by the API server itself has no Service to name.
func TestRegistrar_leaves_a_local_group_alone(t *testing.T) {
	c := newCluster(t, clusterRole("role-1"))
	local := newAPIService("v1beta1")
	local.Object["spec"] = map[string]any{"group": GroupName, "version": "v1beta1"}
	if _, err := apiServices(c.client).Create(t.Context(), local, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.sync(day(0))
	if got := <-c.events.Events; !strings.Contains(got, "the API server itself") {
		t.Errorf("event %q", got)
	}
	if c.get("v1beta2") != nil {
		t.Error("v1beta2 was taken beside somebody else's v1beta1")
	}
}

func TestRegistrar_needs_its_owner_and_its_CA(t *testing.T) {
	for name, c := range map[string]*cluster{
		"reading ClusterRole autoscaler-adapter": newCluster(t),
		"no CA bundle yet":                       newCluster(t, clusterRole("role-1")),
	} {
		if strings.HasPrefix(name, "no CA") {
			c.bundle = ""
		}
		if err := c.registrar.Sync(t.Context(), day(0)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
		if c.writes() != 0 {
			t.Errorf("%s: %d writes, want 0", name, c.writes())
		}
	}
}

// edit is a change by hand.
func (c *cluster) edit(version string, change func(*unstructured.Unstructured)) {
	c.t.Helper()
	o := c.get(version)
	change(o)
	if _, err := apiServices(c.client).Update(c.t.Context(), o, metav1.UpdateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func caBundle(o *unstructured.Unstructured) string {
	encoded, _, _ := unstructured.NestedString(o.Object, "spec", "caBundle")
	decoded, _ := base64.StdEncoding.DecodeString(encoded)
	return string(decoded)
}
