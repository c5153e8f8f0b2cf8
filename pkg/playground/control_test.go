package playground

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// What a viewer asks for reaches the simulated fleet, and the real loop as annotations would.
func TestControl_reachesBoth(t *testing.T) {
	c := NewControl()
	c.TTFT, c.ITL, c.Goal, c.Max, c.Lead = 1.5, 0.05, 0.95, 7, 30*time.Second
	cfg, err := c.config()
	if err != nil || cfg.SLO.TTFT != 1500*time.Millisecond || cfg.SLO.ITL != 50*time.Millisecond || cfg.SLO.Goal != 0.95 || cfg.Lead != 30*time.Second ||
		cfg.Warmup != 0 || cfg.Scrape != 100*time.Millisecond { // every request counts on the page
		t.Errorf("%+v, %v", cfg, err)
	}
	s := c.spec()
	if s.SLO.TTFT != cfg.SLO.TTFT || s.SLO.ITL != cfg.SLO.ITL || s.SLO.Goal != 0.95 || s.SLO.StartupTime != c.Lead ||
		s.MinReplicas != 1 || s.MaxReplicas != 7 || len(s.Targets) != 1 || s.Targets[0].Metric != decider.SLO {
		t.Errorf("%+v", s)
	}
}

// The first and the last value of each range is taken, and none beyond.
func TestControl_ranges(t *testing.T) {
	for name, c := range map[string]struct {
		set                      func(*Control, float64)
		below, first, last, more float64
	}{
		"rate":   {func(c *Control, x float64) { c.Rate = x }, -.1, 0, 10_000, 10_001},
		"input":  {func(c *Control, x float64) { c.Input = x }, .9, 1, 30_000, 30_001},
		"output": {func(c *Control, x float64) { c.Output = x }, .9, 1, 4000, 4001},
		"ttft":   {func(c *Control, x float64) { c.TTFT = x }, .009, .01, 600, 601},
		"itl":    {func(c *Control, x float64) { c.ITL = x }, .0009, .001, 60, 61},
		"goal":   {func(c *Control, x float64) { c.Goal = x }, .49, .5, .9999, 1},
		"max":    {func(c *Control, x float64) { c.Max = int32(x) }, 0, 1, 500, 501},
		"lead":   {func(c *Control, x float64) { c.Lead = time.Duration(x) * time.Second }, -1, 0, 3600, 3601},
	} {
		for x, ok := range map[float64]bool{c.below: false, c.first: true, c.last: true, c.more: false} {
			control := NewControl()
			c.set(&control, x)
			if err := control.validate(); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("%s of %v: %v", name, x, err)
			}
		}
	}
}

// A policy begins anew when it is to decide on something else, and goes on with its memory otherwise.
func TestWorld_keepsThePolicyThatIsMeant(t *testing.T) {
	c := NewControl()
	c.Speed = 60
	w, err := NewWorld(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.podPages.Close()
	for _, step := range []struct {
		name   string
		change func(*Control)
		anew   bool
	}{
		{"another rate", func(c *Control) { c.Rate = 50 }, false},
		{"another shape", func(c *Control) { c.Shape = "step" }, false},
		{"another objective", func(c *Control) { c.TTFT = 1 }, true},
		{"another goal", func(c *Control) { c.Goal = 0.9 }, true},
		{"another largest number", func(c *Control) { c.Max = 5 }, true},
		{"another policy", func(c *Control) { c.Policy = "kpa" }, true},
		{"the same again", func(*Control) {}, false},
	} {
		before := w.policy
		step.change(&c)
		if err := w.Set(c); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if anew := w.policy != before; anew != step.anew {
			t.Errorf("%s: begins anew: %v, want %v", step.name, anew, step.anew)
		}
		if w.load.rate != c.Rate || w.load.shape.Name != c.Shape {
			t.Errorf("%s: the load is %v of %s", step.name, w.load.rate, w.load.shape.Name)
		}
	}
	c.Policy, c.Speed = "ipa", 1
	if err := w.Set(c); err != nil || w.policy != nil {
		t.Errorf("in real time the real loop decides, not %T (%v)", w.policy, err)
	}
}

// The report of a simulated queue-proxy: requests inside, and how many came a second since the last report.
func TestWorld_reports(t *testing.T) {
	w := lockedWorld(t)
	pod := decider.Pod{Name: "a", Phase: decider.Ready, Running: 2, Waiting: 1, Totals: decider.Totals{Known: true, Finished: 10}}
	w.reported = -2 * time.Second // and it is 0 now
	w.report(pod)
	if s := w.stats["a"]; s.AverageConcurrentRequests != 3 || s.RequestCount != 0 {
		t.Errorf("the first report is %+v, want 3 requests inside and none that came", s)
	}
	pod.Running, pod.Totals.Finished = 4, 14
	w.report(pod) // 2 more run, 4 more are finished
	if s := w.stats["a"]; s.AverageConcurrentRequests != 5 || s.RequestCount != 3 {
		t.Errorf("the second report is %+v, want 5 inside and 3 a second", s)
	}
	pod.Totals.Finished = 0 // it began anew
	w.report(pod)
	if s := w.stats["a"]; s.RequestCount != 0 {
		t.Errorf("after a restart: %+v, want no requests less than none", s)
	}
	before := w.stats["a"]
	pod.Waiting, pod.Totals.Finished = decider.Unknown(), 20 // not scraped
	w.report(pod)
	if s := w.stats["a"]; s != before {
		t.Errorf("without a scrape the report is %+v, want the last one", s)
	}
	pod.Waiting, pod.Totals.Finished = 1, decider.Unknown()
	w.report(pod)
	if s := w.stats["a"]; s.AverageConcurrentRequests != 5 || s.RequestCount != 0 {
		t.Errorf("without the finished requests the report is %+v, want 5 inside and none that came", s)
	}
}
