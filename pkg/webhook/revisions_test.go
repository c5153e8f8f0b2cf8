package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
)

func TestFullDuplex(t *testing.T) {
	const (
		ours = "ipa.autoscaling.knative-inference.dev"
		kpa  = "kpa.autoscaling.knative.dev"
		on   = "features.knative.dev/http-full-duplex: Enabled"
		off  = "features.knative.dev/http-full-duplex: Disabled"
	)
	revision := func(annotations string) string {
		return `{metadata: {generateName: qwen-, annotations: ` + annotations + `}, spec: {novel: {kept: 12345678901234567890}}}`
	}
	class := func(name string) string { return "autoscaling.knative.dev/class: " + name }
	tests := []struct{ name, byDefault, object, want string }{
		{"our class", kpa, revision("{" + class(ours) + "}"), revision("{" + class(ours) + ", " + on + "}")},
		{"our class by default", ours, revision("{a: b}"), revision("{a: b, " + on + "}")},
		{"our class by default, null", ours, revision("null"), revision("{" + on + "}")},
		{"our class by default, none", ours, `{metadata: {name: q}}`, `{metadata: {name: q, annotations: {` + on + `}}}`},
		{"another by default", kpa, revision("{a: b}"), revision("{a: b}")},
		{"another", ours, revision("{" + class(kpa) + "}"), revision("{" + class(kpa) + "}")},
		{"switched off", kpa, revision("{" + class(ours) + ", " + off + "}"), revision("{" + class(ours) + ", " + off + "}")},
		{"switched on", kpa, revision("{" + class(ours) + ", " + on + "}"), revision("{" + class(ours) + ", " + on + "}")},
		{"no metadata", ours, `{spec: {}}`, `{spec: {}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := review(t, tt.object, "")
			c := Caches{DefaultClass: func() string { return tt.byDefault }}
			if diff := cmp.Diff(object(t, tt.want), patched(t, r, c.fullDuplex(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A live Revision, and one that cannot be read, stay as they are.
func TestFullDuplex_leftAlone(t *testing.T) {
	const ours = `{metadata: {name: q, annotations: {autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev}}}`
	c := Caches{DefaultClass: func() string { return "" }}
	update, status, broken := review(t, ours, ours), review(t, ours, ""), review(t, `[]`, "")
	status.SubResource = "status"
	for name, r := range map[string]*admissionv1.AdmissionRequest{"update": update, "status": status, "unreadable": broken} {
		if a := c.fullDuplex(r); !a.Allowed || len(a.Patch) > 0 {
			t.Errorf("%s: answer %+v, want no change", name, a)
		}
	}
}
