package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

// lll finds lines of more than width columns. A tab is one column. Not counted are
// the texts of strings, because a message is found again when it is in one piece, the
// rows of tables, which start with a brace, code in comments, and code in tests, which
// is tables mostly.
func lll(width int) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name: "lll",
		Doc:  fmt.Sprintf("finds lines of more than %d columns", width),
		Run: func(pass *analysis.Pass) (any, error) {
			for _, f := range pass.Files {
				file := pass.Fset.File(f.FileStart)
				source, err := pass.ReadFile(file.Name())
				if err != nil {
					return nil, err
				}
				n, raw := 0, rawLines(pass.Fset, f)
				for line := range strings.Lines(string(source)) {
					n++
					if raw[n] {
						continue
					}
					if c := columns(line, strings.HasSuffix(file.Name(), "_test.go")); c > width {
						pass.Reportf(file.LineStart(n), "%d columns, at most %d", c, width)
					}
				}
			}
			return nil, nil
		},
	}
}

// rawLines are the lines of raw strings of several lines.
func rawLines(set *token.FileSet, f *ast.File) map[int]bool {
	raw := map[int]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			first, last := set.Position(l.Pos()).Line, set.Position(l.End()).Line
			for line := first; first < last && line <= last; line++ {
				raw[line] = true
			}
		}
		return true
	})
	return raw
}

// text is a string literal.
var text = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// columns is the length of a line of code or of a comment, 0 for a line that may have any length.
func columns(line string, test bool) int {
	line = strings.TrimRight(line, "\r\n")
	word := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(word, "//go:"), strings.HasPrefix(word, "// +"), strings.HasPrefix(word, "//\t"),
		strings.Contains(word, "`"):
		return 0
	case strings.HasPrefix(word, "//"):
		return utf8.RuneCountInString(line)
	case test, strings.HasPrefix(word, "{"):
		return 0
	}
	return utf8.RuneCountInString(text.ReplaceAllString(line, `""`))
}
