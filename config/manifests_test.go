// Package config_test holds the shipped YAML against the API types and against
// the rules that keep it small: least privilege, our own names only, one image.
package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	namespace = "knative-inference"
	program   = "autoscaler-adapter"
	image     = "ko://github.com/knative-inference/autoscaler-adapter/cmd/autoscaler-adapter"
)

// manifest is one object of one file.
type manifest struct {
	file string
	metav1.Object
	kind string
}

// definition is as much of a CustomResourceDefinition as is checked here; its
// schema is held by the API server in the end-to-end tests.
type definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              map[string]any `json:"spec"`
}

func newObject(kind string) (metav1.Object, bool) {
	switch kind {
	case "Namespace":
		return &corev1.Namespace{}, true
	case "ServiceAccount":
		return &corev1.ServiceAccount{}, true
	case "ClusterRole":
		return &rbacv1.ClusterRole{}, true
	case "ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}, true
	case "Role":
		return &rbacv1.Role{}, true
	case "RoleBinding":
		return &rbacv1.RoleBinding{}, true
	case "ConfigMap":
		return &corev1.ConfigMap{}, true
	case "Secret":
		return &corev1.Secret{}, true
	case "Deployment":
		return &appsv1.Deployment{}, true
	case "Service":
		return &corev1.Service{}, true
	case "CustomResourceDefinition":
		return &definition{}, true
	case "MutatingWebhookConfiguration":
		return &admissionregistrationv1.MutatingWebhookConfiguration{}, true
	case "ValidatingWebhookConfiguration":
		return &admissionregistrationv1.ValidatingWebhookConfiguration{}, true
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}, true
	}
	return nil, false
}

// load parses every file of config/ strictly: a misspelled field is an error.
func load(t *testing.T) []manifest {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no YAML in config: %v", err)
	}
	var all []manifest
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range bytes.Split(text, []byte("\n---\n")) {
			all = append(all, parse(t, file, doc))
		}
	}
	return all
}

func parse(t *testing.T, file string, doc []byte) manifest {
	t.Helper()
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	object, ok := newObject(head.Kind)
	if !ok {
		t.Fatalf("%s: kind %q is new here; add it to newObject", file, head.Kind)
	}
	if err := yaml.UnmarshalStrict(doc, object); err != nil {
		t.Fatalf("%s: %s: %v", file, head.Kind, err)
	}
	return manifest{file: file, Object: object, kind: head.Kind}
}

