package main

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// position is a line of a file.
type position struct {
	file string
	line int
}

// withIgnores is the analyzer without findings in generated files and without those
// whose line ends in "//nolint:NAME reason". A comment without a reason ignores nothing.
func withIgnores(a *analysis.Analyzer) *analysis.Analyzer {
	checked, name := *a, a.Name
	checked.Run = func(pass *analysis.Pass) (any, error) {
		ignored, generated := ignores(pass, name)
		filtered := *pass
		filtered.Report = func(d analysis.Diagnostic) {
			at := pass.Fset.Position(d.Pos)
			if generated[at.Filename] || ignored[position{at.Filename, at.Line}] {
				return
			}
			pass.Report(analysis.Diagnostic{Pos: d.Pos, Message: name + ": " + d.Message})
		}
		return a.Run(&filtered)
	}
	return &checked
}

// ignores are the lines with an ignore comment for the analyzer, and the generated files.
func ignores(pass *analysis.Pass, name string) (map[position]bool, map[string]bool) {
	ignored, generated := map[position]bool{}, map[string]bool{}
	for _, f := range pass.Files {
		file := pass.Fset.Position(f.FileStart).Filename
		generated[file] = ast.IsGenerated(f)
		for _, group := range f.Comments {
			for _, c := range group.List {
				words := strings.Fields(c.Text)
				if len(words) > 1 && words[0] == "//nolint:"+name {
					ignored[position{file, pass.Fset.Position(c.Pos()).Line}] = true
				}
			}
		}
	}
	return ignored, generated
}
