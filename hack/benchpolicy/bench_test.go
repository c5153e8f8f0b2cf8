package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One short load and one seed of the benchmark, from the simulation to the table.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/ipa")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath") // as everywhere else, so that it is compiled once
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	doc := filepath.Join(dir, "doc.md")
	if err := os.WriteFile(doc, []byte("before\n"+"<!-- begin: make bench-policy -->"+"\nbefore last\n"+"<!-- end: make bench-policy -->"+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{binary: binary, out: filepath.Join(dir, "runs"), root: "../..", quick: true, doc: doc}
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	o.render = true // the second time all is there
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "\nafter\n", "`ipa`", "`kpa`", "oracle's bound", "burst"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the document does not have %q:\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "before last") {
		t.Error("what was between the markers is still there")
	}
}
