package slo

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// phasesOf is a pod whose prompts are 90 % of about 1,000 tokens and 10 % of about 80,000, which
// take 0.1 s and 16 s; queued of a hundred waited 3 to 5 s, the others not at all.
func phasesOf(queued float64) Pod {
	return Pod{Name: "a", Totals: &Totals{
		Known:         true,
		PromptLengths: Histogram{Bounds: []float64{900, 1100, 70_000, 90_000}, Counts: []float64{0, 90, 90, 100}, Count: 100},
		PrefillTime:   Histogram{Bounds: []float64{.09, .11, 15.9, 16.1}, Counts: []float64{0, 90, 90, 100}, Count: 100},
		QueueTime:     Histogram{Bounds: []float64{.1, 3, 5, 20}, Counts: []float64{100 - queued, 100 - queued, 100, 100}, Count: 100},
	}}
}

func TestPhases(t *testing.T) {
	for _, c := range []struct {
		name                     string
		perToken                 time.Duration
		ttft, queued             float64
		known                    bool
		late, hopeless, accuracy float64
	}{
		// Short prompts may wait 1.9 s, long ones 2 s more than they take: all that queue are late.
		{"forgiven by the objective", 225 * time.Microsecond, 4, 20, true, 20, 0, 1},
		{"nothing waits", 225 * time.Microsecond, 4, 0, true, 0, 0, 1},
		// Without an allowance the long ones are late whatever is done, and are not counted.
		{"out of reach", 0, 2, 20, true, 18, .1, 1},
		{"no prompt is as long as the bound", 0, 20, 20, false, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Objective{TTFT: time.Duration(2 * float64(time.Second)), TTFTPerToken: c.perToken, ITL: time.Second, Goal: .99}
			var p phases
			p.observe(o, c.ttft, []Pod{phasesOf(c.queued)})
			if p.known() != c.known || math.Abs(p.Hopeless-c.hopeless) > .01 || !p.valid() {
				t.Fatalf("%+v", p)
			}
			if !c.known {
				return
			}
			seen, late := p.count(phasesOf(c.queued).Totals.QueueTime)
			if seen != 100 || math.Abs(late-c.late) > c.accuracy {
				t.Errorf("%v of %v late, want %v", late, seen, c.late)
			}
		})
	}
}

// What is missing, or is no histogram, leaves first tokens to their own histogram.
func TestPhases_unknown(t *testing.T) {
	for i, spoil := range []func(*Totals){
		func(t *Totals) { t.Known = false }, func(t *Totals) { t.QueueTime = Histogram{} }, func(t *Totals) { t.PrefillTime.Count = Unknown() },
		func(t *Totals) { t.PromptLengths.Counts = []float64{3, 2, 1, 0} }, func(t *Totals) { t.QueueTime.Bounds = []float64{1, 1, 1, 1} },
		func(t *Totals) { t.PromptLengths.Counts = []float64{0, math.NaN(), 1, 1} }, func(t *Totals) { t.PrefillTime.Count, t.PrefillTime.Counts = 5, []float64{1, 2, 3, 5} },
	} {
		pod := phasesOf(20)
		spoil(pod.Totals)
		var p phases
		if p.observe(Objective{TTFT: 2 * time.Second, ITL: time.Second, Goal: .99}, 2, []Pod{pod}); p.known() {
			t.Errorf("case %d: %+v", i, p)
		}
	}
	p := phases{Bounds: []float64{1}, Late: []float64{0, 1}}
	if seen, late := p.count(Histogram{Bounds: []float64{2}, Counts: []float64{3}, Count: 3}); seen != unknownCount || late != unknownCount {
		t.Errorf("with other bounds: %v of %v", late, seen)
	}
	if (&phases{Bounds: []float64{1}, Late: []float64{0}}).valid() || (&phases{Hopeless: 2}).valid() {
		t.Error("valid")
	}
}

// Shares that hardly move stay, for what was counted with others cannot be compared.
func TestPhases_stay(t *testing.T) {
	var p phases
	o := Objective{TTFT: 2 * time.Second, ITL: time.Second, Goal: .99}
	pod := phasesOf(20)
	p.observe(o, 2, []Pod{pod})
	before := fmt.Sprint(p.Late)
	pod.Totals.PrefillTime.Counts = []float64{0, 91, 91, 100}
	if p.observe(o, 2, []Pod{pod}); fmt.Sprint(p.Late) != before {
		t.Errorf("%s became %v", before, p.Late)
	}
	pod.Totals.PrefillTime.Counts = []float64{0, 50, 50, 100}
	if p.observe(o, 2, []Pod{pod}); fmt.Sprint(p.Late) == before {
		t.Errorf("%s stays when half of the prompts are long", before)
	}
	var d sample
	d.phased, d.phasedLate, d.firsts, d.gaps = 10, 4, 12, 0
	if seen, missed := d.misses(&bin{byPhases: true}); seen != 10 || missed != 4 {
		t.Errorf("%v of %v missed", missed, seen)
	}
}

func TestCapacity_hiddenPrompts(t *testing.T) {
	m := replica{step: stepTime{defaultPrior(), [3]float64{2, 2.7, .75}}, itl: .1, kvTokens: 185_000}
	conv := m.capacity(request{Prompt: 1200, Output: 250, Computed: 1}, limits{Concurrency: 256})
	if sum := (1 - conv.base/.1) / conv.work; !(conv.rate > 1.02*sum && conv.rate <= maxHidden*sum) {
		t.Errorf("%.2f requests/s, as a sum %.2f", conv.rate, sum)
	}
	m.step.factor = [3]float64{1, 1, 1}
	if c := m.capacity(request{Prompt: 1155, Output: 211, Computed: 1}, limits{Concurrency: 256}); math.Abs(c.rate-(1-c.base/.1)/c.work) > .01*c.rate {
		t.Errorf("where the base is small: %.3f requests/s", c.rate)
	}
}
