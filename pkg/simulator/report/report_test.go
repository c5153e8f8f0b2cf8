package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

var update = flag.Bool("update", false, "write testdata anew")

// sample is a report of three policies on two seeds.
func sample() Report {
	config := simulator.NewConfig()
	oracle := Oracle{GPUHours: 4, FluidGPUHours: 3, Replicas: []simulator.Change{{At: 0, Replicas: 2}, {At: time.Hour, Replicas: 4}}}
	r := Report{
		Load: "a load: 100 requests in 2h0m0s", Engine: "a100", Goal: .99, SLO: config.SLO, Warmup: config.Warmup, Oracle: oracle,
		Settings: []Setting{{"goal", "99 %"}, {"TTFT", "2s"}},
	}
	for i, policy := range []string{"ipa", "kpa:target=20", "static"} {
		for seed := uint64(1); seed <= 2; seed++ {
			c := config
			c.Seed = seed
			run := NewRun(policy, c, simulator.Result{
				Requests: 1000, Met: 1000 - int64(i*i*40) - int64(seed), GPUHours: 5 + float64(i) + .2*float64(seed), ScaleOperations: 7 * i, Reversals: i,
				P50TTFT: 90 * time.Millisecond, P99TTFT: time.Duration(1+i) * time.Second, P99ITL: 80 * time.Millisecond, Recovery: time.Duration(60*i) * time.Second,
				Span: time.Hour, CPU: time.Second, Replicas: []simulator.Change{{At: 0, Replicas: 5}},
			}, oracle)
			run.Hindsight = policy == "static"
			r.Runs = append(r.Runs, run)
		}
		r.Details = append(r.Details, Detail{Policy: policy, Series: []simulator.Point{
			{At: 10 * time.Second, Wanted: 2, Ready: 2, ArrivalsPerSecond: 5, KV: .5, TTFTP95: time.Second, Why: "2 replicas: </script> wants 2"},
			{At: 20 * time.Second, Wanted: 3, Ready: 2, ArrivalsPerSecond: math.NaN(), KV: math.Inf(1)},
		}})
	}
	sweep := r.Runs[0]
	sweep.Policy, sweep.Knob, sweep.SweepOf = "ipa:margin=2", "margin=2", "ipa"
	r.Sweep = []Run{sweep}
	return r
}

func TestWriteTable(t *testing.T) {
	var out bytes.Buffer
	if err := sample().WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/table.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the table is\n%s\nnot that of %s (%v); go test -update if it should be", out.Bytes(), golden, err)
	}
}

// TestNewRun_isFinite: JSON cannot hold NaN, and no checker wants it.
func TestNewRun_isFinite(t *testing.T) {
	run := NewRun("x", simulator.NewConfig(), simulator.Result{GPUHours: math.NaN(), LoadingGPUHours: math.Inf(1)}, Oracle{GPUHours: math.Inf(-1)})
	var out bytes.Buffer
	if err := (Report{Runs: []Run{run}}).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := sample().WriteJSON(&out); err != nil || strings.Count(out.String(), `"policy": "ipa`) != 3 {
		t.Errorf("%v; the sweep's run is not among %s", err, out.String())
	}
	out.Reset()
	if err := (Report{}).WriteJSON(&out); err != nil || !strings.Contains(out.String(), `"runs": []`) {
		t.Errorf("%v %s", err, out.String())
	}
}

