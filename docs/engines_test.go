package docs_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

var update = flag.Bool("update", false, "write the generated parts of the documents anew")

// generated holds a part of a document, between the comments <!-- generated: part -->
// and <!-- end: part -->, against what the program says; with -update it writes it.
func generated(t *testing.T, document, part, want string) {
	t.Helper()
	begin, end := "<!-- generated: "+part+" -->\n", "<!-- end: "+part+" -->"
	text := read(t, document)
	before, rest, found := strings.Cut(text, begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("docs/%s: no text between %q and %q", document, begin, end)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("docs/%s: the part %q is not what the program says; write it by: go test ./docs -update\ngot:\n%s\nwant:\n%s", document, part, got, want)
		return
	}
	if err := os.WriteFile(document, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The table of engines in metrics.md is that of pkg/engines.
func TestEngines(t *testing.T) {
	var table strings.Builder
	table.WriteString("\n| engine | metrics endpoint | running | waiting | KV cache | token rates |\n|---|---|---|---|---|---|\n")
	for _, e := range engines.All() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s | %s |\n", e.Name, page(e), column(e, engines.Running), column(e, engines.Waiting), column(e, engines.KVUsage), column(e, engines.PromptTokens))
	}
	table.WriteString("\n")
	generated(t, "metrics.md", "engines", table.String())
}

func page(e engines.Engine) string {
	port := "the requests' port"
	if e.Port != 0 {
		port = fmt.Sprint(e.Port)
	}
	text := fmt.Sprintf("%s, `%s`", port, e.MetricsPath())
	if e.Doc.Needs != "" {
		text = e.Doc.Needs + ", " + text
	}
	return text
}

func column(e engines.Engine, f engines.Field) string {
	plain := "unknown"
	if e.Has(f) || f == engines.KVUsage && e.Has(engines.KVUsed) {
		plain = "yes"
	}
	return cmp.Or(e.Doc.Remarks[f], plain)
}
