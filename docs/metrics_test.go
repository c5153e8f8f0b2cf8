package docs_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// documented is a row of the table of own metrics.
type documented struct {
	kind   string
	labels []string
}

func documentedMetrics(t *testing.T) map[string]documented {
	t.Helper()
	rows := map[string]documented{}
	row := regexp.MustCompile("(?m)^\\| `(ipa_[a-z_]+)` \\| (\\w+) \\| ([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "metrics.md"), -1) {
		var labels []string
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		rows[m[1]] = documented{m[2], labels}
	}
	return rows
}

// Every metric in the code is in the table with its kind, and the other way round.
func TestMetrics_everyOwnMetric(t *testing.T) {
	rows := documentedMetrics(t)
	inCode := map[string]string{}
	for _, f := range sources(t, "../pkg") {
		ast.Inspect(f, func(n ast.Node) bool {
			if name, kind, ok := metricIn(t, n); ok {
				inCode[name] = kind
			}
			return true
		})
	}
	if len(inCode) == 0 {
		t.Fatal("no metrics found in pkg: are they still made from prometheus.*Opts?")
	}
	for name, kind := range inCode {
		switch row, ok := rows[name]; {
		case !ok:
			t.Errorf("docs/metrics.md: %s (%s) is not documented; add a row", name, kind)
		case row.kind != kind:
			t.Errorf("docs/metrics.md: %s is a %s, documented as %s", name, kind, row.kind)
		}
	}
	for name := range rows {
		if inCode[name] == "" {
			t.Errorf("docs/metrics.md: %s is documented and not there; remove the row", name)
		}
	}
}

// metricIn reads a prometheus.XOpts{Name: "..."} literal.
func metricIn(t *testing.T, n ast.Node) (name, kind string, ok bool) {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return "", "", false
	}
	sel, ok := lit.Type.(*ast.SelectorExpr)
	if !ok {
		return "", "", false
	}
	kind, ok = strings.CutSuffix(sel.Sel.Name, "Opts")
	if pkg, isIdent := sel.X.(*ast.Ident); !ok || !isIdent || pkg.Name != "prometheus" {
		return "", "", false
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if key, isIdent := kv.Key.(*ast.Ident); !ok || !isIdent || key.Name != "Name" {
			continue
		}
		value, ok := kv.Value.(*ast.BasicLit)
		if !ok {
			t.Errorf("a metric's name is not one literal: write it whole, so that it can be found")
			return "", "", false
		}
		return unquote(t, value), strings.ToLower(kind), true
	}
	return "", "", false
}

// The labels in the table are those of the metrics themselves.
func TestMetrics_labels(t *testing.T) {
	rows := documentedMetrics(t)
	reg := prometheus.NewRegistry()
	multiscaler.NewMetrics(reg)
	collector.New(collector.Options{Registerer: reg})
	descs := make(chan *prometheus.Desc, 100)
	reg.Describe(descs)
	close(descs)
	seen := 0
	for d := range descs {
		m := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("client_golang describes metrics differently now: %s", d)
		}
		seen++
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		if !slices.Equal(labels, rows[m[1]].labels) {
			t.Errorf("docs/metrics.md: %s has the labels %v, documented as %v", m[1], labels, rows[m[1]].labels)
		}
	}
	if seen < 5 {
		t.Errorf("only %d metrics described", seen)
	}
}

// Every cause that a scrape can fail with is in the row of ipa_collector_scrapes_total.
func TestMetrics_causes(t *testing.T) {
	code := ""
	for _, file := range []string{"fetch.go", "enginepage.go", "queueproxy.go"} {
		code += read(t, "../pkg/collector/"+file)
	}
	causes := regexp.MustCompile(`(?:failed\(|failure\{|cause\w* += |return )"([a-z_]+)"`).FindAllStringSubmatch(code, -1)
	if len(causes) < 5 {
		t.Fatalf("only %d causes found: were they moved?", len(causes))
	}
	for _, c := range causes {
		mentions(t, "metrics.md", "scrape result", c[1:])
	}
}
