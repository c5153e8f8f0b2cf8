package main

import (
	"fmt"
	"slices"
	"strings"
)

// point is a setting on a load.
type point struct {
	setting setting
	mean
}

// swept is what a table's settings gave: by family, by load, by setting.
type outcome struct {
	table table
	// points has, per family and load, those settings that were run.
	points [][][]point
	// frozen is our policy with default settings, by load; known says where it was run.
	frozen []mean
	known  []bool
}

func (t table) outcome(s *store) (o outcome, err error) {
	if t, err = t.begun(s); err != nil {
		return o, err
	}
	o = outcome{table: t, frozen: make([]mean, len(t.loads)), known: make([]bool, len(t.loads))}
	for i, l := range t.loads {
		if o.frozen[i], o.known[i], err = t.mean(s, ours, l); err != nil {
			return o, err
		}
	}
	for _, f := range families() {
		byLoad := make([][]point, len(t.loads))
		for i, l := range t.loads {
			for _, set := range f.settings {
				m, ok, err := t.mean(s, set.spec, l)
				if err != nil {
					return o, err
				}
				if ok {
					byLoad[i] = append(byLoad[i], point{set, m})
				}
			}
		}
		o.points = append(o.points, byLoad)
	}
	return o, nil
}

// cheapest is the one of fewest GPU-hours that reaches a share; ok is false where none does.
func cheapest(points []point, share float64) (best point, ok bool) {
	for _, p := range points {
		if p.slo >= share && (!ok || p.hours < best.hours) {
			best, ok = p, true
		}
	}
	return best, ok
}

// nearest is the one of the largest share.
func nearest(points []point) point {
	return slices.MaxFunc(points, func(a, b point) int {
		switch {
		case a.slo < b.slo:
			return -1
		case a.slo > b.slo:
			return 1
		}
		return 0
	})
}

// sweepTables compare at equal quality, with every policy tuned in hindsight.
func sweepTables(b *strings.Builder, t table, s *store) error {
	o, err := t.outcome(s)
	if err != nil || len(o.table.loads) == 0 {
		return err
	}
	fmt.Fprintf(b, "### Every knob swept: %s, lead %s, %s\n\n", t.engine, t.lead, seeds(t.seeds))
	fmt.Fprintf(b, "In hindsight, the cheapest setting of each policy that holds %.0f %%: GPU-hours (times the bound) and the setting.\n\n", 100*goal)
	o.table.header(b, "policy")
	for f, family := range families() {
		fmt.Fprintf(b, "| %s |", family.name)
		for i := range o.table.loads {
			fmt.Fprintf(b, " %s |", o.best(f, i))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "| `ipa` with default settings |")
	for i, l := range o.table.loads {
		fmt.Fprintf(b, " %s |", t.text(ours, l, o.frozen[i], o.known[i]))
	}
	b.WriteString("\n| cheapest rival with the SLO of `ipa` with default settings (-0.2 pt) |")
	for i := range o.table.loads {
		fmt.Fprintf(b, " %s |", o.match(i))
	}
	fmt.Fprintf(b, "\n\n%s\n\n", o.count())
	return nil
}

// best is a family's cheapest setting on a load, bold where no family's is cheaper.
func (o outcome) best(family, l int) string {
	points := o.points[family][l]
	if len(points) == 0 {
		return "-"
	}
	missing := ""
	if n := len(families()[family].settings) - len(points); n > 0 {
		missing = fmt.Sprintf(" [%d settings not run]", n)
	}
	p, ok := cheapest(points, goal)
	if !ok {
		p = nearest(points)
		return fmt.Sprintf("none (%s %% at %s: %s)%s", percents(p.slo), hours(p.hours), p.setting.short, missing)
	}
	text := fmt.Sprintf("%s (%.2f)", hours(p.hours), p.ratio())
	if o.winner(l) == family {
		text = "**" + text + "**"
	}
	return text + " " + p.setting.short + missing
}

// winner is the family whose cheapest setting with the goal is the cheapest of all; -1 where none holds it.
func (o outcome) winner(l int) int {
	first, least := -1, 0.0
	for f := range o.points {
		if p, ok := cheapest(o.points[f][l], goal); ok && (first < 0 || p.hours < least) {
			first, least = f, p.hours
		}
	}
	return first
}

// count says on how many loads each family is the cheapest at equal quality.
func (o outcome) count() string {
	wins, reached, all := make([]int, len(o.points)), 0, 0
	for l := range o.table.loads {
		if slices.ContainsFunc(o.points, func(f [][]point) bool { return len(f[l]) == 0 }) {
			continue // somebody was not run
		}
		all++
		if f := o.winner(l); f >= 0 {
			wins[f]++
			reached++
		}
	}
	var each []string
	for f, family := range families() {
		if wins[f] > 0 {
			each = append(each, fmt.Sprintf("%s on %d", family.name, wins[f]))
		}
	}
	if len(each) == 0 {
		return "No policy holds the goal on any load on which all were run."
	}
	return fmt.Sprintf("Of the %d loads on which all were run, some policy holds the goal on %d. Cheapest is %s.", all, reached, strings.Join(each, ", "))
}

// match is what the cheapest of all rivals' settings costs that gives what
// ours gives with default settings.
func (o outcome) match(l int) string {
	if !o.known[l] {
		return "-"
	}
	var best point
	var who string
	for f, family := range families() {
		if f == 0 {
			continue
		}
		if p, ok := cheapest(o.points[f][l], o.frozen[l].slo-0.002); ok && (who == "" || p.hours < best.hours) {
			best, who = p, family.name
		}
	}
	if who == "" {
		return "none"
	}
	return fmt.Sprintf("%s: %+.0f %% (%s %s)", hours(best.hours), 100*(best.hours/o.frozen[l].hours-1), who, best.setting.short)
}
