package manifest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// patchesOf are the patches of a plan's filters, as JSON.
func patchesOf(t *testing.T, p Plan) (patches []string) {
	t.Helper()
	for _, o := range p.Objects {
		spec, _ := o.Object["spec"].(fields)
		all, _ := spec["configPatches"].(list)
		for _, patch := range all {
			text, err := json.Marshal(patch)
			if err != nil {
				t.Fatal(err)
			}
			patches = append(patches, string(text))
		}
	}
	return patches
}

// patchOf is what the filter of a plan does with the requests of a rule, as JSON; empty without.
func patchOf(t *testing.T, p Plan, rule string) string {
	t.Helper()
	for _, patch := range patchesOf(t, p) {
		if strings.Contains(patch, `"name":"`+rule+`"`) {
			return patch
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

// A model that nobody serves on the host gets a 404 of ours, unless another Service takes all
// other models of the host or a header selects requests besides the model.
func TestFilter_unknownModel(t *testing.T) {
	host := usual().Main.Hosts
	neighbour := func(hosts []string, pairs ...string) []Neighbour {
		return []Neighbour{{Intent: asking(t, "llama", pairs...), UID: "uid-llama", Created: epoch, Hosts: hosts, Revision: Revision{Port: 8080}}}
	}
	for _, tt := range []struct {
		name       string
		own        []string
		neighbours []Neighbour
		want       bool
	}{
		{"alone", []string{"model", "qwen"}, nil, true},
		{"without a model", nil, nil, false},
		{"by a header as well", []string{"model", "qwen", "match-headers", "x-tenant=a"}, nil, false},
		{"beside another model", []string{"model", "qwen"}, neighbour(host, "model", "llama"), true},
		{"beside one that takes all others", []string{"model", "qwen"}, neighbour(host), false},
		{"which has another host", []string{"model", "qwen"}, neighbour([]string{"llama.default.example.com"}), true},
		{"or is on another Gateway", []string{"model", "qwen"}, neighbour(host, "gateway", "knative-serving/another"), true},
	} {
		w := usual()
		w.Neighbours = tt.neighbours
		text, err := json.Marshal(Build(asking(t, "qwen", tt.own...), w).Objects)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), "."+unknownModel+"."); got != tt.want {
			t.Errorf("%s: a rule for unknown models: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Of live rules only those of this Service and of our form are patched, each once.
func TestFilter_liveRules(t *testing.T) {
	w := usual()
	w.LiveRules = []string{"default.qwen.main.inference.p100", "default.qwen.odd", "default.qwen.main.inference.p0", "default.other.main.inference.p100"}
	count := map[string]int{}
	for _, patch := range patchesOf(t, Build(asking(t, "qwen", "priority", "5"), w)) {
		for _, rule := range w.LiveRules {
			if strings.Contains(patch, `"name":"`+rule+`"`) {
				count[rule]++
				if strings.Contains(patch, "runtime_fraction") {
					t.Errorf("%s has a fraction: %s", rule, patch)
				}
			}
		}
	}
	if want := map[string]int{w.LiveRules[0]: 1, w.LiveRules[2]: 1}; !maps.Equal(count, want) {
		t.Errorf("patches %v, want %v", count, want)
	}
}
