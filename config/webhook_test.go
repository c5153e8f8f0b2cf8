package config_test

import (
	"os"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// asked compiles the match conditions of one webhook, as the API server does,
// and asks whether it would call us about the object.
func asked(t *testing.T, w webhook.WebhookAccessor, object, old string) bool {
	t.Helper()
	o, before, operation := decoded(t, object), runtime.Object(nil), admission.Create
	if old != "" {
		before, operation = decoded(t, old), admission.Update
	}
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	kind := schema.GroupVersionKind{Group: "serving.knative.dev", Version: "v1", Kind: "Service"}
	attributes := admission.NewAttributesRecord(o, before, kind, "default", "qwen", kind.GroupVersion().WithResource("services"), "", operation, nil, false, nil)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedObject: o, VersionedOldObject: before}
	r := w.GetCompiledMatcher(compiler).Match(t.Context(), versioned, nil, nil)
	if r.Error != nil {
		t.Errorf("%s: the condition fails on %s: %v", w.GetName(), object, r.Error)
	}
	return r.Matches
}

func decoded(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
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
		{"ours misspelt", template(`{autoscaling.knative.dev/class: IPA}`), false, true},
		{"ours without its beginning", template(`{autoscaling.knative.dev/class: autoscaling.knative-inference.dev}`), false, true},
		{"ours as another value", template(`{note: ipa.autoscaling.knative-inference.dev}`), false, false},
		{"our annotation on a revision", template(`{knative-inference.dev/engine: vllm}`), false, true},
		{"ACK's annotation on a revision", template(`{knative.aliyun.com/ai-gateway: inference}`), false, true},
		{"another annotation of ours", `{metadata: {name: s, annotations: {knative-inference.dev/model: q}}, spec: {}}`, false, true},
		{"the gateway", `{metadata: {name: s, annotations: {knative-inference.dev/ai-gateway: inference}}, spec: {}}`, true, true},
		{"the gateway in ACK's words", `{metadata: {name: s, annotations: {knative.aliyun.com/ai-gateway: inference}}, spec: {}}`, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := asked(t, defaults, tt.object, ""); got != tt.defaults {
				t.Errorf("asked for defaults: %t, want %t", got, tt.defaults)
			}
			if got := asked(t, services, tt.object, ""); got != tt.services {
				t.Errorf("asked for a judgement: %t, want %t", got, tt.services)
			}
		})
	}
}

// We are asked for a class only where the answer matters, so that an outage of
// ours stands in the way of nothing else.
func TestWebhook_classConditions(t *testing.T) {
	const (
		head = `{metadata: {name: s, annotations: {knative-inference.dev/ai-gateway: inference}}, spec: {template: `
		none = head + `{metadata: {annotations: {a: b}}}}}`
		ours = head + `{metadata: {annotations: {autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev}}}}}`
		kpa  = head + `{metadata: {annotations: {autoscaling.knative.dev/class: kpa.autoscaling.knative.dev}}}}}`
	)
	defaults, _, _ := registrations(t)
	for _, tt := range []struct {
		name, object, old string
		want              bool
	}{
		{"new, none named", none, "", true},
		{"new, no metadata", head + `{spec: {}}}}`, "", true},
		{"new, null", head + `{metadata: null}}}`, "", true},
		{"new, one named", kpa, "", false},
		{"an update that keeps ours", ours, ours, false},
		{"an update that drops ours", none, ours, true},
		{"an update that names none, as before", none, none, false},
		{"an update that drops another", none, kpa, false},
		{"an update of one without metadata", none, head + `{spec: {}}}}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := asked(t, defaults, tt.object, tt.old); got != tt.want {
				t.Errorf("asked: %t, want %t", got, tt.want)
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

// Revisions of another class never wait for us, and none fails because of us.
func TestWebhook_revisions(t *testing.T) {
	w := get[*admissionregistrationv1.MutatingWebhookConfiguration](load(t))[0].Webhooks[2]
	if *w.FailurePolicy != admissionregistrationv1.Ignore || *w.TimeoutSeconds != 2 {
		t.Errorf("failurePolicy %s and %d s, want Ignore and 2 s", *w.FailurePolicy, *w.TimeoutSeconds)
	}
	if len(w.Rules) != 1 || len(w.Rules[0].Operations) != 1 || w.Rules[0].Operations[0] != admissionregistrationv1.Create {
		t.Errorf("rules %v, want new Revisions only", w.Rules)
	}
	accessor := webhook.NewMutatingWebhookAccessor("", "", &w)
	for annotations, want := range map[string]bool{
		`{autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev}`: true,
		`{autoscaling.knative.dev/class: kpa.autoscaling.knative.dev}`:           false,
		`{a: b}`: true, `null`: true,
	} {
		if got := asked(t, accessor, `{metadata: {name: r, annotations: `+annotations+`}}`, ""); got != want {
			t.Errorf("asked about %s: %t, want %t", annotations, got, want)
		}
	}
}

// InferenceServices that name a class never wait for us, and none fails because of us.
func TestWebhook_inferenceServices(t *testing.T) {
	w := get[*admissionregistrationv1.MutatingWebhookConfiguration](load(t))[0].Webhooks[3]
	if *w.FailurePolicy != admissionregistrationv1.Ignore || *w.TimeoutSeconds != 2 {
		t.Errorf("failurePolicy %s and %d s, want Ignore and 2 s", *w.FailurePolicy, *w.TimeoutSeconds)
	}
	const (
		none = `{metadata: {name: i, annotations: {a: b}}}`
		ours = `{metadata: {name: i, annotations: {autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev}}}`
		kpa  = `{metadata: {name: i, annotations: {autoscaling.knative.dev/class: kpa.autoscaling.knative.dev}}}`
		null = `{metadata: {name: i, annotations: null}}`
	)
	accessor := webhook.NewMutatingWebhookAccessor("", "", &w)
	for _, tt := range []struct {
		name, object, old string
		want              bool
	}{
		{"new, none named", none, "", true},
		{"new, no annotations", `{metadata: {name: i}}`, "", true},
		{"new, null", null, "", true},
		{"new, one named", kpa, "", false},
		{"an update that drops ours", none, ours, true},
		{"an update that keeps ours", ours, ours, false},
		{"an update that names none, as before", none, none, false},
		{"an update of one with null", null, null, false},
		{"an update that drops another", none, kpa, false},
	} {
		if got := asked(t, accessor, tt.object, tt.old); got != tt.want {
			t.Errorf("%s: asked %t, want %t", tt.name, got, tt.want)
		}
	}
}

// Paths, names and the port are those of the code and of the other files.
func TestWebhook_wiring(t *testing.T) {
	text, err := os.ReadFile("500-webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"path: /pods}": 1, "path: /revisions}": 1, "path: /services/default}": 1, "path: /services/validate}": 1,
		"path: /inferenceservices/default}": 1, "name: autoscaler-adapter-webhook, namespace: knative-inference,": 5} {
		if got := strings.Count(string(text), path); got != want {
			t.Errorf("%q stands there %d times, want %d", path, got, want)
		}
	}
}
