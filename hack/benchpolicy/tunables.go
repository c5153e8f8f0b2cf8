package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"strings"
	"time"
)

// clock imports the part of package time that numbers are written with.
type clock struct{}

// Import implements types.Importer.
func (clock) Import(path string) (*types.Package, error) {
	if path != "time" {
		return nil, fmt.Errorf("import %q: only time is known here", path)
	}
	p := types.NewPackage(path, path)
	duration := types.NewTypeName(token.NoPos, p, "Duration", nil)
	types.NewNamed(duration, types.Typ[types.Int64], nil)
	p.Scope().Insert(duration)
	for name, d := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
		p.Scope().Insert(types.NewConst(token.NoPos, p, name, duration.Type(), constant.MakeInt64(int64(d))))
	}
	p.MarkComplete()
	return p, nil
}

// tunable is a named number of the policy.
type tunable struct {
	name, text string // text is its value as the source has it
	doc        string // its comments, and those of its group
	value      float64
	whole      bool // an integer, or a duration in nanoseconds
	duration   bool
	at         int // the offset of its name in the source
	from, to   int // the text's offsets
}

// untuned marks the comments of numbers that are no choices: what is believed of a
// reading, and what keeps a division defined.
const untuned = "not tuned"

// tunables are the constants of a file of numbers, in order. A constant that is made of
// others is no choice of its own.
func tunables(file string, source []byte) (all []tunable, err error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	info := types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: clock{}}
	if _, err := config.Check("slo", fset, []*ast.File{parsed}, &info); err != nil {
		return nil, err
	}
	for _, d := range parsed.Decls {
		group, isGroup := d.(*ast.GenDecl)
		if !isGroup || group.Tok != token.CONST || isUntuned(group.Doc) {
			continue
		}
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec)
			if isUntuned(spec.Doc) {
				continue
			}
			for i := range min(len(spec.Names), len(spec.Values)) {
				t, isNumber := newTunable(fset, info.Defs[spec.Names[i]], spec.Values[i], source)
				if isNumber && !derived(info, spec.Values[i]) {
					t.at = fset.Position(spec.Names[i].Pos()).Offset
					t.doc = comments(group.Doc, spec.Doc, spec.Comment)
					all = append(all, t)
				}
			}
		}
	}
	return all, nil
}

// derived reports whether an expression names another constant of the file.
func derived(info types.Info, value ast.Expr) (is bool) {
	ast.Inspect(value, func(n ast.Node) bool {
		if id, isIdent := n.(*ast.Ident); isIdent {
			c, isConst := info.Uses[id].(*types.Const)
			is = is || isConst && c.Pkg().Path() != "time"
		}
		return !is
	})
	return is
}

// comments are the texts of comments as one line.
func comments(groups ...*ast.CommentGroup) string {
	var all []string
	for _, g := range groups {
		all = append(all, strings.Fields(g.Text())...)
	}
	return strings.Join(all, " ")
}

func isUntuned(doc *ast.CommentGroup) bool {
	return strings.Contains(strings.ToLower(doc.Text()), untuned)
}

func newTunable(fset *token.FileSet, o types.Object, value ast.Expr, source []byte) (t tunable, isNumber bool) {
	c, isConst := o.(*types.Const)
	if !isConst || (c.Val().Kind() != constant.Int && c.Val().Kind() != constant.Float) {
		return t, false
	}
	t = tunable{
		name: c.Name(), whole: c.Val().Kind() == constant.Int,
		from: fset.Position(value.Pos()).Offset, to: fset.Position(value.End()).Offset,
	}
	named, isNamed := c.Type().(*types.Named)
	t.duration = isNamed && named.Obj().Name() == "Duration"
	t.text = string(source[t.from:t.to])
	t.value, _ = constant.Float64Val(constant.ToFloat(c.Val()))
	return t, t.value != 0
}

// scaled is the value times k as Go has it. A share or factor near 1 is scaled by its
// distance from 1: half of a fade of 0.99 is 0.995, whose memory is twice as long.
func (t tunable) scaled(k float64) string {
	v := t.value * k
	switch {
	case t.duration: // a plain number would have no method, and would be no duration in an expression
		return fmt.Sprintf("time.Duration(%d)", int64(math.Round(v)))
	case t.whole:
		return fmt.Sprint(int64(math.Round(v)))
	case t.value > 0.5 && t.value < 2 && t.value != 1:
		v = 1 + (t.value-1)*k
	}
	return fmt.Sprintf("%.6g", v)
}

// in is the source with the variant's value in the place of the number.
func (v variant) in(source []byte) []byte {
	if v.value == "" {
		return source
	}
	return []byte(string(source[:v.from]) + v.value + string(source[v.to:]))
}
