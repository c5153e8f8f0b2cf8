package main

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestCheckSources(t *testing.T) {
	f := func(name, src, want string) {
		t.Helper()
		tree := fstest.MapFS{"pkg/doc.go": {Data: []byte("package pkg\n")}, "cmd/doc.go": {Data: []byte("package cmd\n")}, name: {Data: []byte(src)}}
		got, err := checkSources(tree)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(got, "\n"); want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: got %q, want %q", name, text, want)
		}
	}
	f("pkg/decider/a.go", "package decider\nimport \"time\"\nfunc f() time.Time { return time.Now() }\n", "pkg/decider/a.go:3: no clock")
	f("pkg/decider/a.go", "package decider\nimport \"time\"\nfunc f(t time.Time) time.Time { return t } // time.Now\n", "")
	f("pkg/window/a.go", "package window\nfunc f() { panic(1) }\n", "pkg/window/a.go:2: no panic")
	f("pkg/slo/a_test.go", "package slo\nfunc f() { go f() }\n", "pkg/slo/a_test.go:2: no goroutine")
	f("pkg/simulator/fit/a_test.go", "package fit\nfunc f() { all.Go(f) }\n", "pkg/simulator/fit/a_test.go:2: no goroutine")
	f("pkg/simulator/command/a.go", "package command\nfunc f() { go f() }\n", "")
	f("pkg/window/a.go", "package window\nvar n = 1\n", "pkg/window/a.go:2: no package variable")
	f("pkg/window/a.go", "package window\nvar _ error = nil\n", "")
	f("pkg/collector/a.go", "package collector\nimport \"time\"\nfunc f() time.Time { return time.Now() }\n", "")
	f("pkg/collector/a.go", "package collector\nfunc init() {}\n", "pkg/collector/a.go:2: no init()")
	f("pkg/collector/a_test.go", "package collector\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "a_test.go:3: time.Sleep in a test")
	f("pkg/collector/a_test.go", "package collector\nimport (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Wait(); time.Sleep(1) }\n", "")
	f("cmd/x/main.go", "package main\n"+strings.Repeat("\n", 60), "61 lines, at most 60")
}

func TestCheckFiles(t *testing.T) {
	f := func(a, b, want string) {
		t.Helper()
		tree := fstest.MapFS{"pkg/slo/a.go": {Data: []byte("package slo\n" + a)}, "pkg/slo/b.go": {Data: []byte("package slo\n" + b)},
			"pkg/slo/b_test.go": {Data: []byte("package slo\nvar fake = one{}\n")}}
		got, err := checkFiles(tree)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(got, "\n"); want == "" && text != "" || !strings.HasPrefix(text, want) {
			t.Errorf("%s and %s: got %q, want %q", a, b, text, want)
		}
	}
	f("type one struct{}", "func (one) f() {}\nfunc g(o one) { o.f() }", "")
	f("type one struct{ t two }", "type two struct{}\nfunc (one) f() {}", "pkg/slo: a.go uses two of b.go, b.go uses one of a.go: a circle")
	f("import \"time\"\ntype one struct{ time.Time }\nfunc g(o one) { o.f() }", "func (one) f() {}", "pkg/slo: a.go uses f of b.go")
	f("type one struct{ x int }", "type two struct{ x int }\nfunc (t two) x1() int { return t.x }", "")
}

func TestCheckImports(t *testing.T) {
	f := func(p goPackage, want string) {
		t.Helper()
		p.ImportPath = module + p.ImportPath
		if got := strings.Join(checkImports([]goPackage{p}), "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", p.ImportPath, got, want)
		}
	}
	f(goPackage{ImportPath: "pkg/decider", Imports: []string{"math", module + "pkg/window"}, Deps: []string{"math", "unsafe", module + "pkg/window"}}, "")
	f(goPackage{ImportPath: "pkg/decider", Imports: []string{"github.com/x/y"}, Deps: []string{"github.com/x/y"}}, "reaches github.com/x/y")
	f(goPackage{ImportPath: "pkg/decider", Imports: []string{module + "pkg/collector"}, Deps: []string{module + "pkg/collector"}}, "imports pkg/collector")
	f(goPackage{ImportPath: "pkg/collector", Imports: []string{"k8s.io/api/core/v1"}}, "imports k8s.io/api/core/v1, never")
	f(goPackage{ImportPath: "pkg/config", Imports: []string{"k8s.io/api/core/v1"}}, "")
	f(goPackage{ImportPath: "pkg/config", Imports: []string{module + "pkg/server"}}, "imports pkg/server")
	f(goPackage{ImportPath: "pkg/new"}, "pkg/new: not in the architecture")
}

// Only the program that runs in the cluster imports the composition root, and
// nothing that it reaches imports the rivals' policies, the report or the playground.
func TestArchitecture_twoPrograms(t *testing.T) {
	for _, r := range architecture() {
		if slices.Contains(r.repo, "pkg/server") != (r.pkg == "cmd/autoscaler-adapter") {
			t.Errorf("%s: imports of pkg/server: only cmd/autoscaler-adapter may", r.pkg)
		}
	}
	reached := []string{"cmd/autoscaler-adapter"}
	for i := 0; i < len(reached); i++ {
		for _, r := range architecture() {
			if r.pkg == reached[i] {
				reached = append(reached, slices.DeleteFunc(slices.Clone(r.repo), func(p string) bool { return slices.Contains(reached, p) })...)
			}
		}
	}
	for _, p := range []string{"pkg/playground", "pkg/simulator/command", "pkg/simulator/policy", "pkg/simulator/report", "pkg/simulator/engine"} {
		if slices.Contains(reached, p) {
			t.Errorf("the image of the cluster may have %s in it", p)
		}
	}
}

// An allowance that nobody uses is a finding; a pure package may use one through another.
func TestCheckUnused(t *testing.T) {
	var packages []goPackage
	for _, r := range architecture() {
		p := goPackage{ImportPath: module + r.pkg}
		for _, allowed := range r.repo {
			p.Imports, p.Deps = append(p.Imports, module+allowed), append(p.Deps, module+allowed)
		}
		if r.pure {
			p.Imports = nil
		}
		packages = append(packages, p)
	}
	if got := checkUnused(packages); len(got) > 0 {
		t.Errorf("all are used: %v", got)
	}
	for i := range packages {
		packages[i].Deps = nil
		if packages[i].ImportPath == module+"pkg/config" {
			packages[i].Imports = nil
		}
	}
	got := strings.Join(checkUnused(packages[1:]), "\n")
	for _, want := range []string{"pkg/config: may import pkg/annotations and does not", "pkg/decider: may import pkg/slo and does not", architecture()[0].pkg + ": there is no such package"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
