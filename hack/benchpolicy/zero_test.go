package main

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// TestZeroTables: each cell keeps its runs in files of its own, and says which minimum,
// startup time and timeout it has.
func TestZeroTables(t *testing.T) {
	files := map[string]bool{}
	for i, table := range zeroTables(first) {
		column := zeroColumns()[i/2]
		for _, l := range table.loads {
			name, args := table.cell(l).name(), strings.Join(table.cell(l).args(""), " ")
			if files[name] || strings.ContainsAny(name, " %/:,") {
				t.Errorf("%q is there twice, or no name of a file", name)
			}
			files[name] = true
			for _, want := range []string{"--length 24h", "--min " + []string{"0", "1"}[i%2], "--lead " + column.lead, "--queue-timeout " + column.timeout} {
				if !strings.Contains(args+" ", want+" ") {
					t.Errorf("%s: %s has no %s", name, args, want)
				}
			}
		}
	}
	if want := 2 * len(zeroColumns()) * trace.Models; len(files) != want {
		t.Errorf("%d cells, want %d", len(files), want)
	}
}

// TestZeroDocument: the runs of all models are one day, and a rival that is better is named.
func TestZeroDocument(t *testing.T) {
	s, tables := kept(t), zeroTables("e")
	s.versions.known["keda e"] = "v1"
	for name, version := range s.versions.known {
		s.versions.known[name+" idle"] = version
	}
	if text, err := zeroDocument(tables, s); text != "" || err != nil {
		t.Errorf("%q, %v without runs; want nothing", text, err)
	}
	day := func(policy string, met, lost, hours float64) figures {
		return figures{Policy: policy, Seed: 1, Requests: 100, Met: met, Lost: lost, GPUHours: hours}
	}
	for i, l := range tables[0].loads {
		runs := []figures{day(ours, 90, 0, 1), day("kpa", 92, 0, 0.5), day("wva", 80, 1, 2)}
		if i > 0 { // one model of keda is enough for none
			runs = append(runs, day("keda", 90, 0, 1))
		}
		if err := s.add(tables[0].cell(l), runs); err != nil {
			t.Fatal(err)
		}
	}
	text, err := zeroDocument(tables, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 0 | `ipa` | 20.0 h, 10.0 % late | - | - |", "|  | `kpa` | 10.0 h, 8.0 % late | -", "|  | `wva` | 40.0 h, 19.0 % late, **20 lost** | -",
		"|  | `keda` | - | -", "| 1 | `ipa` | - |", "with fewer: `kpa` (startup 30s). The other way round: `wva` (startup 30s).",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
