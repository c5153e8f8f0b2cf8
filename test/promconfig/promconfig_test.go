package promconfig

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The shipped PodMonitors are what the translation understands whole.
func TestMonitors_shipped(t *testing.T) {
	jobs, err := Monitors([]byte(read(t, "config/prometheus/podmonitors.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range jobs {
		names = append(names, j["job_name"].(string))
	}
	want := "podMonitor/knative-inference/autoscaler-adapter/0 podMonitor/knative-inference/autoscaler-adapter-pickers/0 podMonitor/knative-inference/autoscaler-adapter-engines/0"
	if strings.Join(names, " ") != want {
		t.Errorf("jobs %v, want %s", names, want)
	}
	if jobs[0]["honor_labels"] != true {
		t.Error("without honor_labels the namespace of our series becomes exported_namespace")
	}
}

func TestMonitors_translation(t *testing.T) {
	const monitor = `kind: PodMonitor
metadata: {name: m, namespace: ns}
spec:
  selector:
    matchLabels: {a.b/c: "x.y"}
    matchExpressions: [{key: d, operator: Exists}, {key: e, operator: DoesNotExist}]
  podMetricsEndpoints: [{port: web, relabelings: [{sourceLabels: [s], targetLabel: l}]}]
`
	jobs, err := Monitors([]byte(monitor))
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	got := fmt.Sprint(jobs[0])
	for _, want := range []string{
		"names:[ns]", // its own namespace only
		`regex:(x\.y);true source_labels:[__meta_kubernetes_pod_label_a_b_c __meta_kubernetes_pod_labelpresent_a_b_c]`,
		"action:keep regex:(.*);true source_labels:[__meta_kubernetes_pod_label_d ",
		"action:drop regex:(.*);true source_labels:[__meta_kubernetes_pod_label_e ",
		"regex:web source_labels:[__meta_kubernetes_pod_container_port_name]",
		"source_labels:[s] target_label:l",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nhas no %s", got, want)
		}
	}
	for what, text := range map[string]string{
		"an unknown field":           strings.Replace(monitor, "port: web", "port: web, bearerTokenFile: x", 1),
		"an untranslated operator":   strings.Replace(monitor, "operator: Exists", "operator: In, values: [v]", 1),
		"a PodMonitor of no port":    strings.Replace(monitor, "  podMetricsEndpoints: [{port: web, relabelings: [{sourceLabels: [s], targetLabel: l}]}]\n", "", 1),
		"an object of another kind":  strings.Replace(monitor, "PodMonitor", "ServiceMonitor", 1),
		"a misspelled discriminator": strings.Replace(monitor, "matchLabels", "matchLabel", 1),
	} {
		if _, err := Monitors([]byte(text)); err == nil {
			t.Errorf("%s is no error", what)
		}
	}
}

func TestRules(t *testing.T) {
	text, err := Rules([]byte(read(t, "config/prometheus/rules.yaml")))
	if err != nil || !strings.HasPrefix(string(text), "groups:") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := Rules([]byte("kind: PrometheusRule\nspec: {}\n")); err == nil {
		t.Error("no groups are no error")
	}
}

func TestInFile(t *testing.T) {
	const fence = "```"
	for _, tt := range []struct{ what, name, text, want string }{
		{"a block of promql", "a.md", fence + "promql\n# One\nup\n\n# Two,\n# longer\nsum(\n  up)\n" + fence, "One: up; Two, longer: sum( up)"},
		{"a query in YAML of a document", "a.md", fence + "yaml\ntriggers:\n- metadata: {query: up}\n" + fence, ": up"},
		{"another block", "a.md", fence + "\nquery: up\n" + fence, ""},
		{"prose outside", "a.md", "Ask `max(ipa_slo)` for it", "error"},
		{"prose without a query", "a.md", "the max of both; ipa_slo (a part)", ""},
		{"rules", "a.yaml", "groups: [{rules: [{alert: A, expr: up == 0}]}]", "A: up == 0 (alert)"},
		{"two objects", "a.yaml", "query: a\n---\nquery: b\n", ": a; : b"},
		{"a dashboard", "a.json", `{"panels": [{"targets": [{"expr": "up"}]}]}`, ": up"},
		{"a file of another kind", "a.go", "query: up", ""},
		{"broken JSON", "a.json", "{", "error"},
		{"broken YAML", "a.yaml", "{", "error"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			all, err := inFile(tt.name, tt.text)
			var got []string
			for _, e := range all {
				line := e.Name + ": " + e.Text
				if e.Alert {
					line += " (alert)"
				}
				got = append(got, line)
			}
			if (err != nil) != (tt.want == "error") || err == nil && strings.Join(got, "; ") != tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// shipped are the expressions of the tree; it fails where documents or alerts have none.
func shipped(t *testing.T) []Expression {
	t.Helper()
	all, err := Expressions(root)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(all), func(e Expression) bool { return e.Alert })); n < 10 || len(all) == n {
		t.Fatalf("%d expressions, %d of them no alerts: does this test see them all?", len(all), n)
	}
	return all
}

// Each of our metrics in an expression is in the table of docs/metrics.md, and each part of
// ipa_slo is one that is published. That they have data is shown by make e2e-prometheus.
func TestExpressions_nameWhatThereIs(t *testing.T) {
	table := read(t, "docs/metrics.md")
	parts := map[string]bool{}
	for _, p := range decider.Parts() {
		if !p.LogOnly {
			parts[p.PublishedName()] = true
		}
	}
	for _, e := range shipped(t) {
		for _, name := range regexp.MustCompile(`\bipa_[a-z_]+`).FindAllString(e.Text, -1) {
			if !strings.Contains(table, "| `"+strings.TrimSuffix(name, "_bucket")+"` |") {
				t.Errorf("%v: docs/metrics.md has no %s", e, name)
			}
		}
		for _, m := range regexp.MustCompile(`part="([^"]*)"`).FindAllStringSubmatch(e.Text, -1) {
			if !parts[m[1]] {
				t.Errorf("%v: there is no part %s of %v", e, m[1], slices.Sorted(maps.Keys(parts)))
			}
		}
	}
}

// The document has a row for each alert that is shipped.
func TestExpressions_documentNamesEveryAlert(t *testing.T) {
	text := read(t, "docs/prometheus.md")
	for _, e := range shipped(t) {
		if e.Alert && !strings.Contains(text, "| `"+e.Name+"` |") {
			t.Errorf("docs/prometheus.md has no row for the alert %s", e.Name)
		}
	}
}

func TestScrapeConfigs(t *testing.T) {
	jobs, err := ScrapeConfigs(read(t, "docs/prometheus.md"))
	if err != nil || len(jobs) != 3 {
		t.Errorf("%d jobs, %v, want those of the program, the pickers and the engines", len(jobs), err)
	}
}

func TestYAML(t *testing.T) {
	document := "a\n```yaml\nin: models\n```\n```yaml\nelsewhere: 1\n```\n```promql\nmodels\n```\n```yaml\nb: models\n```\n"
	if got, want := YAML(document, "models"), "---\nin: models\n---\nb: models\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
