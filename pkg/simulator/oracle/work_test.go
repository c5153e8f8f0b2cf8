package oracle

import (
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// TestLimits_neverAboveTheEngine runs requests one after another and all at
// once through an engine: the work by any limit is at most the time it took.
func TestLimits_neverAboveTheEngine(t *testing.T) {
	for _, p := range engine.Profiles() {
		all, err := limits(p, 1e9) // with any ITL no time is lost to it
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			n              int
			gap            time.Duration
			prompt, output int
		}{
			{200, 0, 1000, 200}, {40, 3 * time.Second, 1000, 200}, {300, 0, 20, 500}, {30, 0, 9000, 20}, {1, 0, 3, 1}, {400, 50 * time.Millisecond, 300, 100},
		} {
			took := busy(t, p, row.n, row.gap, engine.Request{Prompt: row.prompt, Output: row.output})
			for _, l := range all {
				prompt, decode := l.of(size{prompt: float64(row.prompt), output: float64(row.output)})
				if work := float64(row.n) * (prompt + decode); work > took*(1+1e-9) {
					t.Errorf("%s, %+v: the %s limit says %v s, the engine took %v s", p.Name, row, l.name, work, took)
				}
			}
		}
	}
}

// busy is the seconds from the first arrival to the last token.
func busy(t *testing.T, p engine.Profile, n int, gap time.Duration, q engine.Request) float64 {
	t.Helper()
	last := time.Duration(0)
	e, err := engine.New(p, func(c engine.Completion) { last = max(last, c.LastToken) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		q.ID, q.Arrival = int32(i), time.Duration(i)*gap
		if err := e.Submit(q); err != nil {
			t.Fatal(err)
		}
	}
	e.Drain()
	return last.Seconds()
}

// TestLimits_worked has the formula by hand: 1000 prompt tokens and 101 output tokens.
func TestLimits_worked(t *testing.T) {
	p := engine.Profile{
		StepBase: 10_000, PerSequence: 20, ComputeBase: 1000, PerToken: 50, PerKVToken: 0.1, PerTokenPair: 0.002,
		KVTokens: 100_000, MaxNumSeqs: 100,
	}
	all, err := limits(p, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	const pairs, reads = 0.001, 0.010505 // 0.002 us * 1000*1000/2, and 0.1 us * 100 * 1050.5
	for i, want := range []struct{ prompt, decode float64 }{
		{pairs / 0.9, (0.002 + reads) / 0.9}, // 100 steps of 20 us, in the 90 % that steps of 100 ms leave
		{(0.05 + pairs) / 0.99, (0.005 + reads) / 0.99},
		{0, 100 * 0.01002 * 1050.5 / 100_000},
		{0, 100 * 0.01002 / 100},
	} {
		prompt, decode := all[i].of(size{prompt: 1000, output: 101})
		if math.Abs(prompt-want.prompt) > 1e-9 || math.Abs(decode-want.decode) > 1e-9 {
			t.Errorf("%s: %v and %v s, want %v and %v", all[i].name, prompt, decode, want.prompt, want.decode)
		}
	}
}
