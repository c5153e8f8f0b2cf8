package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/charts"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// WriteHTML writes one file for a browser, which needs nothing else.
func (r Report) WriteHTML(w io.Writer) error {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	all := Summarize(r.Runs)
	words := verdict(all, r.Goal)
	if best := r.atTheirBest(); best != "" {
		words = append(words, best)
	}
	return page.Execute(w, map[string]any{
		"Report": r, "Data": r.curves(all), "CSS": template.CSS(pageCSS), "JS": template.JS(pageJS),
		"Charts":  map[string]any{"CSS": charts.CSS(), "JS": charts.JS()},
		"Verdict": words, "Rows": rows(all, r.Goal), "Seeds": all[0].Seeds, "Oracle": fixed(all[0].Oracle.Mean, 2),
		"Goal": goalOf(r), "Known": known(all),
	})
}

// goalOf says in a sentence what every policy is measured by.
func goalOf(r Report) string {
	first := r.SLO.TTFT.String()
	if r.SLO.TTFTPerToken > 0 {
		first += fmt.Sprintf(" and %v more for each token of its prompt", r.SLO.TTFTPerToken)
	}
	return fmt.Sprintf("%s of the requests are to be in time: the first token within %s, and then %v or less a token on average.",
		percents(r.Goal), first, r.SLO.ITL)
}

// meaning is a policy's name with what it is.
type meaning struct{ Name, Is string }

// known explains the policies of a report, each once.
func known(all []Summary) (words []meaning) {
	for _, m := range []meaning{
		{"ipa", "This project's autoscaler: it learns what a replica carries within the latencies."},
		{"kpa", "Knative's own autoscaler, on requests in flight or per second."},
		{"hpa", "Kubernetes' HorizontalPodAutoscaler, on one metric of the engines."},
		{"apa", "The autoscaler of AIBrix, on one metric of the engines."},
		{"wva", "The workload variant autoscaler of llm-d, with the HorizontalPodAutoscaler behind it."},
	} {
		if slices.ContainsFunc(all, func(s Summary) bool { name, _, _ := strings.Cut(s.Policy, ":"); return name == m.Name }) {
			words = append(words, m)
		}
	}
	return words
}

// row is a line of the page's table.
type row struct {
	Policy           string
	Index            int
	Holds, Hindsight bool
	SLO, GPUHours    cell
	// Width is the bar of the GPU-hours, in percent of the largest.
	Width float64
	Rest  []cell
}

// cell is a mean and, with several seeds, its interval.
type cell struct{ Mean, Half string }

func rows(all []Summary, goal float64) (rows []row) {
	most := 0.0
	for _, s := range all {
		most = max(most, s.GPUHours.Mean)
	}
	for i, s := range all {
		of := func(e Estimate, as format) cell {
			write, unit := as(e)
			c := cell{Mean: write(e.Mean) + unit}
			if s.Seeds > 1 {
				c.Half = "± " + write(e.Half) + unit
			}
			return c
		}
		rows = append(rows, row{
			Policy: s.Policy, Index: i % colors, Holds: s.SLO.Mean >= goal, Hindsight: s.Hindsight,
			SLO: of(s.SLO, percent), GPUHours: of(s.GPUHours, decimals(2)), Width: 100 * ratio(s.GPUHours.Mean, most),
			Rest: []cell{
				of(s.OracleRatio, decimals(2)), of(s.Wasted, decimals(2)), of(s.Operations, count), of(s.Reversals, count),
				of(s.P99TTFT, duration), of(s.P99ITL, duration), of(s.Recovery, duration),
			},
		})
	}
	return rows
}

// colors is how many the style sheet has for policies.
const colors = 8

// curves is what the page's script draws. Times are in seconds.
type curves struct {
	Goal     float64      `json:"goal"`
	TTFT     float64      `json:"ttft"`
	ITL      float64      `json:"itl"`
	Warmup   float64      `json:"warmup"`
	Bound    float64      `json:"bound"`
	Oracle   [][2]float64 `json:"oracle"`
	Policies []curve      `json:"policies"`
	Points   []dot        `json:"points"`
}

// curve is one policy over time; an unknown latency is null.
type curve struct {
	Name    string         `json:"name"`
	At      []float64      `json:"t"`
	Wanted  []int32        `json:"wanted"`
	Ready   []int32        `json:"ready"`
	Demand  []float64      `json:"demand"`
	Queue   []int          `json:"queue"`
	KV      []float64      `json:"kv"`
	TTFT50  []*float64     `json:"ttft50"`
	TTFT95  []*float64     `json:"ttft95"`
	ITL95   []*float64     `json:"itl95"`
	Replica [][2]float64   `json:"replicas"`
	Why     map[int]string `json:"why"`
}

// dot is a setting of a policy in the plane of cost and quality.
type dot struct {
	Policy int     `json:"policy"`
	Knob   string  `json:"knob"`
	SLO    float64 `json:"slo"`
	Hours  float64 `json:"hours"`
}

func (r Report) curves(all []Summary) curves {
	c := curves{Goal: r.Goal, TTFT: r.SLO.TTFT.Seconds(), ITL: r.SLO.ITL.Seconds(), Warmup: r.Warmup.Seconds(),
		Bound: all[0].Oracle.Mean, Oracle: line(r.Oracle.Replicas)}
	index := map[string]int{}
	for i, s := range all {
		index[s.Policy] = i
		c.Points = append(c.Points, dot{i, "", s.SLO.Mean, s.GPUHours.Mean})
	}
	for _, s := range Summarize(r.Sweep) {
		c.Points = append(c.Points, dot{index[s.SweepOf], s.Knob, s.SLO.Mean, s.GPUHours.Mean})
	}
	for _, d := range r.Details {
		c.Policies = append(c.Policies, curveOf(d))
	}
	return c
}

func curveOf(d Detail) curve {
	c := curve{Name: d.Policy, Replica: line(d.Replicas), Why: map[int]string{}}
	wanted := int32(-1)
	for i, p := range d.Series {
		c.At, c.Demand = append(c.At, p.At.Seconds()), append(c.Demand, rounded(p.ArrivalsPerSecond))
		c.Wanted, c.Ready = append(c.Wanted, p.Wanted), append(c.Ready, p.Ready)
		c.Queue, c.KV = append(c.Queue, p.Waiting+p.Queued), append(c.KV, rounded(p.KV))
		c.TTFT50, c.TTFT95, c.ITL95 = append(c.TTFT50, ended(p.TTFTP50)), append(c.TTFT95, ended(p.TTFTP95)),
			append(c.ITL95, ended(p.ITLP95))
		if p.Wanted != wanted && p.Why != "" {
			c.Why[i] = strings.TrimSpace(p.Why)
		}
		wanted = p.Wanted
	}
	return c
}

// line is a time line as pairs of seconds and replicas.
func line(changes []simulator.Change) (pairs [][2]float64) {
	for _, c := range changes {
		pairs = append(pairs, [2]float64{c.At.Seconds(), float64(c.Replicas)})
	}
	return pairs
}

// ended is nil where no request ended.
func ended(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := rounded(d.Seconds())
	return &s
}

// rounded keeps the page small.
func rounded(x float64) float64 { return float64(int64(finite(x)*1e4)) / 1e4 }
