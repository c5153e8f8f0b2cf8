package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// goal is the share of requests that simulate aims at by default.
const goal = 0.99

// mean is a policy's figures over seeds.
type mean struct {
	seeds                int
	slo, hours, bound    float64
	spread               float64 // half of the range of slo
	waste, ops, recovery float64
}

// ratio is GPU-hours over the oracle's bound.
func (m mean) ratio() float64 { return m.hours / m.bound }

func (m mean) holds() bool { return m.slo >= goal }

// over averages runs; ok is false without any.
func over(runs []figures) (m mean, ok bool) {
	n := float64(len(runs))
	least, most := math.Inf(1), math.Inf(-1)
	for _, f := range runs {
		m.slo, m.hours, m.bound = m.slo+f.SLO/n, m.hours+f.GPUHours/n, m.bound+f.Oracle/n
		m.waste, m.ops, m.recovery = m.waste+f.Wasted/n, m.ops+f.Ops/n, m.recovery+f.Recovery/n
		least, most = min(least, f.SLO), max(most, f.SLO)
	}
	m.seeds, m.spread = len(runs), (most-least)/2
	return m, len(runs) > 0
}

// mean is a policy's in a cell of the table, over the seeds that it should have.
func (t table) mean(s *store, policy string, l load) (mean, bool, error) {
	runs, err := s.of(t.cell(l), policy, t.seedsOf(policy, l))
	m, ok := over(runs)
	return m, ok, err
}

// document is the whole text.
func document(tables []table, s *store) (string, error) {
	var b strings.Builder
	for _, t := range tables {
		show := mainTable
		switch t.kind {
		case kindSweep:
			show = sweepTables
		case kindDirty, kindZero:
			continue // a document of its own
		}
		if err := show(&b, t, s); err != nil {
			return "", err
		}
	}
	err := acrossTables(&b, tables, s)
	return b.String(), err
}

// mainTable has a row per policy and a column per load; loads without a run are left out.
func mainTable(b *strings.Builder, t table, s *store) error {
	t, err := t.begun(s)
	if err != nil || len(t.loads) == 0 {
		return err
	}
	title := "Policies"
	switch t.kind {
	case kindAblation:
		title = "What each part of our policy buys"
	case kindDirty:
		title, _, _ = strings.Cut(t.loads[0].name, ":")
	}
	fmt.Fprintf(b, "### %s: %s, lead %s, %s\n\n", title, t.engine, t.lead, seeds(t.seeds))
	t.header(b, "policy")
	if err := t.bounds(b, s); err != nil {
		return err
	}
	for _, p := range t.list {
		fmt.Fprintf(b, "| %s |", code(p))
		for _, l := range t.loads {
			m, ok, err := t.mean(s, p, l)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, " %s |", t.text(p, l, m, ok))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	if t.kind != kindMain {
		return nil
	}
	return t.verdict(b, s)
}

// begun is the table with the loads on which anything was run.
func (t table) begun(s *store) (table, error) {
	var loads []load
	for _, l := range t.loads {
		for _, p := range t.list {
			_, ok, err := t.mean(s, p, l)
			if err != nil {
				return t, err
			}
			if ok {
				loads = append(loads, l)
				break
			}
		}
	}
	t.loads = loads
	return t, nil
}

func (t table) header(b *strings.Builder, first string) {
	fmt.Fprintf(b, "| %s |", first)
	for _, l := range t.loads {
		fmt.Fprintf(b, " %s%s", l.name, map[bool]string{true: " ¹"}[l.chosen])
		if n := t.seedsOf(ours, l); n != t.seeds {
			fmt.Fprintf(b, " (%s)", seeds(n))
		}
		b.WriteString(" |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(t.loads)) + "\n")
}

// bounds is the row of the oracle's bound, of whichever policy was run with most seeds.
func (t table) bounds(b *strings.Builder, s *store) error {
	b.WriteString("| oracle's bound, GPU-h |")
	for _, l := range t.loads {
		bySeed, sum := map[uint64]float64{}, 0.0
		for _, p := range t.list {
			runs, err := s.of(t.cell(l), p, t.seedsOf(p, l))
			if err != nil {
				return err
			}
			for _, f := range runs {
				if other, known := bySeed[f.Seed]; known && math.Abs(f.Oracle/other-1) > 1e-9 {
					return fmt.Errorf("%s: the bound of seed %d is %v with %s and %v with others, so they were not run on the same requests; remove %s_* from the folder of runs",
						t.cell(l).name(), f.Seed, f.Oracle, p, other, t.cell(l).name())
				}
				bySeed[f.Seed] = f.Oracle
			}
		}
		for _, bound := range bySeed {
			sum += bound
		}
		fmt.Fprintf(b, " %.2f |", sum/float64(len(bySeed)))
	}
	b.WriteString("\n")
	return nil
}

// text writes "SLO @ GPU-hours (x oracle)", bold where the goal is met, with
// half of the range over seeds where that is half a point and more.
func (t table) text(policy string, l load, m mean, ok bool) string {
	if !ok {
		return "-"
	}
	slo := percents(m.slo)
	if m.spread >= 0.005 {
		slo += fmt.Sprintf(" ± %.1f", 100*m.spread)
	}
	text := fmt.Sprintf("%s @ %s (%.2f)", slo, hours(m.hours), m.ratio())
	if m.holds() {
		text = "**" + text + "**"
	} else if slices.Contains([]string{staticName, oracleName}, policy) {
		text = "not reachable: " + text
	}
	if m.seeds < t.seedsOf(ours, l) {
		text += " [" + seeds(m.seeds) + "]"
	}
	return text
}

func seeds(n int) string {
	if n == 1 {
		return "1 seed"
	}
	return fmt.Sprintf("%d seeds", n)
}

func code(p string) string { return "`" + p + "`" }

// percents never rounds up to the goal or to 100.
func percents(share float64) string { return fmt.Sprintf("%.1f", math.Floor(share*1000+1e-9)/10) }

func hours(h float64) string {
	if h < 10 {
		return fmt.Sprintf("%.2f", h)
	}
	return fmt.Sprintf("%.1f", h)
}
