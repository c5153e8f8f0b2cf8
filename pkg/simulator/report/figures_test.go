package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// Every figure of a run's JSON, by its name and in its unit: programs read these.
func TestNewRun_figures(t *testing.T) {
	c := simulator.NewConfig()
	c.Seed = 7
	run := NewRun("kpa:target=20", c, simulator.Result{
		Requests: 1000, Met: 900, Refused: 30, Lost: 20, Unfinished: 10, Aborted: 5, Preemptions: 40,
		GPUHours: 6, LoadingGPUHours: .5, ScaleOperations: 11, Reversals: 3,
		P50TTFT: 100 * time.Millisecond, P95TTFT: 200 * time.Millisecond, P99TTFT: 300 * time.Millisecond,
		MeanITL: 10 * time.Millisecond, P95ITL: 20 * time.Millisecond, P99ITL: 30 * time.Millisecond,
		Recovery: 90 * time.Second, CPU: 1500 * time.Millisecond, Span: 2 * time.Hour,
		Replicas: []simulator.Change{{Replicas: 2}, {At: time.Minute, Replicas: 9}, {At: time.Hour, Replicas: 4}},
	}, Oracle{GPUHours: 4, FluidGPUHours: 3})
	run.WastedGPUHours = 2.5
	var out bytes.Buffer
	if err := (Report{Runs: []Run{run}}).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Runs []map[string]any `json:"runs"`
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"policy": "kpa:target=20", "seed": 7., "slo": .9, "gpu_hours": 6., "oracle_gpu_hours": 4., "oracle_ratio": 1.5,
		"fluid_gpu_hours": 3., "loading_gpu_hours": .5, "wasted_gpu_hours": 2.5, "scale_operations": 11., "reversals": 3.,
		"p50_ttft_s": .1, "p95_ttft_s": .2, "p99_ttft_s": .3, "mean_itl_s": .01, "p95_itl_s": .02, "p99_itl_s": .03,
		"recovery_s": 90., "requests": 1000., "cpu_seconds": 1.5, "met": 900., "unfinished": 10., "refused": 30., "lost": 20.,
		"aborted": 5., "preemptions": 40., "simulated_s": 7200., "max_replicas": 9.,
	}
	for name, value := range want {
		if got := read.Runs[0][name]; got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
	if len(read.Runs[0]) != len(want) {
		t.Errorf("%d figures, want %d: %v", len(read.Runs[0]), len(want), read.Runs[0])
	}
	none := NewRun("x", c, simulator.Result{GPUHours: math.NaN(), LoadingGPUHours: math.Inf(1)}, Oracle{GPUHours: math.Inf(-1), FluidGPUHours: math.NaN()})
	if none.GPUHours != 0 || none.LoadingGPUHours != 0 || none.OracleGPUHours != 0 || none.FluidGPUHours != 0 || none.OracleRatio != 0 || none.MaxReplicas != 0 {
		t.Errorf("numbers that JSON cannot hold: %+v, want 0", none)
	}
	if of := ratio(5, 0); of != 0 {
		t.Errorf("5 of nothing is %v, want 0", of)
	}
}

// The words beside the figures, in table and page, for one seed and for several, with a sweep and without.
func TestReport_words(t *testing.T) {
	several, one := sample(), sample()
	one.Runs, one.Sweep = []Run{one.Runs[0], one.Runs[2], one.Runs[4]}, nil
	for _, c := range []struct {
		name         string
		report       Report
		table, page  []string
		neither      []string
		verdictLines int
	}{
		{"two seeds and a sweep", several,
			[]string{"Means of 2 seeds", "GPU-hours at the cheapest setting"},
			[]string{"Means over 2 seeds", "<li>GPU-hours at the cheapest setting", "<small>± 0.64</small>", "perfectly even load 4.00 GPU-hours would do"}, nil, 4},
		{"one seed", one, []string{"ipa  99.90"}, []string{"<td>1.55</td><td>0.00</td><td>7</td><td>1</td><td>2.00 s</td><td>80 ms</td><td>60 s</td>"},
			[]string{"seeds", "±", "cheapest setting"}, 3},
	} {
		var table, page bytes.Buffer
		if err := c.report.WriteTable(&table); err != nil {
			t.Fatal(err)
		}
		if err := c.report.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
		// The script and the style sheet are the same for all.
		body, _, _ := strings.Cut(page.String(), "<section id=\"pareto\"")
		_, body, _ = strings.Cut(body, "<main>")
		for _, s := range c.table {
			if !strings.Contains(table.String(), s) {
				t.Errorf("%s: the table lacks %q:\n%s", c.name, s, table.String())
			}
		}
		for _, s := range c.page {
			if !strings.Contains(body, s) {
				t.Errorf("%s: the page lacks %q:\n%s", c.name, s, body)
			}
		}
		for _, s := range c.neither {
			if strings.Contains(table.String(), s) || strings.Contains(body, s) {
				t.Errorf("%s: table or page has %q", c.name, s)
			}
		}
		if n := strings.Count(body, "<li"); n != c.verdictLines {
			t.Errorf("%s: %d sentences, want %d:\n%s", c.name, n, c.verdictLines, body)
		}
	}
}

// What the cheapest policy saves beside a fixed fleet is said only where both hold the goal.
func TestAgainst(t *testing.T) {
	of := func(policy string, slo, hours float64) Summary {
		return Summary{Policy: policy, SLO: Estimate{Mean: slo}, GPUHours: Estimate{Mean: hours}}
	}
	for _, c := range []struct {
		fleet Summary
		good  []Summary
		want  string
	}{
		{of("static", .99, 8), []Summary{of("ipa", 1, 6)}, "; ipa takes 25 % less"},
		{of("static", .99, 8), []Summary{of("ipa", 1, 12)}, "; ipa takes 50 % more"},
		{of("static", .98, 8), []Summary{of("ipa", 1, 6)}, ""},
		{of("static", .99, 8), nil, ""},
		{of("static", .99, 0), []Summary{of("ipa", 1, 6)}, ""},
		{of("oracle", .99, 8), []Summary{of("ipa", 1, 6)}, ""},
	} {
		if got := against(c.fleet, c.good, .99); got != c.want {
			t.Errorf("%v of %v: %q, want %q", c.fleet, c.good, got, c.want)
		}
	}
}

// Units and digits change at these values.
func TestWords_edges(t *testing.T) {
	for x, want := range map[float64]string{.999: "999 ms", 1: "1.00 s", 9.99: "9.99 s", 10: "10 s", 3599: "3599 s", 3600: "1.0 h"} {
		if got := seconds(x); got != want {
			t.Errorf("%v s is %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0.00", 9.99: "9.99", 10: "10.0", 123.45: "123.5"} {
		if got := hours(x); got != want {
			t.Errorf("%v hours are %q, want %q", x, got, want)
		}
	}
}
