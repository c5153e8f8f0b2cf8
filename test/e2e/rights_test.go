//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"knative.dev/pkg/ptr"
)

// as returns a client that the API server takes for a ServiceAccount of the product.
func as(t *testing.T, account string) kubernetes.Interface {
	t.Helper()
	config := rest.CopyConfig(cluster.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + ownNamespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + ownNamespace, "system:authenticated"},
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// What each ServiceAccount may write in a namespace of a tenant and in its own, by
// the word of the API server. Everything else is get, list or watch.
func TestRights(t *testing.T) {
	t.Parallel()
	tenant := namespaceFor(t)
	picker := []string{
		"create,patch,delete configmaps", "create,patch,delete services", "create,patch,delete serviceaccounts", "create,patch,delete deployments.apps",
		"create,patch,delete rolebindings.rbac.authorization.k8s.io", "bind clusterroles.rbac.authorization.k8s.io of 2 names",
		"create,patch,delete httproutes.gateway.networking.k8s.io", "create,patch,delete inferencepools.inference.networking.k8s.io",
		"create,patch,delete inferenceobjectives.inference.networking.x-k8s.io", "create,patch,delete inferencemodelrewrites.inference.networking.x-k8s.io",
		"create,patch,delete inferenceobjectives.llm-d.ai", "create,patch,delete inferencemodelrewrites.llm-d.ai",
		"create,patch,delete destinationrules.networking.istio.io", "create,patch,delete envoyfilters.networking.istio.io",
		"create,patch,delete envoypatchpolicies.gateway.envoyproxy.io",
		"create,patch,delete inferencebindings.knative-inference.dev", "patch inferencebindings/status.knative-inference.dev",
		"patch pods", "create,patch events",
	}
	scaler := []string{
		"create,patch events", "patch pods", "patch pods/status", "patch deployments/scale.apps", "patch podautoscalers.autoscaling.internal.knative.dev",
		"update podautoscalers/status.autoscaling.internal.knative.dev", "update podautoscalers/finalizers.autoscaling.internal.knative.dev",
		"create,update serverlessservices.networking.internal.knative.dev", "create,update,delete poddisruptionbudgets.policy",
		"create apiservices.apiregistration.k8s.io", "update,delete apiservices.apiregistration.k8s.io of 2 names",
		"create tokenreviews.authentication.k8s.io", "create subjectaccessreviews.authorization.k8s.io",
	}
	admission := []string{"update mutatingwebhookconfigurations.admissionregistration.k8s.io of 1 names", "update validatingwebhookconfigurations.admissionregistration.k8s.io of 1 names"}
	for _, tt := range []struct {
		account, namespace string
		writes             []string
	}{
		{ownName, tenant, scaler},
		{ownName, ownNamespace, append([]string{"create,update leases.coordination.k8s.io", "create secrets", "update secrets of 1 names", "create,update,delete configmaps"}, scaler...)},
		{ownName + "-webhook", tenant, admission},
		{ownName + "-webhook", ownNamespace, append([]string{"create leases.coordination.k8s.io", "update leases.coordination.k8s.io of 1 names", "create secrets", "update secrets of 1 names"}, admission...)},
		{ownName + "-gateway", tenant, picker},
		{ownName + "-gateway", ownNamespace, append([]string{"create leases.coordination.k8s.io", "update leases.coordination.k8s.io of 1 names"}, picker...)},
	} {
		slices.Sort(tt.writes)
		got := writesOf(t, tt.account, tt.namespace)
		for _, w := range tt.writes {
			if !slices.Contains(got, w) {
				t.Errorf("%s may not %s in %s", tt.account, w, tt.namespace)
			}
		}
		for _, w := range got {
			if !slices.Contains(tt.writes, w) {
				t.Errorf("%s may %s in %s", tt.account, w, tt.namespace)
			}
		}
	}
}

// writesOf asks the API server for the rules of an account and returns a line for
// every resource that the account may do more to than read. What every
// authenticated user may do, such as asking for their own rights, is left out.
func writesOf(t *testing.T, account, namespace string) (lines []string) {
	t.Helper()
	answer, err := as(t, account).AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(),
		&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.Status.ResourceRules {
		verbs := slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == "get" || v == "list" || v == "watch" })
		for _, resource := range r.Resources {
			if len(verbs) == 0 || strings.HasPrefix(resource, "selfsubject") {
				continue
			}
			for _, group := range r.APIGroups {
				line := strings.TrimSuffix(strings.Join(verbs, ",")+" "+resource+"."+group, ".")
				if len(r.ResourceNames) > 0 {
					line += fmt.Sprintf(" of %d names", len(r.ResourceNames))
				}
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// attempt is one call as one account. Nothing is changed: calls are dry runs.
type attempt struct {
	name    string
	account string
	call    func(ctx context.Context, c kubernetes.Interface) error
	refused string // a part of the refusal; empty is allowed
}

var (
	dryCreate = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	dryPatch  = metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}
	dryUpdate = metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}
	dryDelete = metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
)

// Each account tries what somebody would try who took its process over.
func TestRightsDenied(t *testing.T) {
	t.Parallel()
	tenant := namespaceFor(t)
	bait(t, tenant)
	const rbac = "is forbidden: User"
	run := func(name, account string, labels map[string]string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.AppsV1().Deployments(tenant).Create(ctx, pickerLike(name, account, labels), dryCreate)
			return err
		}
	}
	ours := map[string]string{"app.kubernetes.io/managed-by": "knative-inference-gateway"}
	patchPod := func(patch string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Pods(tenant).Patch(ctx, "bait", types.StrategicMergePatchType, []byte(patch), dryPatch)
			return err
		}
	}
	patchStatus := func(patch string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Pods(tenant).Patch(ctx, "bait", types.StrategicMergePatchType, []byte(patch), dryPatch, "status")
			return err
		}
	}
	readSecret := func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().Secrets(tenant).Get(ctx, "bait", metav1.GetOptions{})
		return err
	}
	bind := func(role string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.RbacV1().RoleBindings(tenant).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "p-epp-reads", Labels: ours},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "p-epp", Namespace: tenant}},
			}, dryCreate)
			return err
		}
	}
	const image, label = `{"spec":{"containers":[{"name":"c","image":"evil"}]}}`, `{"metadata":{"labels":{"knative-inference.dev/routed":"true"}}}`
	scaler, admission, gateway := ownName, ownName+"-webhook", ownName+"-gateway"
	for _, a := range []attempt{
		{"a Deployment", scaler, run("p-epp", "p-epp", ours), rbac},
		{"a ServiceAccount", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().ServiceAccounts(tenant).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: ours}}, dryCreate)
			return err
		}, rbac},
		{"a Role", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.RbacV1().Roles(tenant).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, dryCreate)
			return err
		}, rbac},
		{"the role of a picker", scaler, bind("autoscaler-adapter-picker"), rbac},
		{"a pod's image", scaler, patchPod(image), "nothing of a pod but"},
		{"a pod's label", scaler, patchPod(label), "nothing of a pod but"},
		{"a pod's annotation", scaler, patchPod(`{"metadata":{"annotations":{"a":"b"}}}`), "no annotation of a pod but"},
		{"a pod's deletion cost", scaler, patchPod(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"-1"}}}`), ""},
		{"a pod's readiness gate", scaler, patchStatus(`{"status":{"conditions":[{"type":"knative-inference.dev/serving","status":"False"}]}}`), ""},
		{"a pod's readiness", scaler, patchStatus(`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`), "nothing of a pod's status but"},
		{"a pod's address", scaler, patchStatus(`{"status":{"podIP":"10.1.2.3","podIPs":[{"ip":"10.1.2.3"}]}}`), "nothing of a pod's status but"},
		{"a pod's label by its status", scaler, patchStatus(label), "nothing of a pod but"},
		{"a pod goes", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().Pods(tenant).Delete(ctx, "bait", dryDelete)
		}, rbac},
		{"a pod's readiness gate", admission, patchStatus(`{"status":{"conditions":[{"type":"knative-inference.dev/serving","status":"False"}]}}`), rbac},
		{"a pod's readiness gate", gateway, patchStatus(`{"status":{"conditions":[{"type":"knative-inference.dev/serving","status":"False"}]}}`), rbac},
		{"a Secret of a tenant", scaler, readSecret, rbac},
		{"a token of the gateway", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Secrets(ownNamespace).Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "stolen", Annotations: map[string]string{corev1.ServiceAccountNameKey: gateway}},
				Type:       corev1.SecretTypeServiceAccountToken,
			}, dryCreate)
			return err
		}, "never a token"},
		{"the configuration of the product", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().ConfigMaps(ownNamespace).Delete(ctx, "config-ipa", dryDelete)
		}, "named state-"},
		{"a stored state", scaler, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().ConfigMaps(ownNamespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "state-e2e"}}, dryCreate)
			return err
		}, ""},
		{"its webhook, widened", admission, widen(true), "nothing but the CA bundle"},
		{"its webhook's CA bundle", admission, widen(false), ""},
		{"a Deployment", admission, run("p-epp", "p-epp", ours), rbac},
		{"a Secret of a tenant", admission, readSecret, rbac},
		{"a picker", gateway, run("p-epp", "p-epp", ours), ""},
		{"a Deployment without the label", gateway, run("p-epp", "p-epp", nil), "writes only objects with the label"},
		{"a Deployment as another account", gateway, run("p-epp", "default", ours), "ServiceAccount of their own name"},
		{"the role of a picker", gateway, bind("autoscaler-adapter-picker"), ""},
		{"the role of an administrator", gateway, bind("cluster-admin"), ""}, // the refusal is checked below: RBAC or the policy, whichever comes first
		{"a pod's image", gateway, patchPod(image), "labels and annotations of a pod"},
		{"a pod's label", gateway, patchPod(label), ""},
		{"the hash of a pod's template", gateway, patchPod(`{"metadata":{"labels":{"pod-template-hash":"x"}}}`), "labels of Kubernetes and of Knative"},
		{"a Secret of a tenant", gateway, readSecret, rbac},
		{"a Service of a tenant, taken over", gateway, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Services(tenant).Patch(ctx, "bait", types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"knative-inference-gateway"}},"spec":{"selector":{"app":"evil"}}}`), dryPatch)
			return err
		}, "takes over only"},
		{"a Service of a tenant, deleted", gateway, func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().Services(tenant).Delete(ctx, "bait", dryDelete)
		}, "deletes only objects"},
		{"the scale of a Deployment", gateway, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.AppsV1().Deployments(tenant).Patch(ctx, "bait", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), dryPatch, "scale")
			return err
		}, rbac},
	} {
		err := a.call(t.Context(), as(t, a.account))
		switch {
		case strings.Contains(a.name, "administrator"):
			if !apierrs.IsForbidden(err) && !apierrs.IsInvalid(err) {
				t.Errorf("%s: %s: %v, want a refusal", a.account, a.name, err)
			}
		case a.refused == "" && err != nil:
			t.Errorf("%s: %s: %v, want it allowed", a.account, a.name, err)
		case a.refused != "" && (err == nil || !strings.Contains(err.Error(), a.refused)):
			t.Errorf("%s: %s: %v, want a refusal with %q", a.account, a.name, err, a.refused)
		}
	}
}

