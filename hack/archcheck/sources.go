package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxMain is the most lines that cmd/*/main.go may have: it is flags and signals.
const maxMain = 60

// pure packages get their time as an argument and never panic: the simulator
// and the cluster run the same code.
func isPure(file string) bool {
	dir := path.Dir(file)
	return slices.Contains([]string{"pkg/decider", "pkg/slo", "pkg/window", "pkg/drain"}, dir)
}

// isSequential packages have no goroutine, tests included: hack/test.sh runs them without
// the race detector.
func isSequential(file string) bool {
	dir := path.Dir(file)
	return isPure(file) || slices.Contains([]string{"pkg/simulator", "pkg/simulator/engine", "pkg/simulator/trace",
		"pkg/simulator/oracle", "pkg/simulator/fit"}, dir)
}

// clock lists the functions of package time that read or follow the clock.
func clock() []string {
	return []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}
}

func checkSources(tree fs.FS) (findings []string, err error) {
	for _, root := range []string{"pkg", "cmd"} {
		err := fs.WalkDir(tree, root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Ext(name) != ".go" {
				return err
			}
			found, err := checkFile(tree, name)
			findings = append(findings, found...)
			return err
		})
		if err != nil {
			return findings, fmt.Errorf("reading %s: %w", root, err)
		}
	}
	return findings, nil
}

// file is one parsed source file with its findings.
type file struct {
	name     string
	set      *token.FileSet
	tree     *ast.File
	findings []string
}

func checkFile(tree fs.FS, name string) ([]string, error) {
	src, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	f := file{name: name, set: token.NewFileSet()}
	if f.tree, err = parser.ParseFile(f.set, name, src, 0); err != nil {
		return nil, err
	}
	f.mainLength(src)
	if isSequential(name) {
		f.goroutines()
	}
	if strings.HasSuffix(name, "_test.go") {
		f.sleeps()
		return f.findings, nil
	}
	f.inits()
	if isPure(name) {
		f.globals()
		f.clockAndPanic()
	}
	return f.findings, nil
}

func (f *file) found(pos token.Pos, rule string) {
	f.findings = append(f.findings, fmt.Sprintf("%s:%d: %s", f.name, f.set.Position(pos).Line, rule))
}

func (f *file) mainLength(src []byte) {
	lines := strings.Count(string(src), "\n")
	if path.Base(f.name) == "main.go" && strings.HasPrefix(f.name, "cmd/") && lines > maxMain {
		f.found(f.tree.Package, fmt.Sprintf("%d lines, at most %d: wiring belongs to pkg/server", lines, maxMain))
	}
}

func (f *file) inits() {
	for _, d := range f.tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			f.found(fn.Pos(), "no init(): construct it in pkg/server and pass it in")
		}
	}
}

func (f *file) globals() {
	for _, d := range f.tree.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				if name.Name != "_" {
					f.found(name.Pos(), "no package variable in the pure core ("+name.Name+"): make it a constant, a function or an argument")
				}
			}
		}
	}
}

// goroutines are started by the statement go, or by a method Go of a group.
func (f *file) goroutines() {
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			f.found(n.Pos(), "no goroutine in a sequential package")
		case *ast.CallExpr:
			if method, ok := n.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "Go" {
				f.found(n.Pos(), "no goroutine in a sequential package")
			}
		}
		return true
	})
}

func (f *file) clockAndPanic() {
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if p, ok := n.X.(*ast.Ident); ok && p.Name == "time" && slices.Contains(clock(), n.Sel.Name) {
				f.found(n.Pos(), "no clock in the pure core (time."+n.Sel.Name+"): time is an argument")
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "panic" {
				f.found(n.Pos(), "no panic in the pure core: return an error that names the field")
			}
		}
		return true
	})
}

// sleeps finds real waiting in tests: a file that sleeps must do so in a bubble
// of testing/synctest, where time is fake.
func (f *file) sleeps() {
	for _, i := range f.tree.Imports {
		if i.Path.Value == `"testing/synctest"` {
			return
		}
	}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
			if p, ok := s.X.(*ast.Ident); ok && p.Name == "time" {
				f.found(n.Pos(), "time.Sleep in a test: use testing/synctest, or wait for the event itself")
			}
		}
		return true
	})
}
