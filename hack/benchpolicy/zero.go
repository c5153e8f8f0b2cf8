package main

import (
	"fmt"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// kindZero is the tables of idle models: a day of each, on fleets that may have no replica
// and on fleets of one at least.
const kindZero = "zero"

// zeroColumn is a column of the table: a startup time and for how long a request may wait.
type zeroColumn struct{ lead, timeout string }

// longTimeout is the longest timeoutSeconds that Knative allows by default; its default is 5m.
const longTimeout = "10m"

func zeroColumns() []zeroColumn {
	return []zeroColumn{{"30s", longTimeout}, {"1m", longTimeout}, {"2m", longTimeout}, {"5m", longTimeout}, {"5m", "5m"}}
}

// String is the column's head.
func (c zeroColumn) String() string {
	if c.timeout == longTimeout {
		return "startup " + c.lead
	}
	return fmt.Sprintf("startup %s, requests wait %s at most", c.lead, c.timeout)
}

// toZero are the policies that go to zero, each with default settings; ours with the retention
// that WVA's defaults amount to, and KPA with what ours has at a startup time of 2 minutes.
func toZero() []string {
	return []string{ours, "ipa:retention=15m", "kpa", "kpa:retention=4m", "wva", "keda", oracleName}
}

// toOne are policies with a minimum of 1.
func toOne() []string {
	return []string{ours, "kpa", "hpa:metric=concurrency,target=20", staticName}
}

// zeroTables are two tables for each column, for a minimum of 0 and of 1.
func zeroTables(engine string) (tables []table) {
	for _, c := range zeroColumns() {
		tables = append(tables, zeroTable(engine, c, 0), zeroTable(engine, c, 1))
	}
	return tables
}

func zeroTable(engine string, c zeroColumn, least int) table {
	t := table{kind: kindZero, engine: engine, lead: c.lead, seeds: 1, list: toZero()}
	if least > 0 {
		t.list = toOne()
	}
	for m := range trace.Models {
		name := fmt.Sprintf("model%d", m+1)
		cell := fmt.Sprintf("%s min %d", name, least)
		if c.timeout != longTimeout {
			cell += " wait " + c.timeout
		}
		t.loads = append(t.loads, load{name: cell, idle: true, run: 0.25, bound: 0.25, args: []string{
			"--synthetic", name, "--length", "24h", "--queue-timeout", c.timeout, "--min", fmt.Sprint(least)}})
	}
	return t
}

// idleDay is what a policy did for all models.
type idleDay struct{ requests, late, lost, hours float64 }

// idleDay sums up the runs of a policy; ok is false while one is missing.
func (t table) idleDay(s *store, policy string) (d idleDay, ok bool, err error) {
	for _, l := range t.loads {
		runs, err := s.of(t.cell(l), policy, 1)
		if err != nil || len(runs) == 0 {
			return d, false, err
		}
		f := runs[0]
		lost := f.Refused + f.Lost + f.Unfinished
		d.requests, d.lost, d.hours = d.requests+f.Requests, d.lost+lost, d.hours+f.GPUHours
		d.late += f.Requests - f.Met - lost
	}
	return d, true, nil
}

// misses is the share of requests that were late or lost.
func (d idleDay) misses() float64 { return (d.late + d.lost) / d.requests }

// better reports whether a day has no more misses and costs no more than another, and one of both less.
func (d idleDay) better(than idleDay) bool {
	return d.misses() <= than.misses() && d.hours <= than.hours && d != than
}

func (d idleDay) String() string {
	text := fmt.Sprintf("%s h, %.1f %% late", hours(d.hours), 100*d.late/d.requests)
	if d.lost > 0 {
		text += fmt.Sprintf(", **%.0f lost**", d.lost)
	}
	return text
}

// zeroDocument is the table, of the columns that were run; a policy without all runs has "-".
func zeroDocument(tables []table, s *store) (string, error) {
	var zero []table
	for _, t := range tables {
		if t.kind == kindZero {
			zero = append(zero, t)
		}
	}
	if len(zero) == 0 {
		return "", nil
	}
	var b strings.Builder
	b.WriteString("| least | policy |")
	for _, c := range zeroColumns() {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(zeroColumns())) + "\n")
	ran := false
	for least := range 2 {
		for i, p := range zero[least].list {
			fmt.Fprintf(&b, "| %s | %s |", map[bool]string{true: fmt.Sprint(least)}[i == 0], code(p))
			for c := range zeroColumns() {
				d, ok, err := zero[2*c+least].idleDay(s, p)
				if err != nil {
					return "", err
				}
				ran = ran || ok
				fmt.Fprintf(&b, " %s |", map[bool]string{true: d.String(), false: "-"}[ok])
			}
			b.WriteString("\n")
		}
	}
	if !ran {
		return "", nil
	}
	return b.String() + zeroVerdict(zero, s), nil
}

// zeroVerdict says where a rival is better than ours in both, and where ours is.
func zeroVerdict(zero []table, s *store) string {
	var theirs, mine []string
	for c, column := range zeroColumns() {
		t := zero[2*c]
		own, ok, err := t.idleDay(s, ours)
		if !ok || err != nil {
			continue
		}
		for _, p := range t.list {
			d, ok, err := t.idleDay(s, p)
			switch {
			case !ok || err != nil || maker(p) == ours || p == oracleName:
			case d.better(own):
				theirs = append(theirs, fmt.Sprintf("%s (%s)", code(p), column))
			case own.better(d):
				mine = append(mine, fmt.Sprintf("%s (%s)", code(p), column))
			}
		}
	}
	none := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("\nCheaper than `ipa` with no more late or lost requests, or as cheap with fewer: %s. The other way round: %s.\n",
		none(theirs), none(mine))
}