// widen updates the webhook's configuration: its rules, or its CA bundle.
func widen(rules bool) func(context.Context, kubernetes.Interface) error {
	const name = ownName + "-webhook"
	return func(ctx context.Context, c kubernetes.Interface) error {
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			live, err := cluster.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if rules {
				live.Webhooks[0].Rules[0].Resources = []string{"*"}
			} else {
				live.Webhooks[0].ClientConfig.CABundle = live.Webhooks[1].ClientConfig.CABundle
				live.Webhooks[1].ClientConfig.CABundle = nil
			}
			_, err = c.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(ctx, live, dryUpdate)
			return err
		})
	}
}

// bait makes what the attempts are about: a pod of a revision that nobody schedules,
// a Service and a Secret.
func bait(t *testing.T, namespace string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "bait", Labels: map[string]string{"serving.knative.dev/revision": "bait-00001", "app": "bait-00001"}}
	pod := &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{SchedulerName: "nobody", Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "bait"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "nobody"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bait"}}
	core := cluster.kube.CoreV1()
	if _, err := core.Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, settle, "the namespace takes pods", func() (bool, string) { // its ServiceAccount comes a moment later
		_, err := core.Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		return err == nil || apierrs.IsAlreadyExists(err), fmt.Sprint(err)
	})
}

// pickerLike is a Deployment as the gateway makes it.
func pickerLike(name, account string, labels map[string]string) *appsv1.Deployment {
	pods := map[string]string{"knative-inference.dev/picker": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pods},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pods}, Spec: corev1.PodSpec{
				ServiceAccountName: account,
				Containers: []corev1.Container{{Name: "epp", Image: "i", SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.Bool(false), RunAsNonRoot: ptr.Bool(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				}}},
			}},
		},
	}
}
