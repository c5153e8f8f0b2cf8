package main

import (
	"go/token"
	"os"

	"github.com/mgechev/revive/lint"
	"github.com/mgechev/revive/rule"
	"golang.org/x/tools/go/analysis"
)

// revive runs those rules of revive that concern the form of code and need no types.
func revive() *analysis.Analyzer {
	return &analysis.Analyzer{
		Name: "revive",
		Doc:  "finds code whose form is not the usual one",
		Run: func(pass *analysis.Pass) (any, error) {
			files := map[string]*token.File{}
			var names []string
			for _, f := range pass.Files {
				file := pass.Fset.File(f.FileStart)
				files[file.Name()] = file
				names = append(names, file.Name())
			}
			linter := lint.New(os.ReadFile, 0)
			failures, err := linter.Lint([][]string{names}, form(), lint.Config{Confidence: 0.8})
			if err != nil {
				return nil, err
			}
			for f := range failures {
				if file := files[f.Filename()]; file != nil {
					pass.Reportf(file.Pos(f.Position.Start.Offset), "%s: %s", f.RuleName, f.Failure)
				}
			}
			return nil, nil
		},
	}
}

// form are the rules that revive runs here.
func form() []lint.Rule {
	return []lint.Rule{
		&rule.EarlyReturnRule{},
		&rule.IndentErrorFlowRule{},
		&rule.SuperfluousElseRule{},
		&rule.ReceiverNamingRule{},
		&rule.ContextAsArgumentRule{},
		&rule.ErrorNamingRule{},
		&rule.ErrorReturnRule{},
		&rule.RedefinesBuiltinIDRule{},
		&rule.UselessBreak{},
		&rule.UnnecessaryStmtRule{},
		&rule.IdenticalBranchesRule{},
		&rule.UnconditionalRecursionRule{},
		&rule.EmptyBlockRule{},
		&rule.IncrementDecrementRule{},
	}
}
