// Command lint runs go vet's own checks and linters that neither go vet nor staticcheck has, as
// a tool of go vet, so that all share one pass over the packages and what they import:
//
//	go vet -vettool=$PWD/_output/bin/lint ./...
//
// As a vettool it gets each package type-checked, and go vet keeps what it learned
// about the packages that a package imports, so a second run reads only what changed.
// A finding of a linter, not of go vet, that has to stay gets a comment at the end of its line:
//
//	if err == io.EOF { //nolint:errorlint the reason
package main

import (
	"slices"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/go-critic/go-critic/checkers/analyzer"
	"github.com/gostaticanalysis/nilerr"
	"github.com/nishanths/exhaustive"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	checked := slices.Clone(vet.Suite)
	for _, a := range linters() {
		checked = append(checked, withIgnores(a))
	}
	unitchecker.Main(checked...)
}

// linters are the checks, each with the mistake that it finds.
func linters() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		// An error compared with == or a type assertion is not recognised once somebody wraps it.
		set(errorlint.NewAnalyzer(), "asserts", "true", "comparison", "true", "errorf", "true"),
		// A switch without a default that misses a value: a new engine, reason or metric falls through.
		set(exhaustive.Analyzer, "check", "switch", "d", "true"),
		// An error that was seen and then dropped: unknown would become zero.
		nilerr.Analyzer,
		// A parameter or result that never differs says that there is a choice where there is none.
		unparam(),
		// gocritic's diagnostics: conditions that are always true, arguments in the wrong order, appends to another slice.
		named("gocritic", set(analyzer.Analyzer, "enable", "#diagnostic", "disable", "#experimental")),
		// The form that a reader expects: early returns, no else after a return, one name per receiver, ctx first.
		revive(),
		// Two windows side by side show 120 columns.
		lll(120),
	}
}

// set sets flags of an analyzer: name, value, name, value. It panics on a flag that the linter does not have.
func set(a *analysis.Analyzer, flags ...string) *analysis.Analyzer {
	for i := 0; i < len(flags); i += 2 {
		if err := a.Flags.Set(flags[i], flags[i+1]); err != nil {
			panic(a.Name + ": " + err.Error())
		}
	}
	return a
}

func named(name string, a *analysis.Analyzer) *analysis.Analyzer {
	a.Name = name
	return a
}
