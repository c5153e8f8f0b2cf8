package slo

import (
	"testing"
)

// TestNoteEngines: one page that ever reported anything makes an engine; one that
// reports nothing of engines is a web application's own.
func TestNoteEngines(t *testing.T) {
	unknown := Pod{Running: Unknown(), Waiting: Unknown(), KVCache: Unknown(), Totals: &Totals{}}
	page := func(change func(*Pod)) []Pod {
		p := unknown
		none := Histogram{Count: Unknown(), Sum: Unknown()}
		p.Totals = &Totals{
			Known: true, Steps: Unknown(), Finished: Unknown(), PromptTokens: Unknown(), GenerationTokens: Unknown(),
			KVCapacity: Unknown(), TTFT: none, ITL: none, E2E: none,
		}
		change(&p)
		return []Pod{p}
	}
	var s State
	for _, c := range []struct {
		name       string
		ready      int32
		pods       []Pod
		seen, none bool
	}{
		{"no pod yet: nobody knows", 0, nil, false, false},
		{"Ready without a page", 1, []Pod{unknown}, false, true},
		{"gone again", 0, nil, false, true},
		{"a page without engines' metrics", 1, page(func(*Pod) {}), false, true},
		{"requests running", 1, page(func(p *Pod) { p.Running = 0 }), true, false},
		{"silent after that", 1, []Pod{unknown}, true, false},
	} {
		s.noteEngines(Input{Ready: c.ready, Pods: c.pods})
		if s.EngineSeen != c.seen || s.NoEngine != c.none {
			t.Errorf("%s: seen %v, none %v", c.name, s.EngineSeen, s.NoEngine)
		}
	}
}

func TestLengths_withoutFirstTokens(t *testing.T) {
	l := newLengths()
	for range 50 {
		l.add(sample{firsts: unknownCount, finished: 100, prompt: 30_000, generated: 5000})
	}
	about(t, "prompt", l.Prompt, 300, 0.01)
	about(t, "output", l.Output, 50, 0.01)
	before := l
	if l.add(sample{firsts: 0, finished: 100, prompt: 30_000, generated: 5000}); l.request != before.request {
		t.Error("first tokens are counted, and there were none")
	}
}