func get[T metav1.Object](all []manifest) (found []T) {
	for _, m := range all {
		if o, ok := m.Object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

func TestManifests_names(t *testing.T) {
	seen := map[string]string{}
	for _, m := range load(t) {
		id := m.kind + " " + m.GetNamespace() + "/" + m.GetName()
		if seen[id] != "" {
			t.Errorf("%s is in %s and in %s", id, seen[id], m.file)
		}
		seen[id] = m.file
		if m.GetLabels()["app.kubernetes.io/name"] != program {
			t.Errorf("%s: %s: label app.kubernetes.io/name must be %s, it is how everything of ours is found", m.file, id, program)
		}
		cluster := slices.Contains([]string{"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}, m.kind)
		if cluster == (m.GetNamespace() != "") {
			t.Errorf("%s: %s: a namespace belongs to namespaced kinds, and only to them", m.file, id)
		}
		// In other namespaces only what lets us read there.
		if ns := m.GetNamespace(); ns != "" && ns != namespace && m.kind != "Role" && m.kind != "RoleBinding" {
			t.Errorf("%s: %s stands outside of %s", m.file, id, namespace)
		}
	}
}

// Files are applied in the order of their names: the namespace, who we are and
// what we may do, configuration, the program, what calls it.
func TestManifests_order(t *testing.T) {
	rank := map[string]int{"Namespace": 1, "CustomResourceDefinition": 1, "ServiceAccount": 2, "ClusterRole": 2, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2, "ConfigMap": 3, "Secret": 3, "MutatingWebhookConfiguration": 5, "ValidatingWebhookConfiguration": 5}
	for _, m := range load(t) {
		want := rank[m.kind]
		if want == 0 {
			want = 4
		}
		if got := int(m.file[0] - '0'); got != want {
			t.Errorf("%s: a %s belongs to the files %d00 to %d99", m.file, m.kind, want, want)
		}
	}
}

// made are the kinds that the inference gateway makes, and so deletes. Leases are
// here because a picker that elects a leader deletes its own.
var made = []string{
	"httproutes", "inferencepools", "inferenceobjectives", "inferencemodelrewrites", "destinationrules", "envoyfilters",
	"configmaps", "services", "serviceaccounts", "deployments", "roles", "rolebindings", "leases", "inferencebindings",
}

// Least privilege: no wildcard on the cluster's own resources, no way to more rights.
func TestManifests_rules(t *testing.T) {
	all := load(t)
	var rules []rbacv1.PolicyRule
	for _, r := range get[*rbacv1.ClusterRole](all) {
		rules = append(rules, r.Rules...)
		if slices.ContainsFunc(r.Rules, func(p rbacv1.PolicyRule) bool { return slices.Contains(p.Resources, "secrets") }) {
			t.Errorf("%s reaches Secrets of every namespace", r.Name)
		}
	}
	for _, r := range get[*rbacv1.Role](all) {
		rules = append(rules, r.Rules...)
	}
	for _, r := range rules {
		if slices.Contains(r.Verbs, "*") || slices.Contains(r.APIGroups, "*") {
			t.Errorf("rule %v has a wildcard", r)
		}
		if slices.Contains(r.Resources, "*") && !slices.Equal(r.APIGroups, []string{"custom.metrics.k8s.io"}) {
			t.Errorf("rule %v has a wildcard outside of our own API", r)
		}
		for _, verb := range []string{"escalate", "bind", "impersonate", "deletecollection"} {
			if slices.Contains(r.Verbs, verb) {
				t.Errorf("rule %v may %s", r, verb)
			}
		}
		if slices.Contains(r.Verbs, "delete") && slices.ContainsFunc(r.Resources, func(kind string) bool { return !slices.Contains(made, kind) }) {
			t.Errorf("rule %v may delete what we never make", r)
		}
		if slices.Contains(r.Resources, "secrets") && len(r.ResourceNames) == 0 && !slices.Equal(r.Verbs, []string{"create"}) {
			t.Errorf("rule %v may touch every secret: name ours (RBAC cannot name what is created)", r)
		}
	}
	for _, b := range get[*rbacv1.ClusterRoleBinding](all) {
		if b.RoleRef.Name == "cluster-admin" || b.RoleRef.Name == "admin" || b.RoleRef.Name == "edit" {
			t.Errorf("%s binds %s", b.Name, b.RoleRef.Name)
		}
	}
}

func TestManifests_deployment(t *testing.T) {
	deployments := get[*appsv1.Deployment](load(t))
	if len(deployments) != 1 {
		t.Fatalf("%d Deployments, want 1", len(deployments))
	}
	d := deployments[0]
	pod := d.Spec.Template.Spec
	if *d.Spec.Replicas != 2 {
		t.Errorf("%d replicas, want 2: one takes over from the other", *d.Spec.Replicas)
	}
	if c := pod.SecurityContext; c == nil || c.RunAsNonRoot == nil || !*c.RunAsNonRoot || c.SeccompProfile == nil || c.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod security context %+v: want non-root and the default seccomp profile", c)
	}
	c := pod.Containers[0]
	if c.Image != image {
		t.Errorf("image %s, want %s, which make release and ko replace", c.Image, image)
	}
	s := c.SecurityContext
	if s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("container security context %+v: want a read-only root, no escalation, no capability", s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Error("requests and a memory limit are missing")
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil {
		t.Error("probes are missing")
	}
}

// The program finds its ports and its secret under the names that the YAML gives them.
func TestManifests_service(t *testing.T) {
	all := load(t)
	services := get[*corev1.Service](all)
	ports := map[string]int32{}
	for _, p := range services[0].Spec.Ports {
		ports[p.Name] = p.Port
	}
	if ports["metrics-api"] != 443 || ports["metrics"] != 9090 {
		t.Errorf("Service ports %v, want metrics-api 443 and metrics 9090", ports)
	}
	if services[0].Name != program || !strings.HasPrefix(get[*corev1.Secret](all)[0].Name, program) {
		t.Errorf("Service and Secret are named after %s", program)
	}
}
