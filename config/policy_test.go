package config_test

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// request is what a ServiceAccount of ours asks for.
type request struct{ account, namespace, name, resource, object, old string }

func (r request) attributes(t *testing.T) *admission.VersionedAttributes {
	t.Helper()
	var object, old runtime.Object
	operation, head := admission.Create, &unstructured.Unstructured{}
	if r.object != "" {
		head = decoded(t, r.object)
		object = head
	}
	if r.old != "" {
		operation = admission.Update
		before := decoded(t, r.old)
		old = before
		if r.object == "" {
			operation, head = admission.Delete, before
		}
	}
	kind, who := head.GroupVersionKind(), &user.DefaultInfo{Name: "system:serviceaccount:" + namespace + ":" + r.account}
	name, sub, _ := strings.Cut(r.resource, "/")
	resource := schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: name}
	a := admission.NewAttributesRecord(object, old, kind, r.namespace, r.name, resource, sub, operation, nil, false, who)
	return &admission.VersionedAttributes{Attributes: a, VersionedKind: kind, VersionedObject: object, VersionedOldObject: old}
}

// policy is one ValidatingAdmissionPolicy, compiled as the API server compiles it.
type policy struct {
	spec                    *admissionregistrationv1.ValidatingAdmissionPolicySpec
	conditions, validations cel.ConditionEvaluator
}

func policies(t *testing.T) (all []policy) {
	t.Helper()
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	compile := func(expressions []cel.ExpressionAccessor) cel.ConditionEvaluator {
		c := compiler.CompileCondition(expressions, cel.OptionalVariableDeclarations{}, environment.NewExpressions)
		if errs := c.CompilationErrors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		return c
	}
	for _, p := range get[*admissionregistrationv1.ValidatingAdmissionPolicy](load(t)) {
		var conditions, validations []cel.ExpressionAccessor
		for _, c := range p.Spec.MatchConditions {
			conditions = append(conditions, &validating.ValidationCondition{Expression: c.Expression})
		}
		for _, v := range p.Spec.Validations {
			validations = append(validations, &validating.ValidationCondition{Expression: v.Expression})
		}
		all = append(all, policy{&p.Spec, compile(conditions), compile(validations)})
	}
	return all
}

// refusals are the messages of what refuses the request; none where the policy is
// not about it.
func (p policy) refusals(t *testing.T, r request) (messages []string) {
	t.Helper()
	if slices.Contains(evaluate(t, p.conditions, r), false) {
		return nil
	}
	for i, ok := range evaluate(t, p.validations, r) {
		if !ok {
			messages = append(messages, p.spec.Validations[i].Message)
		}
	}
	return messages
}

func evaluate(t *testing.T, compiled cel.ConditionEvaluator, r request) (out []bool) {
	t.Helper()
	a := r.attributes(t)
	asked := cel.CreateAdmissionRequest(a.Attributes, metav1.GroupVersionResource(a.GetResource()), metav1.GroupVersionKind(a.VersionedKind))
	results, _, err := compiled.ForInput(t.Context(), a, asked, cel.OptionalVariableBindings{}, nil, apiservercel.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		if result.Error != nil {
			t.Errorf("%s: %v", result.ExpressionAccessor.GetExpression(), result.Error)
		}
		out = append(out, result.EvalResult != nil && result.EvalResult.Value() == true)
	}
	return out
}

const (
	costs      = `, annotations: {controller.kubernetes.io/pod-deletion-cost: "-1"`
	running    = `phase: Running, podIP: 10.0.0.1`
	kubelets   = `{type: Ready, status: "True"}`
	gateOpen   = `{type: knative-inference.dev/serving, status: "True"}`
	gateClosed = `{type: knative-inference.dev/serving, status: "False"}`

	autoscaler, webhookAccount, gateway = program, program + "-webhook", program + "-gateway"

	ours     = `labels: {app.kubernetes.io/managed-by: knative-inference-gateway}`
	owned    = `ownerReferences: [{apiVersion: serving.knative.dev/v1, kind: Service, name: qwen, uid: u}]`
	revision = `serving.knative.dev/revision: qwen-00001, serving.knative.dev/service: qwen, app: qwen-00001, pod-template-hash: abc`
)

