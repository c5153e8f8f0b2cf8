package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept is a store of made-up runs, whose versions need no program.
func kept(t *testing.T) *store {
	t.Helper()
	known := map[string]string{}
	for _, name := range []string{"ipa", "kpa", "hpa", "apa", "wva", staticName, oracleName} {
		known[name+" e"] = "v1"
	}
	return newStore(t.TempDir(), versions{known: known})
}

func run1(policy string, slo, hours float64) figures {
	return figures{Policy: policy, Seed: 1, SLO: slo, GPUHours: hours, Oracle: 2}
}

func TestPlan_names(t *testing.T) {
	seen := map[string]string{}
	for _, l := range loads() {
		name := cell{l, "e", "2m"}.name()
		if seen[name] != "" || strings.ContainsAny(name, "/ ,") {
			t.Errorf("cell %q of %s: twice, or no file name", name, l.name)
		}
		seen[name] = l.name
	}
	specs := map[string]bool{}
	for _, spec := range settings() {
		if specs[spec] {
			t.Errorf("%s is swept twice", spec)
		}
		specs[spec] = true
	}
	if !specs[ours] {
		t.Error("ours with default settings is not among the settings")
	}
}

// TestCalls: policies that lack the same seeds share a call; what is there is not run again.
func TestCalls(t *testing.T) {
	s := kept(t)
	table := table{kindMain, "e", "2m", 3, []load{{name: "a", run: .1}, {name: "b", run: 1}}, []string{"ipa", "kpa", hopeless}}
	a := table.cell(table.loads[0])
	show := func(asked func(string) bool) string {
		calls, err := table.calls(s, asked)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range calls {
			out = append(out, fmt.Sprintf("%s %s %d-%d", c.cell.load.name, strings.Join(c.policies, "+"), c.from, c.to))
		}
		return strings.Join(out, "; ")
	}
	every := func(string) bool { return true }
	if got, want := show(every), "a ipa+kpa 1-3; a "+hopeless+" 1-1; b ipa+kpa+"+hopeless+" 1-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := s.add(a, []figures{run1("kpa", 1, 1), run1(hopeless, 1, 1)}); err != nil {
		t.Fatal(err)
	}
	s = newStore(s.dir, s.versions) // as another process sees it
	if got, want := show(options{only: "rivals"}.asked), "a kpa 2-3; b kpa+"+hopeless+" 1-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := show(options{only: "ours"}.asked), "a ipa 1-3; b ipa 1-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s.versions.known["kpa e"] = "v2"
	if got := show(options{only: "kpa"}.asked); !strings.HasPrefix(got, "a kpa 1-3") {
		t.Errorf("after a change of kpa: %s", got)
	}
}

// TestRunAll_failure: a call that fails is said, and the others are tried.
func TestRunAll_failure(t *testing.T) {
	s := kept(t)
	two := []table{{kindMain, "e", "2m", 1, []load{{name: "a"}, {name: "b"}}, []string{"kpa"}}}
	err := options{binary: filepath.Join(t.TempDir(), "none")}.runAll(two, s)
	if err == nil || strings.Count(err.Error(), "no such file") != 2 {
		t.Errorf("%v; want both calls", err)
	}
}

// TestStore_broken: a file that was cut off is named.
func TestStore_broken(t *testing.T) {
	s := kept(t)
	c := cell{load{name: "a"}, "e", "2m"}
	file, err := s.file(c, "kpa")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"runs": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.of(c, "kpa", 1); err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
		t.Errorf("%v", err)
	}
}

