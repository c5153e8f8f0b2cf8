package main

import (
	"go/ast"
	"go/token"
	"go/types"
)

// circles is how many files of a package are in a circle, where each uses, over others or at once, a
// definition of a file that uses one of it, and how many pairs of files use each other at once.
func circles(set *token.FileSet, files []*ast.File) (in, pairs int) {
	// Imports are not loaded: what is of other packages stays unknown, and errors for it are ignored.
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, _ := (&types.Config{Error: func(error) {}}).Check("p", set, files, &info) //nolint:errcheck see above
	uses := map[string]map[string]bool{}
	for use, of := range info.Uses {
		from, to := set.Position(use.Pos()).Filename, set.Position(of.Pos()).Filename
		if from == to || !topLevel(of, pkg) {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string]bool{}
		}
		uses[from][to] = true
	}
	for from, all := range uses {
		if reaches(uses, from, from, map[string]bool{}) {
			in++
		}
		for to := range all {
			if from < to && uses[to][from] {
				pairs++
			}
		}
	}
	return in, pairs
}

// topLevel reports whether o is defined at the top level of a file of the package, or is a method.
func topLevel(o types.Object, pkg *types.Package) bool {
	if o.Pkg() != pkg {
		return false
	}
	if f, is := o.(*types.Func); is && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == pkg.Scope()
}

// reaches reports whether a way of one step or more leads from a file to another.
func reaches(uses map[string]map[string]bool, from, to string, seen map[string]bool) bool {
	for next := range uses[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(uses, next, to, seen) {
				return true
			}
		}
	}
	return false
}