func apiService(name, namespace, service, ca string) string {
	return `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: ` + name + `}, spec: {caBundle: ` + ca + `, service: {namespace: ` + namespace + `, name: ` + service + `}}}`
}

func webhooks(rules, ca string) string {
	return `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: autoscaler-adapter-webhook}, webhooks: [
		{name: a, failurePolicy: Ignore, sideEffects: None, matchPolicy: Equivalent, timeoutSeconds: 2, admissionReviewVersions: [v1],
		objectSelector: {matchLabels: {a: b}}, rules: [` + rules + `], clientConfig: {service: {name: s, namespace: n, path: /pods}` + ca + `}}]}`
}

func pod(labels, image, extra string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team, labels: {` + labels + `}` + extra + `}, spec: {containers: [{name: c, image: ` + image + `}]}}`
}

// status is a pod with these fields of its status, and these conditions.
func status(fields string, conditions ...string) string {
	if len(conditions) > 0 {
		fields += ", conditions: [" + strings.Join(conditions, ", ") + "]"
	}
	return strings.TrimSuffix(pod(revision, "i", ""), "}") + `, status: {` + fields + `}}`
}

func deployment(name, meta, spec string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ` + name + `, ` + meta + `}, spec: {template: {spec: {` + spec + `}}}}`
}

