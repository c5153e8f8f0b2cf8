package report

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// The curves of the page are the run's: seconds, sums of both queues, a reason where the want changed.
func TestCurves(t *testing.T) {
	r := sample()
	r.Details = []Detail{{Policy: "ipa", Replicas: []simulator.Change{{At: time.Minute, Replicas: 3}}, Series: []simulator.Point{
		{At: 10 * time.Second, Wanted: 2, Ready: 1, ArrivalsPerSecond: 5, Waiting: 3, Queued: 4, KV: .5, TTFTP50: time.Second, TTFTP95: 2 * time.Second, ITLP95: 30 * time.Millisecond, Why: " first "},
		{At: 20 * time.Second, Wanted: 2, Ready: 2, Why: "the same want"},
		{At: 30 * time.Second, Wanted: 3, Ready: 2},
		{At: 40 * time.Second, Wanted: 2, Ready: 3, Why: "less"},
	}}}
	c := r.curves(Summarize(r.Runs))
	if c.Goal != .99 || c.TTFT != 2 || c.ITL != .1 || c.Warmup != r.Warmup.Seconds() || c.Bound != 4 ||
		!reflect.DeepEqual(c.Oracle, [][2]float64{{0, 2}, {3600, 4}}) {
		t.Errorf("%+v", c)
	}
	p := c.Policies[0]
	if !slices.Equal(p.At, []float64{10, 20, 30, 40}) || !slices.Equal(p.Wanted, []int32{2, 2, 3, 2}) || !slices.Equal(p.Ready, []int32{1, 2, 2, 3}) ||
		!slices.Equal(p.Queue, []int{7, 0, 0, 0}) || !slices.Equal(p.Demand, []float64{5, 0, 0, 0}) || !slices.Equal(p.KV, []float64{.5, 0, 0, 0}) ||
		!reflect.DeepEqual(p.Replica, [][2]float64{{60, 3}}) {
		t.Errorf("%+v", p)
	}
	if *p.TTFT50[0] != 1 || *p.TTFT95[0] != 2 || *p.ITL95[0] != .03 || p.TTFT50[1] != nil || p.ITL95[1] != nil {
		t.Errorf("latencies %v %v %v", p.TTFT50, p.TTFT95, p.ITL95)
	}
	if want := map[int]string{0: "first", 3: "less"}; !reflect.DeepEqual(p.Why, want) {
		t.Errorf("reasons %v, want %v", p.Why, want)
	}
}

// A dot of the picture of cost and quality has the colour of its policy; those of a sweep have their knob.
func TestCurves_dots(t *testing.T) {
	r := sample()
	sweep := r.Runs[2]
	sweep.Policy, sweep.Knob, sweep.SweepOf, sweep.SLO, sweep.GPUHours = "kpa:target=8", "target=8", "kpa:target=20", .5, 9
	r.Sweep = append(r.Sweep, sweep)
	var got []dot
	for _, d := range r.curves(Summarize(r.Runs)).Points {
		got = append(got, dot{d.Policy, d.Knob, rounded(d.SLO), rounded(d.Hours)})
	}
	first := Summarize(r.Sweep)[0]
	want := []dot{{0, "", .9985, 5.3}, {1, "", .9585, 6.3}, {2, "", .8385, 7.3}, {0, "margin=2", rounded(first.SLO.Mean), rounded(first.GPUHours.Mean)}, {1, "target=8", .5, 9}}
	for i := range want {
		if i >= len(got) || got[i].Policy != want[i].Policy || got[i].Knob != want[i].Knob ||
			max(got[i].SLO-want[i].SLO, want[i].SLO-got[i].SLO) > 2e-4 || max(got[i].Hours-want[i].Hours, want[i].Hours-got[i].Hours) > 2e-4 {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

// A row holds the goal at exactly the goal; the longest bar is the dearest policy's.
func TestRows(t *testing.T) {
	all := []Summary{
		{Policy: "a", Seeds: 1, SLO: Estimate{Mean: .99}, GPUHours: Estimate{Mean: 2}},
		{Policy: "b", Seeds: 2, SLO: Estimate{Mean: .9899, Half: .01}, GPUHours: Estimate{Mean: 8, Half: 1}},
	}
	got := rows(all, .99)
	if !got[0].Holds || got[1].Holds || got[0].Width != 25 || got[1].Width != 100 || got[0].Index != 0 || got[1].Index != 1 {
		t.Errorf("%+v", got)
	}
	if got[0].SLO != (cell{"99.00", ""}) || got[1].SLO != (cell{"98.99", "± 1.00"}) || got[1].GPUHours != (cell{"8.00", "± 1.00"}) || len(got[0].Rest) != 7 {
		t.Errorf("%+v", got)
	}
}

// Of several policies that hold the goal, each dearer one is said with what it costs more.
func TestVerdict_severalHold(t *testing.T) {
	of := func(policy string, slo, hours float64) Summary {
		return Summary{Policy: policy, Seeds: 1, SLO: Estimate{Mean: slo}, GPUHours: Estimate{Mean: hours}}
	}
	lines := verdict([]Summary{of("dear", .995, 6), of("cheap", .99, 4), of("far", .5, 1), of("near", .98, 2)}, .99)
	want := []string{
		"cheap holds the goal for the fewest GPU-hours: 4.00, with 99 % of the requests in time.",
		"dear holds the goal too, for 50 % more.",
		"The goal is missed by near (98 % in time for 2.00 GPU-hours), far (50 % in time for 1.00 GPU-hours).",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
}

func TestGoalOf(t *testing.T) {
	r := Report{Goal: .995, SLO: simulator.SLO{TTFT: time.Second, TTFTPerToken: 200 * time.Microsecond, ITL: 50 * time.Millisecond}}
	want := "99.5 % of the requests are to be in time: the first token within 1s and 200µs more for each token of its prompt, and then 50ms or less a token on average."
	if got := goalOf(r); got != want {
		t.Errorf("%q", got)
	}
}

// What came of a recording: the first decision that differs, and a gap in the arrivals, are said where there are any.
func TestRecorded_String(t *testing.T) {
	r := Recorded{File: "run.gz", Decisions: 10, Identical: 10, Counted: 120, Finished: 118, Span: 300}
	if got, want := r.String(), "run.gz: 10 of 10 decisions come out as they were recorded. 120 requests were counted in 300 s, 118 are known to be finished."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Identical, r.First, r.Unknown = 9, "3 replicas instead of 4", 12
	if got, want := r.String(), "run.gz: 9 of 10 decisions come out as they were recorded; the first other one: 3 replicas instead of 4. 120 requests were counted in 300 s, 118 are known to be finished; for 12 s arrivals were not known."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
