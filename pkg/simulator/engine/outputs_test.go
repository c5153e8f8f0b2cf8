package engine

import (
	"testing"
	"time"
)

// drafted is an engine whose tokens take 9 ms each and come several at a time.
func drafted(tokens float64) Profile {
	p := small()
	p.StepBase, p.ComputeBase, p.PerKVToken, p.KVTokens, p.TokensPerStep = 9000, 0, 0, 10_000, tokens
	return p
}

// TestEngine_tokensPerStep: the client waits as long, the engine counts a gap per
// output, which is as much longer, and as many fewer steps.
func TestEngine_tokensPerStep(t *testing.T) {
	for _, c := range []struct {
		tokens       float64
		gaps, bucket int64 // of one request of 301 tokens; the bucket by its place among TokenGapBounds
		steps        int64
	}{
		{0, 300, 0, 301}, {1, 300, 0, 301},
		{2.5, 120, 1, 120}, // 22.5 ms
		{3, 100, 2, 100},   // 27 ms
		{10, 30, 4, 30},    // 90 ms
	} {
		var ended []Completion
		e, err := New(drafted(c.tokens), func(c Completion) { ended = append(ended, c) })
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Submit(Request{Prompt: 10, Output: 301}); err != nil {
			t.Fatal(err)
		}
		got := e.Counters(time.Minute)
		whole := int64(0)
		for _, n := range got.TokenGaps {
			whole += n
		}
		if whole != c.gaps || got.TokenGaps[c.bucket] != c.gaps || got.Steps != c.steps || got.GenerationTokens != 301 {
			t.Errorf("%g tokens: %d gaps %v, %d steps, %d tokens", c.tokens, whole, got.TokenGaps, got.Steps, got.GenerationTokens)
		}
		if itl := ended[0].TPOT(); itl.Round(100*time.Microsecond) != 9*time.Millisecond {
			t.Errorf("%g tokens: the client has one every %v", c.tokens, itl)
		}
	}
}

// TestEngine_outputsWhereverTheyAreCut: how often counters are read changes nothing.
func TestEngine_outputsWhereverTheyAreCut(t *testing.T) {
	read := func(every time.Duration) Counters {
		e, err := New(drafted(3), func(Completion) {})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int32(20) {
			if err := e.Submit(Request{ID: i, Arrival: time.Duration(i) * time.Second, Prompt: 50, Output: 40}); err != nil {
				t.Fatal(err)
			}
		}
		for at := every; at < time.Minute; at += every {
			e.Counters(at)
		}
		return e.Counters(time.Minute)
	}
	if often, once := read(7*time.Millisecond), read(time.Hour); often != once {
		t.Errorf("read often %+v\nread once %+v", often, once)
	}
}

// TestEngine_hangsUp: the engine has done the work, and counts no completion.
func TestEngine_hangsUp(t *testing.T) {
	e, err := New(small(), func(c Completion) {
		if !c.HangsUp {
			t.Errorf("%+v", c)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Submit(Request{Prompt: 40, Output: 3, HangsUp: true}); err != nil {
		t.Fatal(err)
	}
	got := e.Counters(time.Second)
	if got.Completed != 0 || got.E2E != 0 || got.FirstTokens != 1 || got.GenerationTokens != 3 || got.PromptTokens != 40 || got.Running != 0 || got.KVUsage != 0 {
		t.Errorf("%+v", got)
	}
}
