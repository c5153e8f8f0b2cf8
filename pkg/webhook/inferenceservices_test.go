package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// defaultClass is a config-ipa that names our class for the namespaces that match.
func defaultClass(t *testing.T, namespaces string) func() *config.Config {
	t.Helper()
	c, err := config.FromMap(map[string]string{"default-class": autoscaling.Class, "default-class-namespaces": namespaces})
	if err != nil {
		t.Fatal(err)
	}
	return func() *config.Config { return c }
}

// An InferenceService that names no class gets ours where default-class says so. Its objects
// are written as YAML; %CLASS% is the annotation that names ours, %KPA% Knative's.
func TestKServeClass(t *testing.T) {
	const none = `{metadata: {name: qwen}, spec: {predictor: {minReplicas: 1}}}`
	const ours = `{metadata: {name: qwen, annotations: {%CLASS%}}, spec: {predictor: {minReplicas: 1}}}`
	const kpa = `{metadata: {name: qwen, annotations: {%KPA%}}, spec: {predictor: {minReplicas: 1}}}`
	for _, tt := range []struct{ name, namespaces, object, old, want string }{
		{"names none", "*", none, "", ours},
		{"no metadata", "*", `{spec: {predictor: {}}}`, "", `{metadata: {annotations: {%CLASS%}}, spec: {predictor: {}}}`},
		{"other annotations stay", "def*", `{metadata: {annotations: {a/b: c}}, spec: {}}`, "", `{metadata: {annotations: {a/b: c, %CLASS%}}, spec: {}}`},
		{"null annotations", "*", `{metadata: {annotations: null}}`, "", `{metadata: {annotations: {%CLASS%}}}`},
		{"mode Knative", "*", `{metadata: {annotations: {serving.kserve.io/deploymentMode: Knative}}}`, "",
			`{metadata: {annotations: {serving.kserve.io/deploymentMode: Knative, %CLASS%}}}`},
		{"mode Serverless", "*", `{metadata: {annotations: {serving.kserve.io/deploymentMode: Serverless}}}`, "",
			`{metadata: {annotations: {serving.kserve.io/deploymentMode: Serverless, %CLASS%}}}`},
		{"mode Standard", "*", `{metadata: {annotations: {serving.kserve.io/deploymentMode: Standard}}}`, "", ""},
		{"mode RawDeployment", "*", `{metadata: {annotations: {serving.kserve.io/deploymentMode: RawDeployment}}}`, "", ""},
		{"another namespace", "other", none, "", ""},
		{"another class", "*", kpa, "", ""},
		{"the predictor names one", "*", `{metadata: {name: qwen}, spec: {predictor: {annotations: {%KPA%}}}}`, "", ""},
		{"the transformer names one", "*", `{metadata: {name: qwen}, spec: {transformer: {annotations: {%KPA%}}}}`, "", ""},
		{"in deletion", "*", `{metadata: {name: qwen, deletionTimestamp: "2026-01-01T00:00:00Z"}}`, "", ""},
		{"update carries ours over", "*", none, ours, ours},
		{"update does not name it anew", "*", none, none, ""},
		{"update leaves another", "*", none, kpa, ""},
		{"update names another", "*", kpa, ours, ""},
		{"unreadable", "*", `[]`, "", ""},
		{"annotations that are none", "*", `{metadata: {annotations: [1]}}`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fill := strings.NewReplacer("%CLASS%", "autoscaling.knative.dev/class: "+autoscaling.Class,
				"%KPA%", "autoscaling.knative.dev/class: kpa.autoscaling.knative.dev").Replace
			r := review(t, fill(tt.object), fill(tt.old))
			a := kserveClass(defaultClass(t, tt.namespaces))(r)
			if tt.want == "" {
				if !a.Allowed || len(a.Patch) > 0 {
					t.Errorf("allowed %t with patch %s, want it left alone", a.Allowed, a.Patch)
				}
				return
			}
			if diff := cmp.Diff(object(t, fill(tt.want)), patched(t, r, a)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Without default-class no InferenceService is changed, also not one that was.
func TestKServeClass_notSet(t *testing.T) {
	own := func() *config.Config { return config.Default() }
	was := `{metadata: {annotations: {autoscaling.knative.dev/class: ` + autoscaling.Class + `}}}`
	for _, old := range []string{"", was} {
		if a := kserveClass(own)(review(t, `{metadata: {name: qwen}}`, old)); !a.Allowed || len(a.Patch) > 0 {
			t.Errorf("allowed %t with patch %s, want it left alone", a.Allowed, a.Patch)
		}
	}
}

// A tenant's InferenceService of any size costs little: too many annotations are not decoded.
func TestKServeClass_large(t *testing.T) {
	many := map[string]string{}
	for i := range maxElements + 2 {
		many[strconv.Itoa(i)] = ""
	}
	raw, err := json.Marshal(map[string]any{"spec": map[string]any{"predictor": map[string]any{"annotations": many}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &admissionv1.AdmissionRequest{Namespace: "default", Operation: admissionv1.Create}
	r.Object.Raw = raw
	if a := kserveClass(defaultClass(t, "*"))(r); !a.Allowed || len(a.Patch) > 0 {
		t.Errorf("allowed %t with a patch of %d bytes, want it left alone", a.Allowed, len(a.Patch))
	}
}
