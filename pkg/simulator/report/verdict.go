package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// verdict says in sentences who holds the goal for the fewest GPU-hours, and
// who does not. What was chosen in hindsight is no candidate, only a measure.
func verdict(all []Summary, goal float64) (lines []string) {
	holds := func(s Summary) bool { return s.SLO.Mean >= goal }
	var good, bad, measures []Summary
	for _, s := range all {
		switch {
		case s.Hindsight:
			measures = append(measures, s)
		case holds(s):
			good = append(good, s)
		default:
			bad = append(bad, s)
		}
	}
	slices.SortStableFunc(good, func(a, b Summary) int { return cmp.Compare(a.GPUHours.Mean, b.GPUHours.Mean) })
	slices.SortStableFunc(bad, func(a, b Summary) int { return cmp.Compare(b.SLO.Mean, a.SLO.Mean) })
	switch {
	case len(good)+len(bad) == 0:
	case len(good) == 0:
		lines = append(lines, fmt.Sprintf("No policy holds the goal: %s of the requests within both latencies.", percents(goal)))
	default:
		lines = append(lines, best(good[0]))
	}
	for _, s := range good[min(1, len(good)):] {
		lines = append(lines, fmt.Sprintf("%s holds the goal too, for %s more.", s.Policy, percents(ratio(s.GPUHours.Mean, good[0].GPUHours.Mean)-1)))
	}
	if len(bad) > 0 {
		lines = append(lines, missed(bad, goal))
	}
	for _, s := range measures {
		lines = append(lines, fmt.Sprintf("In hindsight, %s: %s in time for %s GPU-hours%s.", s.hindsight(goal),
			percents(s.SLO.Mean), hours(s.GPUHours.Mean), against(s, good, goal)))
	}
	return lines
}

// atTheirBest says what each policy would have taken at the cheapest of the
// settings that were tried and hold the goal; empty without a sweep.
func (r Report) atTheirBest() string {
	if len(r.Sweep) == 0 {
		return ""
	}
	var names []string
	cheapest := map[string]Summary{}
	for _, s := range Summarize(append(append([]Run{}, r.Runs...), r.Sweep...)) {
		name, _, _ := strings.Cut(s.Policy, ":")
		if s.Hindsight {
			continue
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if old, ok := cheapest[name]; s.SLO.Mean >= r.Goal && (!ok || s.GPUHours.Mean < old.GPUHours.Mean) {
			cheapest[name] = s
		}
	}
	return inWords(names, cheapest)
}

// inWords lists the cheapest first, and then those that hold the goal nowhere.
func inWords(names []string, cheapest map[string]Summary) string {
	var never []string
	best := slices.SortedFunc(maps.Values(cheapest), func(a, b Summary) int {
		return cmp.Or(cmp.Compare(a.GPUHours.Mean, b.GPUHours.Mean), cmp.Compare(a.Policy, b.Policy))
	})
	for _, n := range names {
		if _, ok := cheapest[n]; !ok {
			never = append(never, n)
		}
	}
	var each, parts []string
	for _, s := range best {
		each = append(each, fmt.Sprintf("%s %s", s.Policy, hours(s.GPUHours.Mean)))
	}
	if len(each) > 0 {
		parts = append(parts, "GPU-hours at the cheapest setting that holds the goal, known in hindsight only: "+strings.Join(each, ", "))
	}
	if len(never) > 0 {
		parts = append(parts, "no setting that was tried holds the goal for "+strings.Join(never, ", "))
	}
	text := strings.Join(parts, "; ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// missed lists those below the goal, the nearest to it first.
func missed(bad []Summary, goal float64) string {
	var each []string
	for _, s := range bad {
		each = append(each, fmt.Sprintf("%s (%s in time for %s GPU-hours)", s.Policy, percentsBelow(s.SLO.Mean, goal), hours(s.GPUHours.Mean)))
	}
	return "The goal is missed by " + strings.Join(each, ", ") + "."
}

func best(s Summary) string {
	line := fmt.Sprintf("%s holds the goal for the fewest GPU-hours: %s, with %s of the requests in time", s.Policy, hours(s.GPUHours.Mean), percents(s.SLO.Mean))
	if s.OracleRatio.Mean > 0 {
		line += fmt.Sprintf("; that is %.2f times what perfect foresight would need", s.OracleRatio.Mean)
	}
	return line + "."
}

// against says what the cheapest policy that holds the goal saves beside the
// smallest fixed fleet that holds it too.
func against(fleet Summary, good []Summary, goal float64) string {
	if fleet.Policy != "static" || fleet.SLO.Mean < goal || len(good) == 0 || fleet.GPUHours.Mean <= 0 {
		return ""
	}
	share := good[0].GPUHours.Mean/fleet.GPUHours.Mean - 1
	if share < 0 {
		return fmt.Sprintf("; %s takes %s less", good[0].Policy, percents(-share))
	}
	return fmt.Sprintf("; %s takes %s more", good[0].Policy, percents(share))
}

// hours keeps the digits that small loads have.
func hours(x float64) string {
	if x < 10 {
		return fixed(x, 2)
	}
	return fixed(x, 1)
}

// percents keeps the digits that distinguish 99 from 99.9; it never rounds up to 100.
func percents(share float64) string {
	p := 100 * share
	text := fmt.Sprintf("%.1f %%", p)
	if p < 100 && (p > 99.9 || text == "100.0 %") {
		text = fmt.Sprintf("%.2f %%", min(p, 99.99))
	}
	return strings.Replace(text, ".0 %", " %", 1)
}

// percentsBelow is a share below the goal with as many digits as show that: 98.96 % misses
// 99 %, which 99 % would not.
func percentsBelow(share, goal float64) string {
	text := percents(share)
	for digits := 2; text == percents(goal) && digits <= 6; digits++ {
		if exact := fmt.Sprintf("%.*f %%", digits, 100*share); exact != fmt.Sprintf("%.*f %%", digits, 100*goal) {
			text = exact
		}
	}
	return text
}
