package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// checkFiles finds circles among the files of the pure core: each file uses definitions of
// files that can be read before it, and none of them uses a definition of it.
func checkFiles(tree fs.FS) (findings []string, err error) {
	for _, dir := range []string{"pkg/decider", "pkg/slo"} {
		uses, err := fileUses(tree, dir)
		if err != nil {
			return findings, err
		}
		if c := circle(uses); c != "" {
			findings = append(findings, dir+": "+c+": a circle; move one of the definitions to the file that can be read first")
		}
	}
	return findings, nil
}

// uses is which file uses which others, and one definition that it uses of each.
type uses map[string]map[string]string

func fileUses(tree fs.FS, dir string) (uses, error) {
	names, err := fs.Glob(tree, dir+"/*.go")
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(set, name, src, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	// Imports are not loaded: what is of other packages stays unknown, and errors for it are ignored.
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, _ := (&types.Config{Error: func(error) {}}).Check(dir, set, files, &info) //nolint:errcheck see above
	all := uses{}
	for use, of := range info.Uses {
		from, to := set.Position(use.Pos()).Filename, set.Position(of.Pos()).Filename
		if from == to || !isOfPackage(of, pkg) {
			continue
		}
		if all[from] == nil {
			all[from] = map[string]string{}
		}
		if old := all[from][to]; old == "" || of.Name() < old {
			all[from][to] = of.Name()
		}
	}
	return all, nil
}

// isOfPackage reports whether o is defined at the top level of a file of the package, or is a
// method: no parameter, local variable or field.
func isOfPackage(o types.Object, pkg *types.Package) bool {
	if o.Pkg() != pkg {
		return false
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == pkg.Scope()
}

// circle describes a circle, empty without one: "a.go uses x of b.go, b.go uses y of a.go".
func circle(all uses) string {
	done := map[string]bool{}
	var visit func(file string, way []string) string
	visit = func(file string, way []string) string {
		if i := slices.Index(way, file); i >= 0 {
			return describe(all, append(way[i:], file))
		}
		if done[file] {
			return ""
		}
		done[file] = true
		for _, next := range slices.Sorted(maps.Keys(all[file])) {
			if c := visit(next, append(way, file)); c != "" {
				return c
			}
		}
		return ""
	}
	for _, file := range slices.Sorted(maps.Keys(all)) {
		if c := visit(file, nil); c != "" {
			return c
		}
	}
	return ""
}

func describe(all uses, way []string) string {
	var steps []string
	for i, to := range way[1:] {
		steps = append(steps, fmt.Sprintf("%s uses %s of %s", path.Base(way[i]), all[way[i]][to], path.Base(to)))
	}
	return strings.Join(steps, ", ")
}
