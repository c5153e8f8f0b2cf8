package webhook

import (
	"encoding/json"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// Whatever the API server sends: no panic, a Pod is never refused, and a patch applies.
func FuzzAdmission(f *testing.F) {
	for _, seed := range []string{bound, pod("qwen-00001", ""), ofRevision("ours", "{readinessGates: []}"), ksvc(gateway, ourClass, calm), ksvc(gateway, ``, `containers: [{args: ["--max-model-len"]}, {ports: [{}]}]`), `[]`, `{metadata: null, spec: {template: []}}`} {
		raw := asJSON(&testing.T{}, seed)
		f.Add(raw, []byte(nil))
		f.Add(raw, raw)
	}
	f.Fuzz(func(t *testing.T, object, old []byte) {
		c := caches(t, service(t, bound+`spec: {}`), revision("ours", autoscaling.Class))
		j := judging(t, c)
		r := &admissionv1.AdmissionRequest{Namespace: "default", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: object}, OldObject: runtime.RawExtension{Raw: old}}
		if old != nil {
			r.Operation = admissionv1.Update
		}
		for name, a := range map[string]*admissionv1.AdmissionResponse{"pods": c.pods(r), "class": setClass(r), "validate": j.validate(r)} {
			if name == "pods" && !a.Allowed {
				t.Errorf("a Pod was refused: %+v", a)
			}
			if !a.Allowed && a.Result == nil {
				t.Errorf("%s: refused without a word", name)
			}
			if len(a.Patch) > 0 {
				applies(t, object, a.Patch)
			}
		}
	})
}

func applies(t *testing.T, object, text []byte) {
	t.Helper()
	p, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatalf("patch %s: %v", text, err)
	}
	if _, err := p.Apply(object); err != nil && json.Valid(object) {
		t.Errorf("patch %s does not apply to %s: %v", text, object, err)
	}
}
