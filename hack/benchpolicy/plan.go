package main

import (
	"fmt"
	"slices"
)

// table is what one table of the document shows: policies on loads.
type table struct {
	kind         string // main, ablation, sweep, dirty or zero
	engine, lead string
	seeds        int
	loads        []load
	list         []string
}

// The kinds of tables.
const (
	kindMain     = "main"
	kindAblation = "ablation"
	kindSweep    = "sweep"
)

func (t table) cell(l load) cell { return cell{l, t.engine, t.lead} }

// first is the engine of the tables that have most seeds.
const first = "a100-llama-3.1-8b"

// seedsOf is how many seeds a policy gets on a load: fewer on a long one, of
// whose million requests chance is averaged out.
func (t table) seedsOf(policy string, l load) int {
	switch {
	case policy == hopeless, l.long() && (t.seeds < 5 || t.engine != first || t.lead != "2m"):
		return 1
	case l.long():
		return 3
	}
	return t.seeds
}

// plan is all tables, the most telling first: a benchmark that is cut short has
// whole tables. Runs that an earlier table has are not made again.
func plan(quick bool) []table {
	const second, third = "rtxpro6000-qwen3-32b-tp2", "l40s-llama-3.1-8b"
	if quick {
		short := []load{{name: "burst", args: []string{"--synthetic", "burst"}, run: 0.1, bound: 0.5}}
		return []table{{kindMain, first, "2m", 1, short, []string{ours, "kpa", staticName, oracleName}}}
	}
	all := loads()
	short := slices.DeleteFunc(loads(), load.long)
	return append(append([]table{
		{kindMain, first, "2m", 5, all, policies()},
		{kindSweep, first, "2m", 2, all, settings()},
		{kindAblation, first, "2m", 3, short, ablations()},
		{kindMain, second, "2m", 5, all, policies()},
		{kindMain, first, "1m", 5, all, policies()},
		{kindMain, first, "5m", 5, all, policies()},
		{kindSweep, second, "2m", 2, short, settings()},
		{kindMain, third, "2m", 2, all, policies()},
		{kindSweep, third, "2m", 2, short, settings()},
	}, dirtyTables(first)...), zeroTables(first)...)
}

// call is one call of simulate: policies that lack the same seeds of a cell.
type call struct {
	cell     cell
	policies []string
	from, to int // seeds, both included
}

// String names the call in a line.
func (c call) String() string {
	return fmt.Sprintf("%s, seeds %d to %d, %d policies from %s on", c.cell.name(), c.from, c.to, len(c.policies), c.policies[0])
}

// effort is about how many seconds of a core it takes.
func (c call) effort() float64 {
	runs := 0.0
	for _, p := range c.policies {
		switch p {
		case oracleName:
			runs += 8
		case staticName, hopeless:
			runs += 6
		default:
			runs++
		}
	}
	seeds := float64(c.to - c.from + 1)
	return 0.5 + seeds*(c.cell.load.bound+runs*c.cell.load.run)
}

// calls are what is not in the store yet, of the policies that are asked for,
// long loads last.
func (t table) calls(s *store, asked func(policy string) bool) (all []call, err error) {
	for _, l := range slices.SortedStableFunc(slices.Values(t.loads), func(a, b load) int { return a.rank() - b.rank() }) {
		for _, p := range t.list {
			if !asked(p) {
				continue
			}
			want := t.seedsOf(p, l)
			have, err := s.of(t.cell(l), p, want)
			if err != nil {
				return nil, err
			}
			if len(have) < want {
				all = joined(all, call{t.cell(l), []string{p}, len(have) + 1, want})
			}
		}
	}
	return all, nil
}

// joined adds a call to the one of the same cell and seeds.
func joined(all []call, c call) []call {
	for i := range all {
		if all[i].cell.name() == c.cell.name() && all[i].from == c.from && all[i].to == c.to {
			all[i].policies = append(all[i].policies, c.policies...)
			return all
		}
	}
	return append(all, c)
}
