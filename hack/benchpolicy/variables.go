package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tunedFunc is added to a package whose numbers are variables: it takes them from the environment.
const tunedFunc = `package %s

import (
	"fmt"
	"os"
	"strings"
)

func tuned[T ~int | ~int64 | ~float64](name string, value T) T {
	if n, v, _ := strings.Cut(os.Getenv("TUNED"), "="); n == name && v != "" {
		if _, err := fmt.Sscan(v, &value); err != nil {
			panic(err)
		}
	}
	return value
}
`

// variables are the numbers of a file that can be variables, with the type that each then has.
// A number that is the size of an array, say, stays a constant.
func variables(root, file string, source []byte) (map[string]string, error) {
	p, err := newPackageCheck(filepath.Join(root, filepath.Dir(file)), filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	all, err := tunables(file, source)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, t := range slices.Backward(all) { // from the end, so that earlier offsets stay right
		if ast.IsExported(t.name) {
			continue // other packages use it
		}
		for _, kind := range t.kinds() {
			if trial := t.asVariable(source, kind); p.accepts(trial) {
				source, names[t.name] = trial, kind
				break
			}
		}
	}
	return names, nil
}

// withVariables is the source of a file of numbers in which those of names are variables.
func withVariables(file string, source []byte, names map[string]string) ([]byte, error) {
	all, err := tunables(file, source)
	if err != nil {
		return nil, err
	}
	for _, t := range slices.Backward(all) {
		if kind := names[t.name]; kind != "" {
			source = t.asVariable(source, kind)
		}
	}
	return source, nil
}

// kinds are the types that a number may have as a variable.
func (t tunable) kinds() []string {
	switch {
	case t.duration:
		return []string{"time.Duration"}
	case t.whole:
		return []string{"int", "float64"}
	}
	return []string{"float64"}
}

// asVariable replaces a constant's name by the blank one, and adds the variable at the end.
func (t tunable) asVariable(source []byte, kind string) []byte {
	var b bytes.Buffer
	b.Write(source[:t.at])
	b.WriteString("_")
	b.Write(source[t.at+len(t.name):])
	fmt.Fprintf(&b, "\nvar %s = tuned(%q, %s(%s))\n", t.name, t.name, kind, t.text)
	return b.Bytes()
}

// packageCheck checks the types of a package with one file in another form.
type packageCheck struct {
	fset   *token.FileSet
	others []*ast.File
	types  types.Importer
	name   string
}

func newPackageCheck(dir, except string) (*packageCheck, error) {
	// A program that was built with -trimpath does not know where the standard library is.
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	build.Default.GOROOT = strings.TrimSpace(string(goroot))
	fset := token.NewFileSet()
	p := &packageCheck{fset: fset, types: importer.ForCompiler(fset, "source", nil)}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || f == except {
			continue
		}
		parsed, err := parser.ParseFile(fset, f, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.name = parsed.Name.Name
		p.others = append(p.others, parsed)
	}
	added := fmt.Sprintf(tunedFunc, p.name)
	parsed, err := parser.ParseFile(fset, filepath.Join(dir, "tuned.go"), added, parser.SkipObjectResolution)
	p.others = append(p.others, parsed)
	return p, err
}

func (p *packageCheck) accepts(source []byte) bool {
	parsed, err := parser.ParseFile(p.fset, "tuning.go", source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	wrong := false
	c := types.Config{Importer: p.types, Error: func(error) { wrong = true }}
	_, err = c.Check(p.name, p.fset, append([]*ast.File{parsed}, p.others...), nil)
	return err == nil && !wrong
}
