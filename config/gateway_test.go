package config_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	render "github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// everything renders all kinds that the gateway's reconciler can make.
func everything(t *testing.T, flavor string) []render.Object {
	t.Helper()
	d, err := binding.ParseDefaults(map[string]string{"gateway": "infra/gw", "body-based-router": string(binding.BodyRouterManaged), "listener": "l", "epp-flavor": flavor})
	if err != nil {
		t.Fatal(err)
	}
	in, problems := binding.Parse("default", "qwen", map[string]string{
		inference.AIGatewayKey: inference.Enabled, inference.PriorityKey: "1", inference.PickerReplicasKey: "2",
		inference.ModelKey: "qwen", inference.ModelRewriteKey: `[{"target":"a","weight":1}]`,
	}, d)
	if in == nil {
		t.Fatal(problems)
	}
	both := []string{"inference.networking.x-k8s.io", "llm-d.ai"}
	plan := render.Build(*in, render.World{
		ServiceUID: "u", ClusterDomain: "cluster.local",
		Gateway:   render.Gateway{Exists: true, Class: "istio", Controller: "istio.io/gateway-controller", Addresses: []string{"10.0.0.1"}, Listeners: []render.Listener{{Name: "l", Port: 80, Protocol: "HTTP", Allowed: true}}},
		Served:    render.Served{HTTPRoute: true, InferencePool: true, Objective: both, Rewrite: both, DestinationRule: true, EnvoyFilter: true},
		Main:      render.Traffic{Hosts: []string{"qwen.example.com"}, Splits: []render.Split{{Revision: "r", Percent: 100}}},
		Revisions: map[string]render.Revision{"r": {Port: 8000, Timeout: time.Minute}},
	})
	for _, f := range plan.Findings {
		if f.Status == "False" {
			t.Fatalf("not everything is rendered: %+v", f)
		}
	}
	return append(plan.Gateway, plan.Objects...)
}

// What the reconciler makes it may make, and change, and remove; and the roles that
// it gives to a picker are installed, and the ones that it may bind.
func TestManifests_gatewayRights(t *testing.T) {
	all := load(t)
	ours := clusterRulesOf(all, program+"-gateway")
	seen := map[string]bool{}
	for _, flavor := range []string{binding.FlavorGIE, binding.FlavorLLMD} {
		for _, o := range everything(t, flavor) {
			seen[o.GetKind()] = true
			plural := strings.ToLower(o.GetKind()) + "s"
			for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
				if group := o.GroupVersionKind().Group; !allows(ours, group, plural, verb) {
					t.Errorf("%s %s of group %q is made, but may not be used for %s", o.GetKind(), o.GetName(), group, verb)
				}
			}
			if o.GetKind() == "RoleBinding" {
				role, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
				seen[role] = true
				mayBind(t, all, ours, role)
			}
		}
	}
	for _, kind := range []string{"RoleBinding", "EnvoyFilter", "InferenceModelRewrite", "HTTPRoute", "Deployment", render.PickerRole, render.PickerLeaderRole} {
		if !seen[kind] {
			t.Errorf("no %s was rendered: this test sees too little", kind)
		}
	}
}

func mayBind(t *testing.T, all []manifest, ours []rbacv1.PolicyRule, role string) {
	t.Helper()
	if !slices.ContainsFunc(get[*rbacv1.ClusterRole](all), func(r *rbacv1.ClusterRole) bool { return r.Name == role }) {
		t.Errorf("ClusterRole %s is bound and not installed", role)
	}
	if !slices.ContainsFunc(ours, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Verbs, "bind") && slices.Contains(r.ResourceNames, role)
	}) {
		t.Errorf("ClusterRole %s may not be bound", role)
	}
}

func allows(rules []rbacv1.PolicyRule, group, kind, verb string) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, kind) && slices.Contains(r.Verbs, verb) && len(r.ResourceNames) == 0
	})
}

// The CRD has the names that users and the reconciler use.
func TestManifests_inferenceBinding(t *testing.T) {
	found := get[*definition](load(t))
	if len(found) != 1 || found[0].Name != "inferencebindings.knative-inference.dev" {
		t.Fatalf("%d CRDs, want that of the InferenceBinding", len(found))
	}
	names, _ := found[0].Spec["names"].(map[string]any)
	if short, _ := names["shortNames"].([]any); !slices.Equal(short, []any{"ib"}) || names["kind"] != "InferenceBinding" {
		t.Errorf("names %v", names)
	}
	versions, _ := found[0].Spec["versions"].([]any)
	text, err := json.Marshal(versions)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"URL", "Gateway", "Pool", "Ready", "Reason"} {
		if !strings.Contains(string(text), `"name":"`+column+`"`) {
			t.Errorf("column %s is missing", column)
		}
	}
}

// The schema has every field that the program writes: the API server drops others without a word.
func TestManifests_inferenceBindingSchema(t *testing.T) {
	spec := get[*definition](load(t))[0].Spec
	version := at(spec, "versions").([]any)[0].(map[string]any)
	status := at(version, "schema", "openAPIV3Schema", "properties", "status", "properties").(map[string]any)
	condition := at(status, "conditions", "items", "properties").(map[string]any)
	for _, tt := range []struct {
		of     reflect.Type
		schema map[string]any
	}{
		{reflect.TypeFor[v1alpha1.InferenceBindingStatus](), status},
		{reflect.TypeFor[metav1.Condition](), condition},
	} {
		if len(tt.schema) != tt.of.NumField() {
			t.Errorf("%s: %d fields in Go, %d in the schema", tt.of, tt.of.NumField(), len(tt.schema))
		}
		for i := range tt.of.NumField() {
			name, _, _ := strings.Cut(tt.of.Field(i).Tag.Get("json"), ",")
			if tt.schema[name] == nil {
				t.Errorf("%s: field %s is not in the schema", tt.of, name)
			}
		}
	}
}

// at walks down a tree of maps.
func at(tree map[string]any, path ...string) any {
	var v any = tree
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}