func roleBinding(role, subject string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: q, ` + ours + `}, roleRef: {kind: ClusterRole, name: ` + role + `}, subjects: [{kind: ServiceAccount, name: q, namespace: ` + subject + `}]}`
}

func configMap(name, meta string) string {
	return `{apiVersion: v1, kind: ConfigMap, metadata: {name: ` + name + `, ` + meta + `}}`
}

func secret(name, kind string) string {
	return `{apiVersion: v1, kind: Secret, metadata: {name: ` + name + `}, type: ` + kind + `}`
}

// budget is the PodDisruptionBudget r that an object of its own name owns.
func budget(owner, spec string) string {
	return `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: r, ownerReferences: [{apiVersion: a/v1, kind: ` + owner + `, name: r, uid: u}]}, spec: {maxUnavailable: 1, ` + spec + `}}`
}

const selectsOne = `selector: {matchLabels: {serving.knative.dev/revisionUID: u}}`

const safe = `securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}}`

// What RBAC leaves wide, the policies narrow to what the parts do.
func TestPolicies(t *testing.T) {
	const podAutoscaler = `{apiVersion: autoscaling.internal.knative.dev/v1alpha1, kind: PodAutoscaler, metadata: {name: r}, spec: {containerConcurrency: `
	const pool = `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {name: q`
	run := `serviceAccountName: q-epp, volumes: [{name: v, configMap: {name: q}}], containers: [{name: epp, image: i, ` + safe + `}]`
	fences := policies(t)
	for _, tt := range []struct {
		name string
		request
		refused string // a part of the message; empty is allowed
	}{
		{"a stored state", request{autoscaler, namespace, "state-1", "configmaps", configMap("state-1", ""), ""}, ""},
		{"a stored state goes", request{autoscaler, namespace, "state-1", "configmaps", "", configMap("state-1", "")}, ""},
		{"its own configuration", request{autoscaler, namespace, "config-ipa", "configmaps", configMap("config-ipa", ""), configMap("config-ipa", "")}, "named state-"},
		{"the gateway's configuration goes", request{autoscaler, namespace, "config-inference-gateway", "configmaps", "", configMap("config-inference-gateway", "")}, "named state-"},
		{"its certificate", request{autoscaler, namespace, "autoscaler-adapter-tls", "secrets", secret("autoscaler-adapter-tls", "Opaque"), ""}, ""},
		{"another Secret", request{autoscaler, namespace, "mine", "secrets", secret("mine", "Opaque"), ""}, "only the Secret of its certificate"},
		{"a token of the gateway", request{autoscaler, namespace, "autoscaler-adapter-tls", "secrets", secret("autoscaler-adapter-tls", "kubernetes.io/service-account-token"), ""}, "never a token"},
		{"a token of the gateway for the webhook", request{webhookAccount, namespace, "autoscaler-adapter-webhook-tls", "secrets", secret("autoscaler-adapter-webhook-tls", "kubernetes.io/service-account-token"), ""}, "never a token"},
		{"the webhook's certificate", request{webhookAccount, namespace, "autoscaler-adapter-webhook-tls", "secrets", secret("autoscaler-adapter-webhook-tls", "Opaque"), secret("autoscaler-adapter-webhook-tls", "Opaque")}, ""},
		{"its APIService", request{autoscaler, "", "v1beta2.custom.metrics.k8s.io", "apiservices", apiService("v1beta2.custom.metrics.k8s.io", namespace, program, "YQ=="), ""}, ""},
		{"a CA for another's APIService", request{autoscaler, "", "v1beta1.custom.metrics.k8s.io", "apiservices", apiService("v1beta1.custom.metrics.k8s.io", "keda", "k", "null"), apiService("v1beta1.custom.metrics.k8s.io", "keda", "k", "YQ==")}, ""},
		{"another's APIService led away", request{autoscaler, "", "v1beta1.custom.metrics.k8s.io", "apiservices", apiService("v1beta1.custom.metrics.k8s.io", "team", "evil", "YQ=="), apiService("v1beta1.custom.metrics.k8s.io", "keda", "k", "YQ==")}, "only to its own Service"},
		{"its APIService goes", request{autoscaler, "", "v1beta2.custom.metrics.k8s.io", "apiservices", "", apiService("v1beta2.custom.metrics.k8s.io", namespace, program, "YQ==")}, ""},
		{"another's APIService goes", request{autoscaler, "", "v1beta1.custom.metrics.k8s.io", "apiservices", "", apiService("v1beta1.custom.metrics.k8s.io", "keda", "k", "null")}, "deletes only an APIService that leads to its own"},
		{"the API server's own APIService goes", request{autoscaler, "", "v1beta1.custom.metrics.k8s.io", "apiservices", "", `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1beta1.custom.metrics.k8s.io}, spec: {group: custom.metrics.k8s.io}}`}, "deletes only an APIService that leads to its own"},
		{"another API", request{autoscaler, "", "v1.apps", "apiservices", apiService("v1.apps", namespace, program, "YQ=="), ""}, "only v1beta1 and v1beta2"},
		{"an accepted annotation", request{autoscaler, "team", "r", "podautoscalers", podAutoscaler + "1}}", podAutoscaler + "1}}"}, ""},
		{"the spec of a PodAutoscaler", request{autoscaler, "team", "r", "podautoscalers", podAutoscaler + "9}}", podAutoscaler + "1}}"}, "nothing but annotations"},

		{"a CA bundle", request{webhookAccount, "", "w", "mutatingwebhookconfigurations", webhooks("{resources: [pods]}", ", caBundle: YQ=="), webhooks("{resources: [pods]}", "")}, ""},
		{"more kinds", request{webhookAccount, "", "w", "mutatingwebhookconfigurations", webhooks(`{resources: ["*"]}`, ""), webhooks("{resources: [pods]}", "")}, "nothing but the CA bundle"},
		{"a new configuration", request{webhookAccount, "", "w", "mutatingwebhookconfigurations", webhooks("{resources: [pods]}", ""), ""}, "nothing but the CA bundle"},
		{"no webhooks left", request{webhookAccount, "", "w", "mutatingwebhookconfigurations", strings.Replace(webhooks("", ""), "webhooks: [", "webhooks: [], was: [", 1), webhooks("", "")}, "nothing but the CA bundle"},

		{"a label of a pod", request{gateway, "team", "p", "pods", pod(revision+", knative-inference.dev/routed: 'true'", "i", ""), pod(revision, "i", "")}, ""},
		{"an annotation of a pod", request{gateway, "team", "p", "pods", pod(revision, "i", ", annotations: {a: b}"), pod(revision, "i", "")}, ""},
		{"the image of a pod", request{gateway, "team", "p", "pods", pod(revision, "evil", ""), pod(revision, "i", "")}, "labels and annotations of a pod"},
		{"a finalizer of a pod", request{gateway, "team", "p", "pods", pod(revision, "i", ", finalizers: [a/b]"), pod(revision, "i", "")}, "labels and annotations of a pod"},
		{"the owner of a pod", request{gateway, "team", "p", "pods", pod(revision, "i", ", "+owned), pod(revision, "i", "")}, "labels and annotations of a pod"},
		{"a pod out of its ReplicaSet", request{gateway, "team", "p", "pods", pod(strings.Replace(revision, "abc", "xyz", 1), "i", ""), pod(revision, "i", "")}, "labels of Kubernetes and of Knative"},
		{"a pod of others", request{gateway, "kube-system", "p", "pods", pod("a: b, c: d", "i", ""), pod("a: b", "i", "")}, "pods of Knative revisions"},
		{"a pod goes", request{gateway, "team", "p", "pods", "", pod(revision, "i", "")}, "deletes only objects"},
		{"a picker", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours, run), ""}, ""},
		{"a picker without our label", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", "", run), ""}, "writes only objects with the label"},
		{"a picker as another account", request{gateway, "kube-system", "q-epp", "deployments", deployment("q-epp", ours, strings.Replace(run, "q-epp", "clusterrole-aggregation-controller", 1)), ""}, "ServiceAccount of their own name"},
		{"named as another account", request{gateway, "kube-system", "admin", "deployments", deployment("admin", ours, strings.Replace(run, "q-epp", "admin", 1)), ""}, "ServiceAccount of their own name"},
		{"a picker on the host's network", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours, run+", hostNetwork: true"), ""}, "without the host's namespaces"},
		{"a picker with the host's disk", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours, strings.Replace(run, "configMap: {name: q}", "hostPath: {path: /}", 1)), ""}, "mount config maps only"},
		{"a picker with a Secret", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours, strings.Replace(run, "image: i", "image: i, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]", 1)), ""}, "read no Secret"},
		{"a privileged picker", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours, strings.Replace(run, "Escalation: false", "Escalation: false, privileged: true", 1)), ""}, "unprivileged"},
		{"somebody's Deployment changes", request{gateway, "team", "q-epp", "deployments", deployment("q-epp", ours+", "+owned, run), deployment("q-epp", "", run)}, "takes over only"},
		{"somebody's Deployment goes", request{gateway, "team", "q-epp", "deployments", "", deployment("q-epp", "", run)}, "deletes only objects"},
		{"our Deployment goes", request{gateway, "team", "q-epp", "deployments", "", deployment("q-epp", ours, run)}, ""},
		{"a role for a picker", request{gateway, "team", "q", "rolebindings", roleBinding("autoscaler-adapter-picker", "team"), ""}, ""},
		{"another role", request{gateway, "team", "q", "rolebindings", roleBinding("cluster-admin", "team"), ""}, "only the roles of pickers"},
		{"an account of elsewhere", request{gateway, "team", "q", "rolebindings", roleBinding("autoscaler-adapter-picker", "evil"), ""}, "only the roles of pickers"},
		{"an adopted pool", request{gateway, "team", "q", "inferencepools", pool + ", " + ours + ", " + owned + "}}", pool + "}}"}, ""},
		{"a pool of nobody", request{gateway, "team", "q", "inferencepools", pool + ", " + ours + "}}", pool + "}}"}, "takes over only"},
		{"another's config map", request{gateway, "kube-system", "c", "configmaps", configMap("c", ours), configMap("c", "")}, "takes over only"},
		{"a Service of the outside", request{gateway, "team", "q", "services", `{apiVersion: v1, kind: Service, metadata: {name: q, ` + ours + `}, spec: {externalIPs: [1.2.3.4]}}`, ""}, "inside the cluster only"},
		{"a ServiceAccount with a Secret", request{gateway, "team", "q", "serviceaccounts", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: q, ` + ours + `}, secrets: [{name: s}]}`, ""}, "no ServiceAccount a Secret"},
		{"a deletion cost", request{autoscaler, "team", "p", "pods", pod(revision, "i", costs+", a: b}"), pod(revision, "i", ", annotations: {a: b}")}, ""},
		{"the first annotation", request{autoscaler, "team", "p", "pods", pod(revision, "i", costs+"}"), pod(revision, "i", "")}, ""},
		{"a deletion cost goes", request{autoscaler, "team", "p", "pods", pod(revision, "i", ""), pod(revision, "i", costs+"}")}, ""},
		{"another annotation", request{autoscaler, "team", "p", "pods", pod(revision, "i", costs+", a: b}"), pod(revision, "i", "")}, "no annotation of a pod but"},
		{"an annotation goes", request{autoscaler, "team", "p", "pods", pod(revision, "i", costs+"}"), pod(revision, "i", ", annotations: {a: b}")}, "no annotation of a pod but"},
		{"a label of a pod by the autoscaler", request{autoscaler, "team", "p", "pods", pod(revision+", a: b", "i", ""), pod(revision, "i", "")}, "nothing of a pod but"},
		{"the image of a pod by the autoscaler", request{autoscaler, "team", "p", "pods", pod(revision, "evil", ""), pod(revision, "i", "")}, "nothing of a pod but"},
		{"a finalizer of a pod by the autoscaler", request{autoscaler, "team", "p", "pods", pod(revision, "i", ", finalizers: [a/b]"), pod(revision, "i", "")}, "nothing of a pod but"},
		{"a pod of others by the autoscaler", request{autoscaler, "kube-system", "p", "pods", pod("a: b", "i", costs+"}"), pod("a: b", "i", "")}, "only pods of Knative revisions"},
		{"the readiness gate", request{autoscaler, "team", "p", "pods/status", status(running, kubelets, gateOpen), status(running, kubelets)}, ""},
		{"the readiness gate closes", request{autoscaler, "team", "p", "pods/status", status(running, gateClosed, kubelets), status(running, kubelets, gateOpen)}, ""},
		{"the first condition", request{autoscaler, "team", "p", "pods/status", status(running, gateOpen), status(running)}, ""},
		{"readiness itself", request{autoscaler, "team", "p", "pods/status", status(running, strings.Replace(kubelets, "True", "False", 1), gateOpen), status(running, kubelets)}, "nothing of a pod's status but"},
		{"a condition goes", request{autoscaler, "team", "p", "pods/status", status(running, gateOpen), status(running, kubelets)}, "nothing of a pod's status but"},
		{"the address of a pod", request{autoscaler, "team", "p", "pods/status", status("phase: Running, podIP: 10.0.0.66", kubelets), status(running, kubelets)}, "nothing of a pod's status but"},
		{"a field of the status goes", request{autoscaler, "team", "p", "pods/status", status("phase: Running", kubelets), status(running, kubelets)}, "nothing of a pod's status but"},
		{"a field of a newer Kubernetes", request{autoscaler, "team", "p", "pods/status", status(running+", novel: {a: b}", kubelets), status(running, kubelets)}, "nothing of a pod's status but"},
		{"the status of a pod of others", request{autoscaler, "kube-system", "p", "pods/status", strings.Replace(status(running, gateOpen), revision, "a: b", 1), strings.Replace(status(running), revision, "a: b", 1)}, "only pods of Knative revisions"},
		{"a label by way of the status", request{autoscaler, "team", "p", "pods/status", strings.Replace(status(running, gateOpen), revision, revision+", a: b", 1), status(running)}, "nothing of a pod but"},
		{"a deletion cost by way of the status", request{autoscaler, "team", "p", "pods/status", strings.Replace(status(running), revision+"}", revision+"}"+costs+"}", 1), status(running)}, "no annotation of a pod but"},
		{"a budget", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("PodAutoscaler", selectsOne), ""}, ""},
		{"a budget changes", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("PodAutoscaler", selectsOne), budget("PodAutoscaler", selectsOne)}, ""},
		{"a budget goes", request{autoscaler, "team", "r", "poddisruptionbudgets", "", budget("PodAutoscaler", selectsOne)}, ""},
		{"a budget of no PodAutoscaler", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("Revision", selectsOne), ""}, "only PodDisruptionBudgets of PodAutoscalers"},
		{"a budget without an owner", request{autoscaler, "team", "r", "poddisruptionbudgets", `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: r}, spec: {` + selectsOne + `}}`, ""}, "only PodDisruptionBudgets of PodAutoscalers"},
		{"a budget over all pods", request{autoscaler, "kube-system", "r", "poddisruptionbudgets", budget("PodAutoscaler", "selector: {}"), ""}, "over the pods of one revision"},
		{"a budget over other pods", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("PodAutoscaler", "selector: {matchLabels: {app: db}}"), ""}, "over the pods of one revision"},
		{"a budget by an expression", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("PodAutoscaler", strings.Replace(selectsOne, "}}", "}, matchExpressions: [{key: a, operator: Exists}]}", 1)), ""}, "over the pods of one revision"},
		{"somebody's budget changes", request{autoscaler, "team", "r", "poddisruptionbudgets", budget("PodAutoscaler", selectsOne), budget("Deployment", selectsOne)}, "takes over and deletes only"},
		{"somebody's budget goes", request{autoscaler, "team", "r", "poddisruptionbudgets", "", budget("Deployment", selectsOne)}, "takes over and deletes only"},
		{"somebody else", request{"another", "team", "p", "pods", pod(revision, "evil", ""), pod(revision, "i", "")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []string
			for _, p := range fences {
				if p.matches(tt.attributes(t)) {
					all = append(all, p.refusals(t, tt.request)...)
				}
			}
			if tt.refused == "" && len(all) > 0 {
				t.Errorf("refused: %q", all)
			}
			if tt.refused != "" && !slices.ContainsFunc(all, func(m string) bool { return strings.Contains(m, tt.refused) }) {
				t.Errorf("refusals %q, want %q", all, tt.refused)
			}
		})
	}
}

