package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// summaryFile is what the last run of -sensitivity came to; the documents are made of it.
const summaryFile = "hack/benchpolicy/testdata/sensitivity.json"

// A number matters when half or twice of it changes a cell's share within the objective by
// mattersPoints percentage points, or its GPU-hours by mattersHours percent.
const mattersPoints, mattersHours = 0.3, 3.0

// The effects of a number, weakest first.
const (
	noEffect    = "no effect"
	smallEffect = "small effect"
	matters     = "matters"
	dependent   = "depends on others" // neither half nor twice gives a program that runs
)

// effect is what a variant changed: points of the share within the objective and percent of
// the GPU-hours, in the mean over the cells and in the cell that changed most.
type effect struct {
	Value  string  `json:"value"`
	Points float64 `json:"points"`
	Hours  float64 `json:"hours_percent"`
	Cell   string  `json:"cell,omitempty"` // the one that changed most; empty when none did
	// CellPoints and CellHours are that cell's.
	CellPoints float64 `json:"cell_points,omitempty"`
	CellHours  float64 `json:"cell_hours_percent,omitempty"`
	Wrong      string  `json:"wrong,omitempty"`
}

// number is a constant with its effects.
type number struct {
	File  string `json:"file"`
	Name  string `json:"name"`
	Value string `json:"value"`
	Half  effect `json:"half"`
	Twice effect `json:"twice"`
	// Earlier is true for effects on an earlier policy, which had other figures as it was.
	Earlier bool `json:"earlier,omitempty"`
}

// summary is all numbers, in the order of the files, and the cells as the policy is.
type summary struct {
	Date    string            `json:"date"`
	Cells   []string          `json:"cells"`
	AsItIs  map[string]figure `json:"as_it_is"`
	Numbers []number          `json:"numbers"`
}

// summary is what the runs came to, and what the last summary says of the numbers that were not run:
// -only runs some alone. Where the policy as it is has other figures by now, these are marked.
func (s *sensitivity) summary(last summary) summary {
	base := s.runs[variant{}.key()]
	out := summary{Date: time.Now().Format(time.DateOnly), AsItIs: base.Cells}
	for _, c := range s.cells {
		out.Cells = append(out.Cells, c.name)
	}
	earlier := !maps.Equal(base.Cells, last.AsItIs)
	for _, n := range s.numbers {
		half, twice := n.times(0.5), n.times(2)
		h, haveHalf := s.runs[half.key()]
		t, haveTwice := s.runs[twice.key()]
		if haveHalf && haveTwice {
			out.Numbers = append(out.Numbers, number{File: n.file, Name: n.name, Value: n.text,
				Half: h.against(base, half.value), Twice: t.against(base, twice.value)})
		} else if was, has := last.of(n); has {
			was.Earlier = was.Earlier || earlier
			out.Numbers = append(out.Numbers, was)
		}
	}
	return out
}

// of is what a summary says of a number, if it was measured at its present value.
func (s summary) of(v variant) (number, bool) {
	i := slices.IndexFunc(s.Numbers, func(n number) bool {
		return n.File == v.file && n.Name == v.name && n.Value == v.text
	})
	if i < 0 {
		return number{}, false
	}
	return s.Numbers[i], true
}

// against is a run's effect, beside the policy as it is.
func (r variantRun) against(base variantRun, value string) effect {
	e := effect{Value: shown(value), Wrong: r.Wrong}
	if r.Wrong != "" {
		return e
	}
	largest := 0.0
	for _, cell := range slices.Sorted(maps.Keys(base.Cells)) {
		was, is := base.Cells[cell], r.Cells[cell]
		points, hours := 100*(is.SLO-was.SLO), 100*math.Log(is.Hours/was.Hours)
		e.Points, e.Hours = e.Points+points, e.Hours+hours
		if size := math.Max(math.Abs(points)/mattersPoints, math.Abs(hours)/mattersHours); size > largest {
			largest, e.Cell, e.CellPoints, e.CellHours = size, cell, rounded(points), rounded(percent(hours))
		}
	}
	n := float64(len(base.Cells))
	e.Points, e.Hours = rounded(e.Points/n), rounded(percent(e.Hours/n))
	return e
}

// percent is the change of a hundredth logarithm.
func percent(hundredths float64) float64 { return 100 * math.Expm1(hundredths/100) }

func rounded(x float64) float64 { return math.Round(100*x) / 100 }

// shown is a value as a reader has it: a duration is 30s, not nanoseconds.
func shown(value string) string {
	var n int64
	if _, err := fmt.Sscanf(value, "time.Duration(%d)", &n); err == nil {
		return time.Duration(n).String()
	}
	return value
}

func (e effect) class() string {
	switch {
	case e.Wrong != "" || e.Cell == "":
		return noEffect
	case math.Abs(e.CellPoints) >= mattersPoints || math.Abs(e.CellHours) >= mattersHours:
		return matters
	}
	return smallEffect
}

// class is the stronger of a number's effects.
func (n number) class() string {
	if n.Half.Wrong != "" && n.Twice.Wrong != "" {
		return dependent
	}
	for _, c := range []string{matters, smallEffect} {
		if n.Half.class() == c || n.Twice.class() == c {
			return c
		}
	}
	return noEffect
}

// effect is the class as the table has it.
func (n number) effect() string {
	if n.Earlier {
		return n.class() + ", earlier"
	}
	return n.class()
}

func (s summary) save(file string) error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func readSummary(root string) (s summary, err error) {
	text, err := os.ReadFile(filepath.Join(root, summaryFile))
	if err != nil {
		return s, fmt.Errorf("%w; make bench-policy ARGS=-sensitivity makes it", err)
	}
	return s, errors.Join(err, json.Unmarshal(text, &s))
}

// renderSensitivity writes the table of the numbers into the document of the policy.
func renderSensitivity(root string) error {
	s, err := readSummary(root)
	if err != nil {
		return err
	}
	return replace(filepath.Join(root, "docs/slo-policy.md"), sensitivityMarks, s.table())
}

// table is the numbers in Markdown.
func (s summary) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| cell | load | within the objective | GPU-hours |\n|---|---|---|---|\n")
	for _, c := range sensitivityCells() {
		if f, has := s.AsItIs[c.name]; has {
			fmt.Fprintf(&b, "| %s | %s | %.2f %% | %.2f |\n", c.name, c.what, 100*f.SLO, f.Hours)
		}
	}
	file := ""
	for _, n := range s.Numbers {
		if n.File != file {
			file = n.File
			fmt.Fprintf(&b, "\n%s:\n\n| number | value | half | twice | effect |\n|---|---|---|---|---|\n", file)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", n.Name, n.Value, n.Half.text(), n.Twice.text(), n.effect())
	}
	return b.String()
}

// text is an effect in a cell of the table.
func (e effect) text() string {
	switch {
	case e.Wrong != "":
		what, _, _ := strings.Cut(e.Wrong, ":")
		return e.Value + ": " + what
	case e.Cell == "":
		return e.Value + ": the same"
	}
	return fmt.Sprintf("%s: %+.2f pt, %+.1f %%; %s %+.1f pt, %+.1f %%", e.Value, e.Points, e.Hours, e.Cell, e.CellPoints, e.CellHours)
}
