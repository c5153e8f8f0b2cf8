package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// patchOf is what the filter of a plan does with the requests of a rule, as JSON; empty without.
func patchOf(t *testing.T, p Plan, rule string) string {
	t.Helper()
	for _, o := range p.Objects {
		spec, _ := o.Object["spec"].(fields)
		patches, _ := spec["configPatches"].(list)
		for _, patch := range patches {
			text, err := json.Marshal(patch)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), `"name":"`+rule+`"`) {
				return string(text)
			}
		}
	}
	return ""
}

// While a Service changes from one pool to a pool for each revision, requests of the live rule, which names no
// revision, get no objective: none is of all pools, and a client's must not count either.
func TestFilter_liveRuleOfOnePool(t *testing.T) {
	const rule = "default.qwen.main.inference.p100"
	w := usual()
	w.Main.Splits = []Split{{"qwen-00001", 50}, {"qwen-00002", 50}}
	w.LiveRules = []string{rule}
	for mode, want := range map[string]bool{"revision": false, "service": true} {
		patch := patchOf(t, Build(asking(t, "qwen", "priority", "5", "pool-mode", mode), w), rule)
		for _, h := range objectiveHeaders {
			set := strings.Contains(patch, `"key":"`+h+`","value":"qwen"`)
			if removed := strings.Contains(patch, `"remove":"`+h+`"`); set != want || removed == want {
				t.Errorf("pool-mode %s: %s is set: %v, removed: %v; the patch is %s", mode, h, set, removed, patch)
			}
		}
	}
}

// What the cluster cannot do is said: without EnvoyFilter clients choose their priority.
func TestFilter_withoutItsKind(t *testing.T) {
	w := usual()
	w.Served.EnvoyFilter = false
	p := Build(asking(t, "qwen", "priority", "5"), w)
	if !found(p, inference.ReasonIstioCRDMissing) || slices.ContainsFunc(p.Objects, func(o Object) bool { return o.GetKind() == "EnvoyFilter" }) {
		t.Errorf("findings %v", p.Findings)
	}
}
