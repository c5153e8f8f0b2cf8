package slo

import (
	"testing"
	"time"
)

// TestLookForPages: one page that ever told anything makes an engine; one that
// tells nothing of engines is a web application's own.
func TestLookForPages(t *testing.T) {
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
		s.lookForPages(Input{Ready: c.ready, Pods: c.pods})
		if s.EngineSeen != c.paged || s.NoEngine != c.bare {
			t.Errorf("%s: paged %v, bare %v", c.name, s.EngineSeen, s.NoEngine)
		}
	}
	old := newState(time.Unix(0, 0))
	old.Lengths.Seen = 3 // stored before EngineSeen was
	if next := old.continued(time.Unix(2, 0)); !next.EngineSeen {
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
