package main

import (
	"strings"
	"testing"
)

// The column follows the rules, whatever somebody wrote there, and a row or rule that has
// no partner is found.
func TestWithImports(t *testing.T) {
	text := strings.Join([]string{
		"| package | what lives there | imports |",
		"| `pkg/window` | mean and maximum | anything |",
		"| `pkg/simulator`, `/engine`, `/trace` | a \\| b | |",
		"| `pkg/nowhere` | gone | none |",
		"| `config` | installed | |",
	}, "\n")
	fresh, findings := withImports([]byte(text))
	for _, want := range []string{
		"| `pkg/window` | mean and maximum | none, standard library only |\n",
		"| `pkg/simulator`, `/engine`, `/trace` | a \\| b | decider, drain, slo, window, and the standard library only |\n",
		"| `pkg/nowhere` | gone | none |\n",
		"| `config` | installed | |",
	} {
		if !strings.Contains(string(fresh), want) {
			t.Errorf("the document lacks %q:\n%s", want, fresh)
		}
	}
	all := strings.Join(findings, "\n")
	for _, want := range []string{"pkg/nowhere has no rule", "pkg/decider has no row"} {
		if !strings.Contains(all, want) {
			t.Errorf("no finding %q in:\n%s", want, all)
		}
	}
	if again, _ := withImports(fresh); string(again) != string(fresh) {
		t.Error("a second run changes the document again")
	}
}
