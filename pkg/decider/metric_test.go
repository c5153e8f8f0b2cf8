package decider

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// Each constant of type Metric has one description, and each description is whole: what
// its kind needs to read it, and what its default target needs.
func TestMetrics_whole(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "metric.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var constants, described []Metric
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if id, isID := specType(spec); ok && isID && id == "Metric" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			constants = append(constants, Metric(text))
		}
		return true
	})
	for _, d := range Metrics() {
		described = append(described, d.Metric)
		reads := map[Kind]bool{Demand: d.Load != nil, Level: d.ofPod != nil && d.believe != nil, Backlog: d.ofPod != nil && d.believe != nil, Percentile: d.latency != nil, Planned: true}
		if !reads[d.Kind] || d.Over == 0 || d.TargetMeans == "" || d.Target.Default == 0 || d.Unit == "" && d.Over != None {
			t.Errorf("%s: its description is not whole: %+v", d.Metric, d)
		}
		if r := d.Target; (r.Default == FromConfig) != (r.Value > 0) || r.Min > r.Max || r.Value > 0 && r.Max > 0 && r.Value > r.Max {
			t.Errorf("%s: its target: %+v", d.Metric, r)
		}
	}
	if !slices.Equal(constants, described) {
		t.Errorf("constants %v, described %v", constants, described)
	}
	if _, known := Metric("cpu").Describe(); known {
		t.Error("cpu is none of ours")
	}
}

func specType(spec *ast.ValueSpec) (string, bool) {
	if spec == nil {
		return "", false
	}
	id, ok := spec.Type.(*ast.Ident)
	if !ok {
		return "", false
	}
	return id.Name, true
}

// A metric that is none of the engine's has no value in a pod.
func TestDescription_OfPod(t *testing.T) {
	sample := PreviousSample{true, 1, 2, 100.4, 4, 5, 0}
	for m, want := range map[Metric]Reading{Running: 1, Waiting: 2, KVCache: 100, PromptTokens: 4, GenerationTokens: 5} {
		d, _ := m.Describe()
		if got := d.plausible(sample); got != want {
			t.Errorf("%s = %v, want %v", m, got, want)
		}
	}
	queue, _ := Waiting.Describe()
	for deferred, want := range map[Reading]Reading{1.5: 0.5, 2: 0, 3: 0, -1: 2, 1e300: 2} { // what cannot be is no reason
		if got := queue.plausible(PreviousSample{Kept: true, Waiting: 2, Deferred: deferred}); got != want {
			t.Errorf("2 wait, %v of them for something else: %v, want %v", deferred, got, want)
		}
	}
	for _, waiting := range []Reading{Unknown(), -3} {
		if got := queue.plausible(PreviousSample{Kept: true, Waiting: waiting, Deferred: 5}); got.Known() {
			t.Errorf("%v wait: %v, want unknown", waiting, got)
		}
	}
	for _, m := range []Metric{Concurrency, TTFTP95, SLO, "cpu"} {
		d, _ := m.Describe()
		if got := d.plausible(sample); !math.IsNaN(float64(got)) {
			t.Errorf("%s = %v, want unknown", m, got)
		}
	}
}

// The published names of the parts are distinct, in each of their forms.
func TestParts_names(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Parts() {
		if seen[p.PublishedName()] || seen[p.jsonName()+" in JSON"] || p.Doc == "" {
			t.Errorf("%s: there twice, or without a meaning", p.PublishedName())
		}
		seen[p.PublishedName()], seen[p.jsonName()+" in JSON"] = true, true
	}
	if p := Parts()[4]; p.PublishedName() != "startup_time_seconds" || p.jsonName() != "startupTimeSeconds" {
		t.Errorf("%s, in JSON %s", p.PublishedName(), p.jsonName())
	}
}

// The documents say of Knative's defaults what the constants are.
func TestMetrics_knativeDefaults(t *testing.T) {
	for m, target := range map[Metric]float64{Concurrency: slo.KnativeConcurrency, RPS: KnativeRPS} {
		d, _ := m.Describe()
		if want := fmt.Sprintf("%v, at %v %%", target, 100*slo.KnativeUtilization); !strings.HasSuffix(d.Target.Doc, want) {
			t.Errorf("%s: %q does not end with %q", m, d.Target.Doc, want)
		}
	}
}
