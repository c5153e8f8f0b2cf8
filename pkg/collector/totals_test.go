package collector

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

func TestTotals_absurd_is_unknown(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	good := engine.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{2, 5}, Count: 6, Sum: 3}
	for _, tt := range []struct {
		name string
		h    engine.Histogram
		want bool
	}{
		{"as it should be", good, true},
		{"no histogram", engine.Histogram{Count: nan, Sum: nan}, false},
		{"falling counts", engine.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{5, 2}, Count: 6}, false},
		{"more than all", engine.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{5, 7}, Count: 6}, false},
		{"bounds out of order", engine.Histogram{Bounds: []float64{1, .1}, Counts: []float64{2, 5}, Count: 6}, false},
		{"counts missing", engine.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{2}, Count: 6}, false},
		{"negative", engine.Histogram{Bounds: []float64{.1}, Counts: []float64{-2}, Count: 6}, false},
		{"NaN count", engine.Histogram{Bounds: []float64{.1}, Counts: []float64{nan}, Count: 6}, false},
		{"infinite", engine.Histogram{Count: inf}, false},
		{"endless bound", engine.Histogram{Bounds: []float64{-inf, 1}, Counts: []float64{0, 5}, Count: 6}, false},
	} {
		st := engine.NewStat("vllm")
		st.TTFT = tt.h
		if got := totals(&st, decider.Totals{}, &bounds{}).TTFT.Count.Known(); got != tt.want {
			t.Errorf("%s: known = %v, want %v", tt.name, got, tt.want)
		}
	}
	st := engine.NewStat("vllm")
	st.Steps, st.PromptTokens, st.KVCapacity, st.Preemptions = -1, inf, 1e300, nan
	got := totals(&st, decider.Totals{}, &bounds{})
	if got.Steps.Known() || got.PromptTokens.Known() || got.KVCapacity.Known() || got.Preemptions.Known() {
		t.Errorf("absurd counters are known: %+v", got)
	}
}

func TestTotals_keep_nothing_of_the_parser(t *testing.T) {
	st := engine.NewStat("vllm")
	st.TTFT = engine.Histogram{Bounds: []float64{.1, 1}, Counts: []float64{2, 5}, Count: 6, Sum: 3}
	first := totals(&st, decider.Totals{}, &bounds{})
	again := totals(&st, first, &bounds{})
	if &again.TTFT.Counts[0] != &first.TTFT.Counts[0] {
		t.Error("an unchanged histogram was copied")
	}
	st.TTFT.Counts[0] = 3
	next := totals(&st, first, &bounds{})
	if first.TTFT.Counts[0] != 2 || next.TTFT.Counts[0] != 3 || &next.TTFT.Bounds[0] != &first.TTFT.Bounds[0] {
		t.Errorf("counts %v then %v, want 2 then 3 with shared bounds", first.TTFT.Counts, next.TTFT.Counts)
	}
}

func TestCollector_counts_arrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(2)...)
		w.load("10.0.0.1", 1, 3)
		w.load("10.0.0.2", 1, 2)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := w.observe().Arrivals
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := w.observe().Arrivals - before; math.Abs(float64(got-100)) > 5 {
			t.Errorf("20 s of 5 requests a second counted as %v", got)
		}
		w.set("10.0.0.1", func(p *fakePod) { p.statPage = status(500) })
		w.set("10.0.0.2", func(p *fakePod) { p.statPage = status(500) })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.observe().Arrivals; got.Known() {
			t.Errorf("arrivals without any report are %v, want unknown", got)
		}
	})
}

// The fullest rank of a page is believed where its prompt tokens are a part of the pod's.
func TestTotals_fullestRank(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		of   float64 // the pod's prompt tokens
		rank engine.FullestRank
		want bool
	}{
		"three of four":        {400, engine.FullestRank{ID: 7, PromptTokens: 300, Running: 5, Waiting: 2}, true},
		"unknown what runs":    {400, engine.FullestRank{ID: 7, PromptTokens: 300, Running: nan, Waiting: -2}, true},
		"more than the pod":    {200, engine.FullestRank{PromptTokens: 300}, false},
		"the pod is unknown":   {nan, engine.FullestRank{PromptTokens: 300}, false},
		"the rank is unknown":  {400, engine.FullestRank{PromptTokens: nan}, false},
		"no rank":              {400, engine.FullestRank{}, false},
		"an absurd pod":        {1e30, engine.FullestRank{PromptTokens: 300}, false},
		"endless prompts":      {math.Inf(1), engine.FullestRank{PromptTokens: math.Inf(1)}, false},
		"an absurd count runs": {400, engine.FullestRank{PromptTokens: 300, Running: 1e30}, true},
	} {
		stat := engine.NewStat("vllm")
		stat.PromptTokens, stat.Fullest = c.of, c.rank
		got := totals(&stat, decider.Totals{}, &bounds{}).Fullest
		if got.PromptTokens.Known() != true || (got.PromptTokens > 0) != c.want {
			t.Errorf("%s: %+v, want a rank: %v", name, got, c.want)
		}
		if c.want && (got.ID != float64(c.rank.ID) || got.Running.Known() != (c.rank.Running == 5) || got.Waiting.Known() != (c.rank.Waiting >= 0)) {
			t.Errorf("%s: %+v of %+v", name, got, c.rank)
		}
	}
}
