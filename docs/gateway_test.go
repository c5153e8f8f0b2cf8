package docs_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

const gatewayPage = "inference-gateway.md"

// cells are the rows of the tables of a section, without heads and backquotes.
func cells(t *testing.T, document, section string) (rows [][]string) {
	t.Helper()
	_, text, ok := strings.Cut(read(t, document), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("docs/%s: no section %q", document, section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func bare(cell string) string { return strings.Trim(cell, "`") }

// The keys of the ConfigMap that the page has are those of its example, and the defaults
// that the page gives are the program's.
func TestGateway_configMap(t *testing.T) {
	defaults, known := map[string]string{}, map[string]bool{}
	for _, row := range cells(t, gatewayPage, "Annotations") {
		if annotation := len(row) == 5; annotation && row[3] != "yes" {
			continue
		}
		known[bare(row[0])] = true
		if strings.HasPrefix(row[2], "`") {
			defaults[bare(row[0])] = bare(row[2])
		}
	}
	got, err := binding.ParseDefaults(defaults)
	if err != nil {
		t.Fatalf("docs/%s: a documented default: %v", gatewayPage, err)
	}
	want, err := binding.ParseDefaults(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("docs/%s: the defaults are %+v, the program's %+v", gatewayPage, got, want)
	}
	if example := exampleKeys(t); !slices.Equal(slices.Sorted(maps.Keys(known)), example) {
		t.Errorf("docs/%s: keys of the ConfigMap\n%v, config/inference-gateway/302-config-inference-gateway.yaml has\n%v", gatewayPage, slices.Sorted(maps.Keys(known)), example)
	}
	mentions(t, gatewayPage, "annotation", []string{
		inference.ACKGatewayKey + ": " + inference.Enabled, inference.ACKPriorityKey, inference.Domain + "/engine", inference.Domain + "/routed",
	})
}

// exampleKeys are those of the example in config-inference-gateway, also the one
// that stands there as a comment.
func exampleKeys(t *testing.T) []string {
	t.Helper()
	var cm struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(read(t, "../config/inference-gateway/302-config-inference-gateway.yaml")), &cm); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([a-z-]+): "`).FindAllStringSubmatch(cm.Data["_example"], -1) {
		keys[m[1]] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

// Each condition and reason of an InferenceBinding is explained, and each that is
// documented exists.
func TestGateway_conditions(t *testing.T) {
	const section = "Does it work?"
	conditions, reasons := map[string]bool{}, map[string]bool{}
	for _, row := range cells(t, gatewayPage, section) {
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[0], -1) {
			conditions[m[1]], reasons[m[1]] = true, true
		}
	}
	for _, c := range constants(t, "../pkg/apis/inference", "^Condition") {
		if !conditions[c] {
			t.Errorf("docs/%s: the condition %s has no row", gatewayPage, c)
		}
		delete(reasons, c)
	}
	for _, r := range constants(t, "../pkg/apis/inference", "^Reason") {
		if !reasons[r] {
			t.Errorf("docs/%s: the reason %s has no row", gatewayPage, r)
		}
		delete(reasons, r)
	}
	code := ""
	for _, file := range []string{"conditions.go", "apply.go", "reconciler.go", "coming.go"} {
		code += read(t, "../pkg/reconciler/inferencegateway/"+file)
	}
	for r := range reasons {
		if !strings.Contains(code, `"`+r+`"`) {
			t.Errorf("docs/%s: %s is neither a condition nor a reason of the program", gatewayPage, r)
		}
	}
}

// The table of gateways has every provider that the program distinguishes.
func TestGateway_providers(t *testing.T) {
	var rows []string
	for _, row := range cells(t, gatewayPage, "Gateways") {
		rows = append(rows, bare(row[0]))
	}
	source := read(t, "../pkg/reconciler/inferencegateway/manifest/provider.go")
	var want []string
	for _, m := range regexp.MustCompile(`Provider = "([a-z-]+)"`).FindAllStringSubmatch(source, -1) {
		want = append(want, m[1])
	}
	if slices.Sort(rows); len(want) == 0 || !slices.Equal(rows, slices.Sorted(slices.Values(want))) {
		t.Errorf("docs/%s: the table of gateways has %v, the program tells apart %v", gatewayPage, rows, want)
	}
}
