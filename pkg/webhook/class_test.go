package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const bound = `
metadata: {name: qwen, namespace: default, annotations: {knative-inference.dev/ai-gateway: inference}}
`

func TestSetClass(t *testing.T) {
	const (
		ours = `ipa.autoscaling.knative-inference.dev`
		kpa  = `kpa.autoscaling.knative.dev`
	)
	named := func(class string) string {
		return bound + `spec: {template: {metadata: {annotations: {autoscaling.knative.dev/class: ` + class + `}}}}`
	}
	tests := []struct{ name, object, old, want string }{
		{"new, no annotations at all", bound + `spec: {template: {spec: {containers: []}}}`, "",
			bound + `spec: {template: {spec: {containers: []}, metadata: {annotations: {autoscaling.knative.dev/class: ` + ours + `}}}}`},
		{"new, other annotations", bound + `spec: {template: {metadata: {annotations: {a/b: c}}}}`, "",
			bound + `spec: {template: {metadata: {annotations: {a/b: c, autoscaling.knative.dev/class: ` + ours + `}}}}`},
		{"new, null annotations", bound + `spec: {template: {metadata: {annotations: null}}}`, "", named(ours)},
		{"ACK's key", strings.ReplaceAll(bound, "knative-inference.dev", "knative.aliyun.com") + `spec: {template: {}}`, "",
			strings.ReplaceAll(bound, "knative-inference.dev", "knative.aliyun.com") + `spec: {template: {metadata: {annotations: {autoscaling.knative.dev/class: ` + ours + `}}}}`},
		{"new, another class is named", named(kpa), "", named(kpa)},
		{"not asked for", `{metadata: {name: qwen}, spec: {template: {}}}`, "", `{metadata: {name: qwen}, spec: {template: {}}}`},
		{"disabled", strings.Replace(bound, "inference}", "disabled}", 1) + `spec: {template: {}}`, "",
			strings.Replace(bound, "inference}", "disabled}", 1) + `spec: {template: {}}`},
		{"update carries ours over", bound + `spec: {template: {}}`, named(ours), named(ours)},
		{"update does not name it anew", bound + `spec: {template: {}}`, bound + `spec: {template: {}}`, bound + `spec: {template: {}}`},
		{"update leaves another", bound + `spec: {template: {}}`, named(kpa), bound + `spec: {template: {}}`},
		{"fields of a newer Knative stay", bound + `spec: {novel: {a: [1.5, null]}, template: {spec: {fresh: 12345678901234567890}}}`, "",
			bound + `spec: {novel: {a: [1.5, null]}, template: {metadata: {annotations: {autoscaling.knative.dev/class: ` + ours + `}}, spec: {fresh: 12345678901234567890}}}`},
		{"in deletion", strings.Replace(bound, "name:", `deletionTimestamp: "2026-01-01T00:00:00Z", name:`, 1) + `spec: {template: {}}`, named(ours),
			strings.Replace(bound, "name:", `deletionTimestamp: "2026-01-01T00:00:00Z", name:`, 1) + `spec: {template: {}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := review(t, tt.object, tt.old)
			if diff := cmp.Diff(object(t, tt.want), patched(t, r, setClass(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetClass_unreadable(t *testing.T) {
	r := review(t, `[]`, "")
	if a := setClass(r); a.Allowed || !strings.Contains(a.Result.Message, "Knative Service") {
		t.Errorf("answer %+v, want a refusal that says what was not readable", a)
	}
}

// A patch names what is new and nothing else.
func TestPatch(t *testing.T) {
	p := patch{object: object(t, `{metadata: {labels: {a: b}}}`)}
	p.set("b", "metadata", "labels", "a") // is there already
	p.set("d", "metadata", "labels", "x.y/c~d")
	p.set("1", "metadata", "annotations", "one")
	p.set("2", "metadata", "annotations", "two")
	want := []operation{
		{"add", "/metadata/labels/x.y~1c~0d", "d"},
		{"add", "/metadata/annotations", map[string]any{"one": "1"}},
		{"add", "/metadata/annotations/two", "2"},
	}
	if diff := cmp.Diff(want, p.operations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
