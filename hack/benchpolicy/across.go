package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// single is a setting over many cells.
type single struct {
	setting          setting
	family           string
	held, fresh      int // cells with the goal, and of them those on which our defaults were not chosen
	nearly           int // cells with 95 %
	slo, least, cost float64
}

// whole is a cell of a sweep on which every setting was run.
type whole struct {
	load  load
	means map[string]mean
}

// acrossTables judge one setting for everything: all cells of all sweeps.
func acrossTables(b *strings.Builder, tables []table, s *store) error {
	cells, err := wholes(tables, s)
	if err != nil || len(cells) == 0 {
		return err
	}
	fresh := 0
	for _, c := range cells {
		if !c.load.chosen {
			fresh++
		}
	}
	all := singles(cells)
	fmt.Fprintf(b, "### One setting for everything: %d cells of all sweeps, %d of them without ¹\n\n", len(cells), fresh)
	fmt.Fprintf(b, "Of each policy the setting that holds %.0f %% on most cells, the cheapest of those; below, all settings that no other of the same policy beats in both mean SLO and cost. "+
		"Cost is the geometric mean of GPU-hours over the bound.\n\n", 100*goal)
	b.WriteString("| policy | setting | cells ≥ 99 % | of those without ¹ | cells ≥ 95 % | mean SLO % | least SLO % | x bound |\n|---|---|---|---|---|---|---|---|\n")
	for _, f := range families() {
		choose(all, f.name).row(b, "**"+f.name+"**")
	}
	for _, f := range families() {
		for _, one := range undominated(all, f.name) {
			one.row(b, f.name)
		}
	}
	b.WriteString("\n")
	return nil
}

func (one single) row(b *strings.Builder, name string) {
	fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %s | %s | %.2f |\n", name, one.setting.short, one.held, one.fresh,
		one.nearly, percents(one.slo), percents(one.least), one.cost)
}

// wholes are the cells of all sweeps on which every setting was run.
func wholes(tables []table, s *store) (cells []whole, err error) {
	for _, t := range tables {
		if t.kind != kindSweep {
			continue
		}
		for _, l := range t.loads {
			w := whole{l, map[string]mean{}}
			for _, spec := range t.list {
				m, ok, err := t.mean(s, spec, l)
				if err != nil {
					return nil, err
				}
				if ok {
					w.means[spec] = m
				}
			}
			if len(w.means) == len(t.list) {
				cells = append(cells, w)
			}
		}
	}
	return cells, nil
}

// singles are all settings over the cells.
func singles(cells []whole) (all []single) {
	n := float64(len(cells))
	for _, f := range families() {
		for _, set := range f.settings {
			one := single{setting: set, family: f.name, least: 1}
			logs := 0.0
			for _, c := range cells {
				m := c.means[set.spec]
				one.count(m, c.load)
				logs += math.Log(m.ratio())
			}
			one.slo, one.cost = one.slo/n, math.Exp(logs/n)
			all = append(all, one)
		}
	}
	return all
}

func (one *single) count(m mean, l load) {
	one.slo, one.least = one.slo+m.slo, min(one.least, m.slo)
	if m.holds() {
		one.held++
		if !l.chosen {
			one.fresh++
		}
	}
	if m.slo >= 0.95 {
		one.nearly++
	}
}

// choose is a family's setting that holds the goal on most cells, the cheapest of them.
func choose(all []single, family string) (best single) {
	for _, one := range all {
		if one.family == family && (best.family == "" || one.held > best.held ||
			one.held == best.held && one.cost < best.cost) {
			best = one
		}
	}
	return best
}

// undominated are the settings of a family that no other beats in both quality and cost, cheapest first.
func undominated(all []single, family string) (kept []single) {
	for _, one := range all {
		worse := slices.ContainsFunc(all, func(o single) bool {
			return o.family == one.family && o.slo >= one.slo && o.cost <= one.cost && (o.slo > one.slo || o.cost < one.cost)
		})
		if one.family == family && !worse {
			kept = append(kept, one)
		}
	}
	slices.SortFunc(kept, func(a, b single) int { return cmp.Compare(a.cost, b.cost) })
	return kept
}