// TestWriteHTML_isSafe: what users name and decisions say cannot leave the page's data.
func TestWriteHTML_isSafe(t *testing.T) {
	r := sample()
	r.Load = `<img src=x onerror=alert(1)>`
	r.Runs[0].Policy, r.Runs[1].Policy = `<b>"ipa`, `<b>"ipa`
	var out bytes.Buffer
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	if strings.Contains(page, "<img") || strings.Contains(page, `<b>"ipa`) || strings.Count(page, "</script>") != 3 {
		t.Error("something got out")
	}
	_, data, _ := strings.Cut(page, `id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	var c curves
	if err := json.Unmarshal([]byte(data), &c); err != nil || len(c.Policies) != 3 || c.Policies[0].Why[0] == "" || c.Policies[0].TTFT95[1] != nil {
		t.Errorf("%v %+v", err, c)
	}
	if err := (Report{Runs: sample().Runs[:1]}).WriteHTML(&out); err != nil {
		t.Errorf("without details: %v", err)
	}
}

func TestVerdict(t *testing.T) {
	lines := verdict(Summarize(sample().Runs), .99)
	want := []string{
		"ipa holds the goal for the fewest GPU-hours: 5.30, with 99.8 % of the requests in time; that is 1.33 times what perfect foresight would need.",
		"The goal is missed by kpa:target=20 (95.8 % in time for 6.30 GPU-hours).",
		"In hindsight, the smallest fleet of fixed size that is as good as any, for the goal is not reachable by one: 83.9 % in time for 7.30 GPU-hours.",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	saves := verdict(Summarize(sample().Runs), .8)
	if got, want := saves[len(saves)-1], "In hindsight, the smallest fleet of fixed size that holds the goal: 83.9 % in time for 7.30 GPU-hours; ipa takes 27.4 % less."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if lines := verdict(Summarize(sample().Runs[2:4]), .99); lines[0] != "No policy holds the goal: 99 % of the requests within both latencies." {
		t.Errorf("%q", lines)
	}
}

// TestAtTheirBest: settings that were tried count by policy, hindsight does not.
func TestAtTheirBest(t *testing.T) {
	run := func(policy string, slo, hours float64) Run { return Run{Policy: policy, SLO: slo, GPUHours: hours} }
	r := Report{Goal: .99, Runs: []Run{run("ipa", .999, 5), run("kpa:target=20", .9, 3), run("hpa", .2, 1), {Policy: "static", Hindsight: true, SLO: 1, GPUHours: .5}}}
	if got := r.atTheirBest(); got != "" {
		t.Errorf("without a sweep: %q", got)
	}
	r.Sweep = []Run{run("ipa:margin=0.8", .99, 4), run("ipa:margin=0.7", .98, 2), run("kpa:target=8", 1, 3.5)}
	want := "GPU-hours at the cheapest setting that holds the goal, known in hindsight only: kpa:target=8 3.50, ipa:margin=0.8 4.00; no setting that was tried holds the goal for hpa."
	if got := r.atTheirBest(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Goal = 1.1
	if got := r.atTheirBest(); got != "No setting that was tried holds the goal for ipa, kpa, hpa." {
		t.Errorf("%q", got)
	}
	r = Report{Goal: .5, Runs: []Run{{Policy: "static", Hindsight: true}}, Sweep: []Run{{Policy: "x", Hindsight: true}}}
	if got := r.atTheirBest(); got != "" {
		t.Errorf("hindsight only: %q", got)
	}
}

// TestCell: an interval has the unit and the digits of its mean.
func TestCell(t *testing.T) {
	for _, c := range []struct {
		as         format
		mean, half float64
		want       string
	}{
		{duration, 122, 5.42, "122 ± 5 s"}, {duration, .9, 1.5, "900 ± 1500 ms"}, {duration, 0, 0, "0 ± 0 s"}, {duration, 7200, 900, "2.0 ± 0.2 h"},
		{count, 50, 9.04, "50.0 ± 9.0"}, {count, 4, 0, "4 ± 0"}, {percent, .9955, .0065, "99.55 ± 0.65"}, {decimals(2), 29.06, 2.664, "29.06 ± 2.66"},
	} {
		if got := (Summary{Seeds: 3}).cell(Estimate{c.mean, c.half}, c.as); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := (Summary{Seeds: 1}).cell(Estimate{Mean: .0801}, duration); got != "80 ms" {
		t.Errorf("%q", got)
	}
}

// TestWriteHTML_words: the page says what the goal is and what each policy is.
func TestWriteHTML_words(t *testing.T) {
	var out bytes.Buffer
	if err := sample().WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"99 % of the requests are to be in time: the first token within 2s, and then 100ms or less a token on average.",
		"<dt>ipa</dt><dd>This project", "<dt>kpa</dt><dd>Knative",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "<dt>wva</dt>") {
		t.Error("the page explains a policy that it does not show")
	}
}

func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		values     []float64
		mean, half float64
	}{
		{nil, 0, 0}, {[]float64{3}, 3, 0}, {[]float64{1, 3}, 2, 12.706}, {[]float64{2, 2, 2}, 2, 0},
		{[]float64{1, 2, 3, 4, 5}, 3, 2.776 * math.Sqrt(2.5/5)},
	} {
		if e := estimate(c.values); !(math.Abs(e.Mean-c.mean) <= 1e-9 && math.Abs(e.Half-c.half) <= 1e-3) { // NaN fails too
			t.Errorf("%v: %+v, want %v ± %v", c.values, e, c.mean, c.half)
		}
	}
	// Of the tables: t at 97.5 % for 11, 20 and 120 degrees.
	for degrees, want := range map[int]float64{11: 2.201, 20: 2.086, 120: 1.980} {
		if got := student(degrees); math.Abs(got-want) > .003 {
			t.Errorf("t of %d degrees is %.4f, want %.3f", degrees, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for share, want := range map[float64]string{.99: "99 %", .995: "99.5 %", .99999: "99.99 %", 1: "100 %", .8375: "83.8 %", 0: "0 %", .64: "64 %", .99976: "99.98 %", .999996: "99.99 %"} {
		if got := percents(share); got != want {
			t.Errorf("%v is %q, want %q", share, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0 s", .0801: "80 ms", 1.234: "1.23 s", 61.2: "61 s", 7200: "2.0 h"} {
		if got := seconds(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
}

// TestHindsight: what a row is that nobody could have run, and whether it was searched for.
func TestHindsight(t *testing.T) {
	met, missed := Estimate{Mean: .995}, Estimate{Mean: .9}
	for want, s := range map[string]Summary{
		"the smallest fleet of fixed size that holds": {Policy: "static", SLO: met},
		"the goal is not reachable by one":            {Policy: "static", SLO: missed},
		"size that the oracle has at its peak":        {Policy: "static", SLO: missed, Unsearched: true},
		"for a quarter more work, and no other tried": {Policy: "oracle", SLO: missed, Unsearched: true},
		"for the goal is not reachable by it":         {Policy: "oracle", SLO: missed},
		"for the least more work that holds the goal": {Policy: "oracle", SLO: met},
	} {
		if got := s.hindsight(.99); !strings.Contains(got, want) {
			t.Errorf("%+v: %q lacks %q", s, got, want)
		}
	}
}

// A policy that misses the goal is not shown at the goal.
func TestPercentsBelow(t *testing.T) {
	for _, c := range []struct {
		share, goal float64
		want        string
	}{
		{0.9896, 0.99, "98.96 %"}, {0.98, 0.99, "98 %"}, {0.98996, 0.99, "98.996 %"}, {0.95, 0.99, "95 %"}, {0, 0.99, "0 %"},
		{0.99899, 0.999, "99.899 %"}, {0.9999999999, 1, "99.99 %"}, {0.4999, 0.5, "49.99 %"},
	} {
		if got := percentsBelow(c.share, c.goal); got != c.want {
			t.Errorf("%v below %v: %q, want %q", c.share, c.goal, got, c.want)
		}
	}
}
