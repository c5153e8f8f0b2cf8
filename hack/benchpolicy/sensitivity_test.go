package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each number is found with its value, and a variant changes that number alone.
func TestTunables(t *testing.T) {
	const source = `package slo

import "time"

// Plausible readings, not tuned.
const believed = 1e15

const (
	wait        = 2 * time.Minute
	many, share = 6, 0.7 // of something
	// fade is per bin.
	fade = 0.99
	next = many - 1
	// tiny keeps a division defined. Not tuned.
	tiny = 1e-9
	name = "x"
	pause = time.Minute
)
`
	all, err := tunables("tuning.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ name, half, twice string }{
		{"wait", "time.Duration(60000000000)", "time.Duration(240000000000)"}, {"many", "3", "12"}, {"share", "0.85", "0.4"},
		{"fade", "0.995", "0.98"}, {"pause", "time.Duration(30000000000)", "time.Duration(120000000000)"},
	}
	if len(all) != len(want) {
		t.Fatalf("%+v", all)
	}
	for i, w := range want {
		if got := all[i]; got.name != w.name || got.scaled(.5) != w.half || got.scaled(2) != w.twice {
			t.Errorf("%+v: half is %s, twice %s; want %+v", got, got.scaled(.5), got.scaled(2), w)
		}
	}
	if got := string(variant{tunable: all[2], value: "0.85"}.in([]byte(source))); !strings.Contains(got, "many, share = 6, 0.85 // of") || len(got) != len(source)+1 {
		t.Errorf("the variant is\n%s", got)
	}
	for _, bad := range []string{"package slo\nconst a = b", "package slo\nimport \"os\"", "x"} {
		if _, err := tunables("tuning.go", []byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// A duration stays one: policies call its methods, or divide by it.
func TestTunables_durationsBuild(t *testing.T) {
	const source = "package slo\n\nimport \"time\"\n\nconst wait = time.Minute\n\nvar seconds = wait.Seconds()\n"
	all, err := tunables("tuning.go", []byte("package slo\n\nimport \"time\"\n\nconst wait = time.Minute\n"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, k := range []float64{0.5, 2} {
		changed := variant{tunable: all[0], value: all[0].scaled(k)}.in([]byte(source))
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, "tuning.go", changed, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&types.Config{Importer: importer.ForCompiler(fset, "source", nil)}).Check("slo", fset, []*ast.File{parsed}, nil); err != nil {
			t.Errorf("at %v times its value: %v", k, err)
		}
	}
}

// Every number has a comment with its origin, and that of a number that was measured says with which effect.
// The document has the tables of the last run.
func TestSensitivity_commentsAndDocumentSayWhatWasMeasured(t *testing.T) {
	root := filepath.Join("..", "..")
	s, err := readSummary(root)
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]number{}
	for _, n := range s.Numbers {
		measured[n.File+" "+n.Name] = n
	}
	count := 0
	for _, file := range tuningFiles() {
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		all, err := tunables(file, source)
		if err != nil {
			t.Fatal(err)
		}
		count += len(all)
		for _, c := range all {
			n, has := measured[file+" "+c.name]
			switch {
			case c.doc == "":
				t.Errorf("%s: %s has no comment", file, c.name)
			case !strings.Contains(strings.ToLower(c.doc), "origin: "):
				t.Errorf("%s: the comment of %s does not say where the value comes from (\"Origin: not measured.\" is an answer)", file, c.name)
			case has && n.Value != c.text:
				t.Errorf("%s: %s = %s was measured as %s: run make bench-policy ARGS=-sensitivity", file, c.name, c.text, n.Value)
			case has && !strings.Contains(strings.ToLower(c.doc), n.class()):
				t.Errorf("%s: the comment of %s does not say %q: %q", file, c.name, n.class(), c.doc)
			}
		}
	}
	if count < 100 {
		t.Errorf("%d numbers", count)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs/slo-policy.md"))
	if err != nil || !strings.Contains(string(doc), s.table()) {
		t.Errorf("docs/slo-policy.md has not the table of %s (%v); go run ./hack/benchpolicy -sensitivity -render writes it", summaryFile, err)
	}
}

// What -only leaves out stays as it was measured, and is marked where the policy has other figures by now.
func TestSummary_keepsWhatWasNotRun(t *testing.T) {
	base := map[string]figure{"a": {.99, 10}}
	number3 := func(name string) variant {
		return variant{tunable: tunable{name: name, text: "3", value: 3, whole: true}, file: "tuning.go"}
	}
	run, left, changed := number3("run"), number3("left"), number3("changed")
	s := &sensitivity{numbers: []variant{left, run, changed}, runs: map[string]variantRun{
		variant{}.key():      {Cells: base},
		run.times(0.5).key(): {Cells: base}, run.times(2).key(): {Cells: base},
	}}
	last := summary{AsItIs: base, Numbers: []number{
		{File: "tuning.go", Name: "gone", Value: "3"}, {File: "tuning.go", Name: "changed", Value: "4"},
		{File: "tuning.go", Name: "run", Value: "3", Half: effect{Wrong: "of before"}},
		{File: "tuning.go", Name: "left", Value: "3", Half: effect{Wrong: "of before"}},
	}}
	got := s.summary(last).Numbers
	if len(got) != 2 || got[0] != last.Numbers[3] || got[1].Name != "run" || got[1].Half.Wrong != "" {
		t.Errorf("%+v; want left as it was, and run anew", got)
	}
	last.AsItIs = map[string]figure{"a": {.98, 10}}
	got = s.summary(last).Numbers
	if len(got) != 2 || !got[0].Earlier || got[1].Earlier || !strings.HasSuffix(got[0].effect(), ", earlier") {
		t.Errorf("%+v; want left alone marked", got)
	}
}

// An effect is the mean over the cells, and the cell that changed most.
func TestEffect(t *testing.T) {
	base := variantRun{Cells: map[string]figure{"a": {.99, 10}, "b": {.5, 4}}}
	for _, c := range []struct {
		a, b        figure
		text, class string
	}{
		{figure{.99, 10}, figure{.5, 4}, "6: the same", noEffect},
		{figure{.991, 10}, figure{.5, 4}, "6: +0.05 pt, +0.0 %; a +0.1 pt, +0.0 %", smallEffect},
		{figure{.99, 10}, figure{.5, 3.9}, "6: +0.00 pt, -1.3 %; b +0.0 pt, -2.5 %", smallEffect},
		{figure{.985, 10}, figure{.5, 4}, "6: -0.25 pt, +0.0 %; a -0.5 pt, +0.0 %", matters},
		{figure{.99, 10}, figure{.5, 8}, "6: +0.00 pt, +41.4 %; b +0.0 pt, +100.0 %", matters},
	} {
		e := variantRun{Cells: map[string]figure{"a": c.a, "b": c.b}}.against(base, "6")
		if e.text() != c.text || e.class() != c.class {
			t.Errorf("%+v, %+v: %q, %s; want %q, %s", c.a, c.b, e.text(), e.class(), c.text, c.class)
		}
	}
	broken := variantRun{Wrong: "does not build: x"}.against(base, "time.Duration(30000000000)")
	if broken.text() != "30s: does not build" || broken.class() != noEffect {
		t.Errorf("%q, %s", broken.text(), broken.class())
	}
}