// matches reports whether a policy is about the request's resource and operation.
func (p policy) matches(a *admission.VersionedAttributes) bool {
	resource := strings.TrimSuffix(a.GetResource().Resource+"/"+a.GetSubresource(), "/")
	return slices.ContainsFunc(p.spec.MatchConstraints.ResourceRules, func(r admissionregistrationv1.NamedRuleWithOperations) bool {
		return slices.Contains(r.APIGroups, a.GetResource().Group) && slices.Contains(r.Resources, resource) &&
			slices.Contains(r.Operations, admissionregistrationv1.OperationType(a.GetOperation()))
	})
}

// Everything that the gateway's reconciler renders passes its policy.
func TestPolicies_whatTheGatewayMakes(t *testing.T) {
	fences := policies(t)
	for _, flavor := range []string{binding.FlavorGIE, binding.FlavorLLMD} {
		for _, o := range everything(t, flavor) {
			labelled := o.DeepCopy()
			labels := labelled.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			labels["app.kubernetes.io/managed-by"] = "knative-inference-gateway" // the reconciler adds the label when it applies
			labelled.SetLabels(labels)
			text, err := labelled.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			r := request{gateway, o.GetNamespace(), o.GetName(), strings.ToLower(o.GetKind()) + "s", string(text), ""}
			fenced := false
			for _, p := range fences {
				if !p.matches(r.attributes(t)) {
					continue
				}
				fenced = true
				if got := p.refusals(t, r); len(got) > 0 {
					t.Errorf("%s %s: %q", o.GetKind(), o.GetName(), got)
				}
			}
			if !fenced {
				t.Errorf("%s %s is written and no policy is about its kind", o.GetKind(), o.GetName())
			}
		}
	}
}
