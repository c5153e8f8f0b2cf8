// Package config_test holds the shipped YAML against the API types and against
// the rules that keep it small: least privilege, our own names only, one image.
package config_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
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
// schema is checked by the API server in the end-to-end tests.
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
	case "NetworkPolicy":
		return &networkingv1.NetworkPolicy{}, true
	case "ResourceQuota":
		return &corev1.ResourceQuota{}, true
	case "ValidatingAdmissionPolicy":
		return &admissionregistrationv1.ValidatingAdmissionPolicy{}, true
	case "ValidatingAdmissionPolicyBinding":
		return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, true
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}, true
	}
	return nil, false
}

// load parses every file of config/ and of the inference gateway strictly: a
// misspelled field is an error.
func load(t *testing.T) []manifest {
	t.Helper()
	return append(loadDir(t, "."), loadDir(t, "inference-gateway")...)
}

func loadDir(t *testing.T, dir string) []manifest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no YAML in config/%s: %v", dir, err)
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
		cluster := slices.Contains([]string{"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}, m.kind)
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
	rank := map[string]int{"Namespace": 1, "CustomResourceDefinition": 1, "ServiceAccount": 2, "ClusterRole": 2, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2, "ConfigMap": 3, "Secret": 3, "ValidatingAdmissionPolicy": 2, "ValidatingAdmissionPolicyBinding": 2, "ResourceQuota": 3, "MutatingWebhookConfiguration": 5, "ValidatingWebhookConfiguration": 5}
	for _, m := range load(t) {
		want := rank[m.kind]
		if want == 0 {
			want = 4
		}
		if got := int(filepath.Base(m.file)[0] - '0'); got != want {
			t.Errorf("%s: a %s belongs to the files %d00 to %d99", m.file, m.kind, want, want)
		}
	}
}

// made are the kinds that the inference gateway makes, and so deletes. Leases are
// here because a picker that elects a leader deletes its own.
var made = []string{
	"httproutes", "inferencepools", "inferenceobjectives", "inferencemodelrewrites", "destinationrules", "envoyfilters", "envoypatchpolicies",
	"configmaps", "services", "serviceaccounts", "deployments", "rolebindings", "leases", "inferencebindings", "poddisruptionbudgets",
	"apiservices",
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
	pickers := []string{"autoscaler-adapter-picker", "autoscaler-adapter-picker-leader"}
	for _, r := range rules {
		if slices.Contains(r.Verbs, "*") || slices.Contains(r.APIGroups, "*") {
			t.Errorf("rule %v has a wildcard", r)
		}
		if len(r.Verbs) == 0 || len(r.APIGroups) == 0 || len(r.Resources) == 0 {
			t.Errorf("rule %v gives nothing, and the API server refuses the role", r)
		}
		if slices.Contains(r.Resources, "*") {
			t.Errorf("rule %v has a wildcard", r)
		}
		for _, verb := range []string{"escalate", "bind", "impersonate", "deletecollection"} {
			if slices.Contains(r.Verbs, verb) && !(verb == "bind" && slices.Equal(r.ResourceNames, pickers)) {
				t.Errorf("rule %v may %s", r, verb)
			}
		}
		if slices.Contains(r.Verbs, "delete") && slices.ContainsFunc(r.Resources, func(kind string) bool { return !slices.Contains(made, kind) }) {
			t.Errorf("rule %v may delete what we never make", r)
		}
		if slices.Contains(r.Resources, "apiservices") && slices.Contains(r.Verbs, "delete") && len(r.ResourceNames) != 2 {
			t.Errorf("rule %v may delete every API: name the two of custom.metrics.k8s.io", r)
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

// Readers of our metrics read ours, and no other adapter's of the same API group.
func TestManifests_metricsReader(t *testing.T) {
	var want []string
	for _, m := range metricsapi.Metrics() {
		want = append(want, "*/"+m)
	}
	for _, r := range get[*rbacv1.ClusterRole](load(t)) {
		if r.Name == program+"-metrics-reader" && (len(r.Rules) != 1 || !slices.Equal(r.Rules[0].Resources, want)) {
			t.Errorf("ClusterRole %s reads %v, want %v", r.Name, r.Rules[0].Resources, want)
		}
	}
}

// The parts are separate: each Deployment has a ServiceAccount of its own name, does
// what its name says, and is spread, budgeted and fenced as the others.
func TestManifests_deployments(t *testing.T) {
	all := load(t)
	parts := map[string]string{program: "autoscaler", program + "-webhook": "webhook", program + "-gateway": "gateway"}
	deployments := get[*appsv1.Deployment](all)
	if len(deployments) != len(parts) {
		t.Fatalf("%d Deployments, want %d", len(deployments), len(parts))
	}
	for _, d := range deployments {
		t.Run(d.Name, func(t *testing.T) {
			pod := d.Spec.Template.Spec
			if c := pod.Containers[0]; !slices.Equal(c.Args, []string{"--parts=" + parts[d.Name]}) || pod.ServiceAccountName != d.Name {
				t.Errorf("args %v as %s, want the part %s as %s", c.Args, pod.ServiceAccountName, parts[d.Name], d.Name)
			}
			checkPod(t, d)
			checkContainer(t, pod.Containers[0])
			budgets, networks := get[*policyv1.PodDisruptionBudget](all), get[*networkingv1.NetworkPolicy](all)
			selects := func(s metav1.LabelSelector) bool { return maps.Equal(s.MatchLabels, d.Spec.Selector.MatchLabels) }
			if !slices.ContainsFunc(budgets, func(b *policyv1.PodDisruptionBudget) bool { return selects(*b.Spec.Selector) }) {
				t.Error("no PodDisruptionBudget selects its pods")
			}
			if !slices.ContainsFunc(networks, func(n *networkingv1.NetworkPolicy) bool { return selects(n.Spec.PodSelector) }) {
				t.Error("no NetworkPolicy selects its pods")
			}
		})
	}
	for _, a := range get[*corev1.ServiceAccount](all) {
		if a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
			t.Errorf("ServiceAccount %s gives its token to every pod that uses it; the pod has to ask", a.Name)
		}
	}
}

func checkPod(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	if *d.Spec.Replicas != 2 {
		t.Errorf("%d replicas, want 2: one takes over from the other", *d.Spec.Replicas)
	}
	if pod.PriorityClassName != "system-cluster-critical" || len(pod.TopologySpreadConstraints) != 1 || pod.AutomountServiceAccountToken == nil {
		t.Errorf("priority %q, spread %v, token %v: want a critical pod, spread over zones, that asks for its token", pod.PriorityClassName, pod.TopologySpreadConstraints, pod.AutomountServiceAccountToken)
	}
	for k, v := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[k] != v {
			t.Errorf("the selector %s=%s does not select the pods", k, v)
		}
	}
	if c := pod.SecurityContext; c == nil || c.RunAsNonRoot == nil || !*c.RunAsNonRoot || c.SeccompProfile == nil || c.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod security context %+v: want non-root and the default seccomp profile", c)
	}
}

func checkContainer(t *testing.T, c corev1.Container) {
	t.Helper()
	if c.Image != image {
		t.Errorf("image %s, want %s, which make release and ko replace", c.Image, image)
	}
	s := c.SecurityContext
	if s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("container security context %+v: want a read-only root, no escalation, no capability", s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.StorageEphemeral().IsZero() {
		t.Error("requests and limits of memory and of ephemeral storage are missing")
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil {
		t.Error("probes are missing")
	}
}

// What a ServiceAccount may never do, whatever else its rules become. The API server
// itself is asked in the end-to-end test TestRights.
func TestManifests_parts(t *testing.T) {
	all := load(t)
	for account, never := range map[string][]string{
		program:              {"create deployments", "patch deployments", "update pods", "delete pods", "create pods", "create pods/eviction", "create serviceaccounts", "create rolebindings", "bind clusterroles", "update mutatingwebhookconfigurations"},
		program + "-webhook": {"create deployments", "patch pods", "patch pods/status", "patch deployments/scale", "create serviceaccounts", "create rolebindings", "create apiservices", "update podautoscalers/status"},
		program + "-gateway": {"patch deployments/scale", "patch pods/status", "create apiservices", "update podautoscalers/status", "update secrets", "get secrets", "create roles", "update mutatingwebhookconfigurations", "create leases"},
	} {
		rules := clusterRulesOf(all, account)
		if len(rules) == 0 {
			t.Errorf("%s has no rules: this test sees too little", account)
		}
		for _, what := range never {
			verb, resource, _ := strings.Cut(what, " ")
			if slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
				return slices.Contains(r.Verbs, verb) && slices.Contains(r.Resources, resource)
			}) {
				t.Errorf("%s may %s in every namespace", account, what)
			}
		}
	}
}

// clusterRulesOf are the rules that hold for a ServiceAccount in every namespace.
func clusterRulesOf(all []manifest, account string) (rules []rbacv1.PolicyRule) {
	for _, b := range get[*rbacv1.ClusterRoleBinding](all) {
		if !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Name == account && s.Namespace == namespace }) {
			continue
		}
		for _, r := range get[*rbacv1.ClusterRole](all) {
			if r.Name == b.RoleRef.Name {
				rules = append(rules, r.Rules...)
			}
		}
	}
	return rules
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
