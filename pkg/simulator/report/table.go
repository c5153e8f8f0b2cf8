package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the report as JSON: {"runs": [...]} and what describes them.
func (r Report) WriteJSON(w io.Writer) error {
	r.Runs = append(append([]Run{}, r.Runs...), r.Sweep...) // an empty list, not null
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// WriteTable writes what one looks at first: a row per policy, with means and
// 95 % confidence intervals where there are several seeds.
func (r Report) WriteTable(w io.Writer) error {
	all := Summarize(r.Runs)
	fmt.Fprintf(w, "%s on %s\n", r.Load, r.Engine)
	var settings []string
	for _, s := range r.Settings {
		settings = append(settings, s.Name+" "+s.Value)
	}
	fmt.Fprintf(w, "%s\n\n", strings.Join(settings, ", "))
	if r.Recorded != nil {
		fmt.Fprintf(w, "%s\n\n", r.Recorded)
	}
	if err := writeRows(w, all); err != nil {
		return err
	}
	if len(r.Sweep) > 0 {
		fmt.Fprintf(w, "\nsweep of every policy's knob:\n\n")
		if err := writeRows(w, Summarize(r.Sweep)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n"+r.footer(all))
	return err
}

func writeRows(w io.Writer, all []Summary) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "policy\tSLO %\tGPU-hours\tx oracle\twasted GPU-h\tscale ops\treversals\tp99 TTFT\tp99 ITL\trecovery\t")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", s.Policy,
			s.cell(s.SLO, percent), s.cell(s.GPUHours, decimals(2)), s.cell(s.OracleRatio, decimals(2)),
			s.cell(s.Wasted, decimals(2)),
			s.cell(s.Operations, count), s.cell(s.Reversals, count),
			s.cell(s.P99TTFT, duration), s.cell(s.P99ITL, duration), s.cell(s.Recovery, duration))
	}
	return t.Flush()
}

// footer explains the columns in the words of this report.
func (r Report) footer(all []Summary) string {
	var b strings.Builder
	if len(all) > 0 {
		s := all[0]
		fmt.Fprintf(&b, "The oracle's bound, with perfect foresight, is %.2f GPU-hours. ", s.Oracle.Mean)
		if s.Seeds > 1 {
			fmt.Fprintf(&b, "Means of %d seeds ± half of the 95 %% confidence interval. ", s.Seeds)
		}
	}
	fmt.Fprintf(&b, "SLO is the share of requests that met both latencies.\n")
	for _, s := range all {
		if s.Hindsight {
			fmt.Fprintf(&b, "%s: %s, known in hindsight only.\n", s.Policy, s.hindsight(r.Goal))
		}
	}
	if best := r.atTheirBest(); best != "" {
		fmt.Fprintln(&b, best)
	}
	return b.String()
}

// hindsight says what a row is that nobody could have run.
func (s Summary) hindsight(goal float64) string {
	switch fixed := s.Policy == "static"; {
	case fixed && s.Unsearched:
		return "a fleet of the size that the oracle has at its peak, and no other tried, for the load is long"
	case s.Unsearched:
		return "the oracle's schedule for a quarter more work, and no other tried, for the load is long"
	case fixed && s.SLO.Mean >= goal:
		return "the smallest fleet of fixed size that holds the goal"
	case fixed:
		return "the smallest fleet of fixed size that is as good as any, for the goal is not reachable by one"
	case s.SLO.Mean >= goal:
		return "the oracle's schedule, for the least more work that holds the goal"
	}
	return "the oracle's schedule for as much more work as helps, for the goal is not reachable by it"
}

// cell is a mean, with its interval where there are several seeds, both with the same digits.
func (s Summary) cell(e Estimate, as format) string {
	write, unit := as(e)
	if s.Seeds < 2 {
		return write(e.Mean) + unit
	}
	return write(e.Mean) + " ± " + write(e.Half) + unit
}

// format is how an estimate's numbers are written, and the unit behind them:
// the interval has the unit and the digits of its mean.
type format func(Estimate) (write func(float64) string, unit string)

func percent(Estimate) (func(float64) string, string) {
	return func(x float64) string { return fixed(100*x, 2) }, ""
}

func decimals(n int) format { //nolint:unparam a call shows how many
	return func(Estimate) (func(float64) string, string) {
		return func(x float64) string { return fixed(x, n) }, ""
	}
}

// count has a decimal only where a mean or its interval needs it.
func count(e Estimate) (func(float64) string, string) {
	n := 1
	if e.Mean == math.Trunc(e.Mean) && e.Half == math.Trunc(e.Half) {
		n = 0
	}
	return func(x float64) string { return fixed(x, n) }, ""
}

// duration is written in the unit that suits its mean.
func duration(e Estimate) (func(float64) string, string) {
	factor, n, unit := scale(e.Mean)
	return func(x float64) string { return fixed(x*factor, n) }, " " + unit
}

func fixed(x float64, n int) string { return strconv.FormatFloat(x, 'f', n, 64) }

// seconds writes a single time.
func seconds(x float64) string {
	factor, n, unit := scale(x)
	return fixed(x*factor, n) + " " + unit
}

// scale is the unit for a time in seconds, what it is multiplied with for it, and its decimals.
func scale(x float64) (factor float64, decimals int, unit string) {
	switch {
	case x == 0:
		return 1, 0, "s"
	case x < 1:
		return 1000, 0, "ms"
	case x < 10:
		return 1, 2, "s"
	case x < 3600:
		return 1, 0, "s"
	}
	return 1. / 3600, 1, "h"
}
