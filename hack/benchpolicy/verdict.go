package main

import (
	"fmt"
	"strings"
)

// verdict says on how many loads of a table our policy holds the goal, on how
// many of them for the fewest GPU-hours, and names every load on which a rival
// does better.
func (t table) verdict(b *strings.Builder, s *store) error {
	held, first, compared := 0, 0, 0
	var losses []string
	for _, l := range t.loads {
		mine, ok, err := t.mean(s, ours, l)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		rivals, err := t.rivals(s, l)
		if err != nil {
			return err
		}
		if compared++; mine.holds() {
			held++
		}
		switch loss := lost(mine, rivals); {
		case loss != "":
			losses = append(losses, l.name+": "+loss)
		case mine.holds():
			first++
		}
	}
	if compared == 0 {
		return nil
	}
	fmt.Fprintf(b, "`ipa` with default settings holds %.0f %% on %d of %d loads", 100*goal, held, compared)
	if held > 0 {
		fmt.Fprintf(b, ", on %d of those for fewer GPU-hours than every rival of this table that holds it too", first)
	}
	b.WriteString(".")
	if len(losses) > 0 {
		fmt.Fprintf(b, " Where a rival does better: %s.", strings.Join(losses, "; "))
	}
	b.WriteString("\n\n")
	return nil
}

// rivals are the means of the others that could have been run, not known in hindsight only.
func (t table) rivals(s *store, l load) (all []point, err error) {
	for _, p := range t.list {
		if p == staticName || p == oracleName || maker(p) == ours {
			continue
		}
		m, ok, err := t.mean(s, p, l)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, point{setting{p, p}, m})
		}
	}
	return all, nil
}

// lost says which rival does better than ours, and how; empty where none does.
func lost(mine mean, rivals []point) string {
	best, ok := cheapest(rivals, goal)
	switch {
	case ok && !mine.holds():
		return fmt.Sprintf("%s holds the goal for %s GPU-hours (ours %s %% for %s)", code(best.setting.spec), hours(best.hours), percents(mine.slo), hours(mine.hours))
	case ok && best.hours < mine.hours:
		return fmt.Sprintf("%s for %s GPU-hours (ours %s)", code(best.setting.spec), hours(best.hours), hours(mine.hours))
	case ok || mine.holds() || len(rivals) == 0:
		return ""
	}
	if near := nearest(rivals); near.slo > mine.slo {
		return fmt.Sprintf("%s comes nearer, %s %% for %s GPU-hours (ours %s %% for %s)", code(near.setting.spec),
			percents(near.slo), hours(near.hours), percents(mine.slo), hours(mine.hours))
	}
	return ""
}