// TestSourceHash: comments and tests do not count, code does.
func TestSourceHash(t *testing.T) {
	dir := t.TempDir()
	of := func(name, text string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := sourceHash(dir, []string{"*.go"})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := of("a.go", "package a\n\nvar x = 1\n")
	if of("a.go", "package a\n\n// x is one.\nvar x = 1\n") != first || of("a_test.go", "package a\n") != first {
		t.Error("a comment or a test changes the version")
	}
	if of("a.go", "package a\n\nvar x = 2\n") == first {
		t.Error("code does not change the version")
	}
	if _, err := sourceHash(dir, []string{"none/*.go"}); err == nil {
		t.Error("no sources are no error")
	}
}

// TestBounds: runs of different requests do not come into one table.
func TestBounds(t *testing.T) {
	s := kept(t)
	one := table{kindMain, "e", "2m", 2, []load{{name: "a", run: .1}}, []string{"ipa", "kpa"}}
	if err := s.add(one.cell(one.loads[0]), []figures{run1("ipa", .5, 1), run1("kpa", .5, 1), {Policy: "kpa", Seed: 2, Oracle: 4}}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := one.bounds(&b, s); err != nil || !strings.Contains(b.String(), "| 3.00 |") {
		t.Errorf("%v %s", err, b.String())
	}
	if err := s.add(one.cell(one.loads[0]), []figures{{Policy: "ipa", Seed: 2, Oracle: 5}}); err != nil {
		t.Fatal(err)
	}
	if err := one.bounds(&b, s); err == nil || !strings.Contains(err.Error(), "the bound of seed 2 is 4 with kpa and 5 with others") {
		t.Errorf("%v", err)
	}
}

func TestLost(t *testing.T) {
	of := func(slo, hours float64) mean { return mean{slo: slo, hours: hours, bound: 2} }
	rivals := func(all ...mean) (points []point) {
		for i, m := range all {
			points = append(points, point{setting{fmt.Sprint("r", i), ""}, m})
		}
		return points
	}
	for _, c := range []struct {
		mine   mean
		rivals []point
		want   string
	}{
		{of(.995, 5), rivals(of(.999, 6), of(.5, 1)), ""},
		{of(.995, 5), rivals(of(.999, 6), of(.991, 4)), "`r1` for 4.00 GPU-hours (ours 5.00)"},
		{of(.98, 5), rivals(of(.999, 6), of(.991, 7)), "`r0` holds the goal for 6.00 GPU-hours (ours 98.0 % for 5.00)"},
		{of(.98, 5), rivals(of(.97, 6), of(.985, 7)), "`r1` comes nearer, 98.5 % for 7.00 GPU-hours (ours 98.0 % for 5.00)"},
		{of(.98, 5), rivals(of(.97, 6)), ""},
		{of(.98, 5), nil, ""},
	} {
		if got := lost(c.mine, c.rivals); got != c.want {
			t.Errorf("%+v against %+v: %q, want %q", c.mine, c.rivals, got, c.want)
		}
	}
}

// TestSweepTables: the cheapest setting that holds the goal, and who matches ours with default settings.
func TestSweepTables(t *testing.T) {
	s := kept(t)
	l := load{name: "a", run: .1}
	table := table{kindSweep, "e", "2m", 1, []load{l}, settings()}
	runs := []figures{
		run1("ipa", .995, 4), run1("ipa:margin=0.8", .991, 3), run1("ipa:margin=0.5", .9, 2),
		run1("kpa:target=20", .994, 5), run1("kpa:target=28", .992, 3.5), run1("apa", .5, 1),
		run1("wva", .5, 1), run1("hpa:metric=concurrency,target=20", .5, 1), run1("hpa:metric=kv_cache_usage_percent,target=10", .5, 1),
	}
	if err := s.add(table.cell(l), runs); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := sweepTables(&b, table, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| ipa margin | **3.00 (1.50)** 0.8 [11 settings not run] |", "| kpa target | 3.50 (1.75) 28 [16 settings not run] |",
		"| apa kv % | none (50.0 % at 1.00: default) [6 settings not run] |", "Of the 1 loads on which all were run, some policy holds the goal on 1. Cheapest is ipa margin on 1.",
		"| `ipa` with default settings | **99.5 @ 4.00 (2.00)** |", "| 5.00: +25 % (kpa target 20) |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %s:\n%s", want, b.String())
		}
	}
}

// TestAcrossTables: one setting for all cells that are whole.
func TestAcrossTables(t *testing.T) {
	s := kept(t)
	first, second := load{name: "a", run: .1, chosen: true}, load{name: "b", run: .1}
	sweeps := []table{{kindSweep, "e", "2m", 1, []load{first, second, {name: "not whole"}}, settings()}}
	for _, l := range sweeps[0].loads[:2] {
		var runs []figures
		for _, spec := range settings() {
			slo := .5
			if spec == "kpa:target=8" || spec == ours || spec == "ipa:margin=2" || spec == "wva" && l.chosen {
				slo = .995
			}
			hours := 4.
			if spec == ours {
				hours = 3
			}
			runs = append(runs, run1(spec, slo, hours))
		}
		if err := s.add(sweeps[0].cell(l), runs); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := acrossTables(&b, sweeps, s); err != nil {
		t.Fatal(err)
	}
	if text, err := document(sweeps, s); err != nil || !strings.Contains(text, b.String()) {
		t.Errorf("the document lacks it: %v", err)
	}
	for _, want := range []string{
		"2 cells of all sweeps, 1 of them without ¹", "| **ipa margin** | default | 2 | 1 | 2 | 99.5 | 99.5 | 1.50 |",
		"| **kpa target** | 8 | 2 | 1 | 2 | 99.5 | 99.5 | 2.00 |", "| **wva up/down** | default | 1 | 0 | 1 | 74.7 | 50.0 | 2.00 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %s:\n%s", want, b.String())
		}
	}
}
