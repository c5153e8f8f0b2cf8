package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// measured is the figures of a tree.
type measured struct {
	codeLines, testLines, commentLines int
	fileLines, funcLines, params       []int
	nesting, methods                   []int // of functions; of interfaces
	exported, documented               int
	wordsInComments, wordsInDocs       int
	packages                           map[string][]*ast.File // by folder, without tests
	set                                *token.FileSet
}

// dialect is the words that language.md calls a dialect.
var dialect = regexp.MustCompile(`(?i)\b(tell|told|tells|looked|held|far|alike|of which|so many)\b`)

// left is what is no code of ours, or has no form of its own.
var left = regexp.MustCompile(`(^|/)(testdata|vendor|_output|\.git|third_party)(/|$)|zz_generated`)

// measure reads the Go files and the Markdown documents of a tree.
func measure(tree fs.FS) (*measured, error) {
	m := &measured{packages: map[string][]*ast.File{}, set: token.NewFileSet()}
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && left.MatchString(name):
			return fs.SkipDir
		case e.IsDir() || left.MatchString(name):
			return nil
		}
		return m.file(tree, name)
	})
	return m, err
}

func (m *measured) file(tree fs.FS, name string) error {
	ext := path.Ext(name)
	if ext != ".go" && ext != ".md" {
		return nil
	}
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	if ext == ".md" {
		m.wordsInDocs += len(dialect.FindAll(text, -1))
		return nil
	}
	f, err := parser.ParseFile(m.set, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(f) {
		return nil
	}
	lines := strings.Count(string(text), "\n")
	m.comments(f)
	if strings.HasSuffix(name, "_test.go") {
		m.testLines += lines
		return nil
	}
	m.codeLines += lines
	m.fileLines = append(m.fileLines, lines)
	m.packages[path.Dir(name)] = append(m.packages[path.Dir(name)], f)
	for _, d := range f.Decls {
		m.declaration(d)
	}
	return nil
}

// comments counts the lines of comments of code, and the words of the dialect in all comments.
func (m *measured) comments(f *ast.File) {
	test := strings.HasSuffix(m.set.Position(f.Pos()).Filename, "_test.go")
	for _, g := range f.Comments {
		m.wordsInComments += len(dialect.FindAllString(strings.Join(strings.Fields(g.Text()), " "), -1))
		if !test {
			m.commentLines += m.set.Position(g.End()).Line - m.set.Position(g.Pos()).Line + 1
		}
	}
}

func (m *measured) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		m.funcLines = append(m.funcLines, m.set.Position(d.End()).Line-m.set.Position(d.Pos()).Line+1)
		m.params = append(m.params, d.Type.Params.NumFields())
		if d.Body != nil {
			m.nesting = append(m.nesting, depth(d.Body))
		}
		m.name(d.Name, d.Doc != nil || d.Recv != nil && !exportedReceiver(d.Recv))
	case *ast.GenDecl:
		for _, s := range d.Specs {
			m.spec(s, d.Doc != nil)
		}
	}
}

func (m *measured) spec(s ast.Spec, grouped bool) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		m.name(s.Name, grouped || s.Doc != nil)
		if i, is := s.Type.(*ast.InterfaceType); is {
			m.methods = append(m.methods, i.Methods.NumFields())
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			m.name(n, grouped || s.Doc != nil || s.Comment != nil)
		}
	}
}

func (m *measured) name(n *ast.Ident, documented bool) {
	if n.IsExported() {
		m.exported++
		if documented {
			m.documented++
		}
	}
}

func exportedReceiver(r *ast.FieldList) bool {
	exported := false
	ast.Inspect(r.List[0].Type, func(n ast.Node) bool {
		if id, is := n.(*ast.Ident); is && id.IsExported() {
			exported = true
		}
		return true
	})
	return exported
}

// depth is how deep statements with a body stand in each other below a function's body. An else-if
// is as deep as its if.
func depth(body ast.Node) int {
	deepest := 0
	ast.Inspect(body, func(n ast.Node) bool {
		var inner []ast.Node
		switch s := n.(type) {
		case *ast.IfStmt:
			inner = []ast.Node{s.Body}
			if b, is := s.Else.(*ast.BlockStmt); is {
				inner = append(inner, b)
			} else if s.Else != nil {
				deepest = max(deepest, depth(&ast.BlockStmt{List: []ast.Stmt{s.Else}}))
			}
		case *ast.ForStmt:
			inner = []ast.Node{s.Body}
		case *ast.RangeStmt:
			inner = []ast.Node{s.Body}
		case *ast.SwitchStmt:
			inner = []ast.Node{s.Body}
		case *ast.TypeSwitchStmt:
			inner = []ast.Node{s.Body}
		case *ast.SelectStmt:
			inner = []ast.Node{s.Body}
		default:
			return true
		}
		for _, i := range inner {
			deepest = max(deepest, 1+depth(i))
		}
		return false
	})
	return deepest
}

// table is the figures in Markdown.
func (m *measured) table() string {
	var b strings.Builder
	row := func(what, format string, values ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", what, fmt.Sprintf(format, values...))
	}
	b.WriteString("| figure | value |\n|---|---|\n")
	row("Go files without tests; their lines", "%d; %d", len(m.fileLines), m.codeLines)
	row("lines of tests by lines of code", "%.2f", float64(m.testLines)/float64(max(m.codeLines, 1)))
	row("lines of a file, p50 / p95 / max", "%s", spread(m.fileLines))
	row("files over 400 lines", "%d", above(m.fileLines, 400))
	row("lines of a function, p50 / p95 / max", "%s", spread(m.funcLines))
	row("functions over 60 lines", "%d of %d", above(m.funcLines, 60), len(m.funcLines))
	row("parameters, p50 / p95 / max", "%s", spread(m.params))
	row("functions with more than 4 parameters", "%d", above(m.params, 4))
	row("nesting, p50 / p95 / max", "%s", spread(m.nesting))
	row("methods of an interface, p50 / p95 / max", "%s", spread(m.methods))
	row("lines with a comment, of all of code", "%.0f %%", 100*float64(m.commentLines)/float64(max(m.codeLines, 1)))
	row("exported names without a comment", "%d of %d", m.exported-m.documented, m.exported)
	for _, dir := range []string{"pkg/decider", "pkg/slo"} {
		if files := m.packages[dir]; len(files) > 0 {
			n, pairs := circles(m.set, files)
			row("files of "+dir+" in a circle; pairs that use each other", "%d of %d; %d", n, len(files), pairs)
		}
	}
	row("words of the dialect in comments; in documents", "%d; %d", m.wordsInComments, m.wordsInDocs)
	return b.String()
}

// spread is the median, the 95th percentile by the nearest lower rank, and the largest.
func spread(values []int) string {
	if len(values) == 0 {
		return "none"
	}
	v := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%d / %d / %d", v[(len(v)-1)/2], v[(len(v)-1)*95/100], v[len(v)-1])
}

func above(values []int, limit int) (n int) {
	for _, v := range values {
		if v > limit {
			n++
		}
	}
	return n
}
