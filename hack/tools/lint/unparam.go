package main

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/packages"
	"mvdan.cc/unparam/check"
)

// unparam is mvdan.cc/unparam on one package: unexported functions only, because the
// callers of the others are not in view.
func unparam() *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:     "unparam",
		Doc:      "finds parameters and results that never differ",
		Requires: []*analysis.Analyzer{buildssa.Analyzer},
		Run: func(pass *analysis.Pass) (any, error) {
			var c check.Checker
			c.Packages([]*packages.Package{{
				Fset: pass.Fset, Syntax: pass.Files, Types: pass.Pkg, TypesInfo: pass.TypesInfo,
			}})
			c.ProgramSSA(pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).Pkg.Prog)
			issues, err := c.Check()
			for _, i := range issues {
				pass.Reportf(i.Pos(), "%s", i.Message())
			}
			return nil, err
		},
	}
}
