package config_test

import (
	"os"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// asked compiles the match conditions of one webhook, as the API server does,
// and asks whether it would call us about the object.
func asked(t *testing.T, w webhook.WebhookAccessor, object string) bool {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(object), &o.Object); err != nil {
		t.Fatal(err)
	}
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	kind := schema.GroupVersionKind{Group: "serving.knative.dev", Version: "v1", Kind: "Service"}
	attributes := admission.NewAttributesRecord(o, nil, kind, "default", "qwen", kind.GroupVersion().WithResource("services"), "", admission.Create, nil, false, nil)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedObject: o}
	r := w.GetCompiledMatcher(compiler).Match(t.Context(), versioned, nil, nil)
	if r.Error != nil {
		t.Errorf("%s: the condition fails on %s: %v", w.GetName(), object, r.Error)
	}
	return r.Matches
}

func registrations(t *testing.T) (defaults, services webhook.WebhookAccessor, pods *admissionregistrationv1.MutatingWebhook) {
	t.Helper()
	all := load(t)
	mutating := get[*admissionregistrationv1.MutatingWebhookConfiguration](all)[0]
	validating := get[*admissionregistrationv1.ValidatingWebhookConfiguration](all)[0]
	return webhook.NewMutatingWebhookAccessor("", "", &mutating.Webhooks[1]), webhook.NewValidatingWebhookAccessor("", "", &validating.Webhooks[0]), &mutating.Webhooks[0]
}

// Services without a word of ours never depend on us.
func TestWebhook_matchConditions(t *testing.T) {
	defaults, services, _ := registrations(t)
	template := func(annotations string) string {
		return `{metadata: {name: s}, spec: {template: {metadata: {annotations: ` + annotations + `}}}}`
	}
	tests := []struct {
		name, object       string
		defaults, services bool
	}{
		{"no annotations", `{metadata: {name: s}, spec: {template: {spec: {}}}}`, false, false},
		{"others' annotations", `{metadata: {name: s, annotations: {a: b}}, spec: {template: {metadata: {annotations: {c: d}}}}}`, false, false},
		{"nothing at all", `{metadata: {name: s}, spec: {}}`, false, false},
		{"null template", `{metadata: {name: s}, spec: {template: null}}`, false, false},
		{"null metadata", `{metadata: {name: s}, spec: {template: {metadata: null}}}`, false, false},
		{"null annotations", template("null"), false, false},
		{"Knative's class", template(`{autoscaling.knative.dev/class: kpa.autoscaling.knative.dev}`), false, false},
		{"our class", template(`{autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev}`), false, true},
		{"our annotation on a revision", template(`{knative-inference.dev/engine: vllm}`), false, true},
		{"ACK's annotation on a revision", template(`{knative.aliyun.com/ai-gateway: inference}`), false, true},
		{"another annotation of ours", `{metadata: {name: s, annotations: {knative-inference.dev/model: q}}, spec: {}}`, false, true},
		{"the gateway", `{metadata: {name: s, annotations: {knative-inference.dev/ai-gateway: inference}}, spec: {}}`, true, true},
		{"the gateway in ACK's words", `{metadata: {name: s, annotations: {knative.aliyun.com/ai-gateway: inference}}, spec: {}}`, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := asked(t, defaults, tt.object); got != tt.defaults {
				t.Errorf("asked for defaults: %t, want %t", got, tt.defaults)
			}
			if got := asked(t, services, tt.object); got != tt.services {
				t.Errorf("asked for a judgement: %t, want %t", got, tt.services)
			}
		})
	}
}

// Pods never wait long for us, and never fail because of us.
func TestWebhook_pods(t *testing.T) {
	_, _, pods := registrations(t)
	if *pods.FailurePolicy != admissionregistrationv1.Ignore || *pods.TimeoutSeconds != 2 {
		t.Errorf("failurePolicy %s and %d s, want Ignore and 2 s", *pods.FailurePolicy, *pods.TimeoutSeconds)
	}
	if e := pods.ObjectSelector.MatchExpressions; len(e) != 1 || e[0].Key != "serving.knative.dev/service" || e[0].Operator != "Exists" {
		t.Errorf("object selector %v, want pods of Knative Services only", e)
	}
	if len(pods.Rules) != 1 || len(pods.Rules[0].Operations) != 1 || pods.Rules[0].Operations[0] != admissionregistrationv1.Create {
		t.Errorf("rules %v, want new pods only", pods.Rules)
	}
}

// Paths, names and the port are those of the code and of the other files.
func TestWebhook_wiring(t *testing.T) {
	text, err := os.ReadFile("500-webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"path: /pods}": 1, "path: /services/default}": 1, "path: /services/validate}": 1, "name: autoscaler-adapter-webhook, namespace: knative-inference,": 3} {
		if got := strings.Count(string(text), path); got != want {
			t.Errorf("%q stands there %d times, want %d", path, got, want)
		}
	}
}
