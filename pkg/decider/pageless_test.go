package decider

import (
	"math"
	"testing"
	"time"
)

func TestBareNeed_isKnativesDefault(t *testing.T) {
	nan := float64(Unknown())
	for _, c := range []struct {
		name                string
		stable, burst, want float64
	}{
		{"a full replica", 70, 70, 1},
		{"five", 350, 350, 5},
		{"a rare request", 0.01, 0.01, 0.1},
		{"at rest", 0, 0, 0},
		{"the rounding of an average", -1e-9, -1e-9, 0},
		{"a burst of less than panic", 70, 130, 1},
		{"a panic", 70, 700, 10},
		{"the panic window unknown", 140, nan, 2},
		{"unknown", nan, nan, nan},
		{"negative", -5, -5, nan},
		{"absurd", 1e12, 1e12, nan},
	} {
		obs := Observation{Ready: 1, Concurrency: Windowed{Reading(c.stable), Reading(c.burst)}}
		got := bareNeed(Spec{PanicThreshold: 3}, obs)
		if math.IsNaN(c.want) != math.IsNaN(got) || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A container concurrency of 10 makes it 7 a replica.
func TestBareNeed_ofAnotherTarget(t *testing.T) {
	obs := Observation{Ready: 1, Concurrency: Windowed{70, 70}}
	if got := bareNeed(Spec{PanicThreshold: 30, SLO: Objective{Pageless: 7}}, obs); got != 10 {
		t.Errorf("70 in flight at 7 each: %v, want 10", got)
	}
}

// TestLookForPages: one page that ever told anything makes an engine; one that
// tells nothing of engines is a web application's own.
func TestLookForPages(t *testing.T) {
	unknown := Pod{Running: Unknown(), Waiting: Unknown(), KVCache: Unknown()}
	page := func(change func(*Pod)) []Pod {
		p := unknown
		none := Histogram{Count: Unknown(), Sum: Unknown()}
		p.Totals = Totals{
			Known: true, Steps: Unknown(), Finished: Unknown(), PromptTokens: Unknown(), GenerationTokens: Unknown(),
			KVCapacity: Unknown(), TTFT: none, ITL: none, E2E: none,
		}
		change(&p)
		return []Pod{p}
	}
	var s SLOState
	for _, c := range []struct {
		name        string
		ready       int32
		pods        []Pod
		paged, bare bool
	}{
		{"no pod yet: nobody knows", 0, nil, false, false},
		{"Ready without a page", 1, []Pod{unknown}, false, true},
		{"gone again", 0, nil, false, true},
		{"a page without engines' metrics", 1, page(func(*Pod) {}), false, true},
		{"requests running", 1, page(func(p *Pod) { p.Running = 0 }), true, false},
		{"silent after that", 1, []Pod{unknown}, true, false},
	} {
		s.lookForPages(Observation{Ready: c.ready, Pods: c.pods})
		if s.Paged != c.paged || s.Bare != c.bare {
			t.Errorf("%s: paged %v, bare %v", c.name, s.Paged, s.Bare)
		}
	}
	old := newSLOState(time.Unix(0, 0))
	old.Lengths.Seen = 3 // stored before Paged was
	if next := old.continued(time.Unix(2, 0)); !next.Paged {
		t.Error("lengths came from a page")
	}
}

func TestLengths_withoutFirstTokens(t *testing.T) {
	l := newLengths()
	for range 50 {
		l.add(sample{firsts: noCount, finished: 100, prompt: 30_000, generated: 5000})
	}
	about(t, "prompt", l.Prompt, 300, 0.01)
	about(t, "output", l.Output, 50, 0.01)
	before := l
	if l.add(sample{firsts: 0, finished: 100, prompt: 30_000, generated: 5000}); l != before {
		t.Error("first tokens are counted, and there were none")
	}
}

// TestNeedNow_roundingIsNotUnknown gives averages a trace below 0.
func TestNeedNow_roundingIsNotUnknown(t *testing.T) {
	s := newSLOState(time.Unix(0, 0))
	s.Plan = SLOParts{Need: Unknown(), ConcurrencyTarget: 10}
	need, _ := s.needNow(Objective{}, Observation{Concurrency: Windowed{-1e-9, -1e-9}, Queued: -1e-9})
	if need != 0 {
		t.Errorf("%v replicas, want 0", need)
	}
	if q := outside(Observation{Queued: -1e-9}); q != 0 {
		t.Errorf("%v requests wait outside, want 0", q)
	}
	if q := outside(Observation{Queued: -2}); q.Known() {
		t.Errorf("-2 requests are %v", q)
	}
}
