package engine

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// small is an engine whose times can be worked out by hand.
func small() Profile {
	return Profile{
		Name: "small", StepBase: 1000, PerSequence: 10, ComputeBase: 500, PerToken: 10, PerKVToken: 1, MixedKV: 2, PerTokenPair: 0.02,
		KVTokens: 160, BlockSize: 16, MaxNumSeqs: 2, MaxNumBatchedTokens: 64, RequestOverhead: time.Millisecond, TokenOverhead: time.Microsecond,
	}
}

func completions(t *testing.T, p Profile, requests ...Request) map[int32]Completion {
	t.Helper()
	ended := map[int32]Completion{}
	e, err := New(p, func(c Completion) { ended[c.ID] = c })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := e.Submit(r); err != nil {
			t.Fatal(err)
		}
	}
	e.Drain()
	return ended
}

func TestEngine_times(t *testing.T) {
	for _, c := range []struct {
		name        string
		request     Request
		first, last time.Duration // in microseconds
	}{
		// max(1000, 500+10*40) + 0.02*40*20 = 1016, after 1000 in the API server, and 1 per token after it.
		{"one chunk", Request{Prompt: 40, Output: 1}, 2017, 2017},
		// Chunks of 64 and 36: max(1000, 1140) + 0.02*64*32 and max(1000, 860) + 0.02*36*(64+18), 2240 together.
		{"two chunks", Request{Prompt: 100, Output: 1}, 3241, 3241},
		// Two more steps of 1010 with 41 and 42 tokens to read.
		{"decode", Request{Prompt: 40, Output: 3}, 2017, 1000 + 1016 + 1051 + 1052 + 3},
		{"nothing asked", Request{}, 1000 + 1000 + 1, 2001},
	} {
		got := completions(t, small(), c.request)[0]
		if got.FirstToken.Truncate(time.Microsecond) != c.first*time.Microsecond || got.LastToken.Truncate(time.Microsecond) != c.last*time.Microsecond {
			t.Errorf("%s: tokens at %v and %v; want %v and %v us", c.name, got.FirstToken, got.LastToken, int(c.first), int(c.last))
		}
	}
}

// TestEngine_preempts: two requests outgrow ten blocks; the later one gives way and is computed again.
func TestEngine_preempts(t *testing.T) {
	ended := completions(t, small(), Request{ID: 1, Prompt: 30, Output: 100}, Request{ID: 2, Prompt: 30, Output: 100})
	if one, two := ended[1], ended[2]; one.Preemptions != 0 || two.Preemptions != 1 || two.LastToken <= one.LastToken {
		t.Errorf("first %+v, second %+v; want the second preempted once and last", one, two)
	}
}

func TestEngine_mixedStep(t *testing.T) {
	second := Request{ID: 2, Arrival: 1100 * time.Microsecond, Prompt: 10, Output: 1}
	alone, mixed := completions(t, small(), Request{ID: 1, Prompt: 40, Output: 3}), completions(t, small(), Request{ID: 1, Prompt: 40, Output: 3}, second)
	// One step has a sequence and a prompt: it reads 42 tokens twice, and 10 tokens' pairs cost 1 us.
	if got := (mixed[1].LastToken - alone[1].LastToken).Truncate(time.Microsecond); got != 43*time.Microsecond {
		t.Errorf("a prompt of 10 tokens delays the other request by %v, want 43us", got)
	}
}

func TestEngine_counters(t *testing.T) {
	e, _ := New(small(), func(Completion) {})
	if e.Next() != Never {
		t.Errorf("idle: next at %v", e.Next())
	}
	for id := range int32(3) {
		if err := e.Submit(Request{ID: id, Prompt: 20, Output: 10}); err != nil {
			t.Fatal(err)
		}
	}
	if c := e.Counters(500 * time.Microsecond); c.Waiting != 0 || c.Running != 0 {
		t.Errorf("still in the API server: %+v", c)
	}
	if c := e.Counters(1500 * time.Microsecond); c.Waiting != 1 || c.Running != 2 || c.KVUsage != 0.4 || c.Steps != 0 {
		t.Errorf("in the first step: %+v; want 2 running, 1 waiting, 4 of 10 blocks", c)
	}
	c := e.Counters(time.Second)
	if c.Completed != 3 || c.PromptTokens != 60 || c.GenerationTokens != 30 || c.FirstTokens != 3 || c.Running+c.Waiting != 0 || c.KVUsage != 0 {
		t.Errorf("at the end: %+v", c)
	}
}

func TestEngine_abort(t *testing.T) {
	var last Completion
	e, _ := New(small(), func(c Completion) { last = c })
	for id := range int32(4) {
		if err := e.Submit(Request{ID: id, Arrival: time.Duration(id) * time.Millisecond, Prompt: 20, Output: 100}); err != nil {
			t.Fatal(err)
		}
	}
	e.Advance(20 * time.Millisecond)
	before, lost := e.InFlight(), e.Abort()
	if before != 4 || len(lost) != 4 || lost[0].ID != 0 || lost[3].ID != 3 || e.InFlight() != 0 || e.Next() != Never {
		t.Fatalf("%d in flight, lost %+v, next at %v", before, lost, e.Next())
	}
	if err := e.Submit(Request{ID: 9, Arrival: time.Second, Prompt: 40, Output: 1}); err != nil {
		t.Fatal(err)
	}
	e.Drain()
	if last.ID != 9 || last.TTFT().Truncate(time.Microsecond) != 2017*time.Microsecond {
		t.Errorf("after the restart: %+v, want the TTFT of an idle engine", last)
	}
}

func TestEngine_expire(t *testing.T) {
	ended := map[int32]Completion{}
	e, _ := New(small(), func(c Completion) { ended[c.ID] = c })
	for id := range int32(6) { // two of them run
		if err := e.Submit(Request{ID: id, Arrival: time.Duration(id) * time.Millisecond, Prompt: 20, Output: 50}); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Expire(20*time.Millisecond, 0); got != nil {
		t.Errorf("%+v is older than the beginning", got)
	}
	got := e.Expire(20*time.Millisecond, 4*time.Millisecond)
	if len(got) != 2 || got[0].ID != 2 || got[1].ID != 3 || e.InFlight() != 4 {
		t.Fatalf("expired %+v, %d in flight; want 2 and 3, and the other four", got, e.InFlight())
	}
	e.Drain()
	if len(ended) != 4 || ended[4].LastToken == 0 || ended[5].LastToken == 0 {
		t.Errorf("ended %+v", ended)
	}
}

func TestSubmit_refuses(t *testing.T) {
	e, _ := New(small(), func(Completion) {})
	if err := e.Submit(Request{Arrival: time.Second, Prompt: 60, Output: 101}); err != nil {
		t.Errorf("160 tokens that are read again fit: %v", err)
	}
	for _, c := range []struct {
		request Request
		want    string
	}{
		{Request{ID: 7, Arrival: time.Second, Prompt: 61, Output: 101}, "request 7: 61 prompt and 101 output tokens do not fit in 160 KV tokens"},
		{Request{Arrival: time.Second - 1, Prompt: 1}, "Arrival 999.999999ms; it must be between"},
		{Request{Arrival: 91 * 24 * time.Hour}, "Arrival 2184h0m0s; it must be between"},
		{Request{Arrival: time.Second, Prompt: math.MaxInt, Output: 1}, "do not fit"},
	} {
		if err := e.Submit(c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.request, err, c.want)
		}
	}
}

func TestProfile_refuses(t *testing.T) {
	for _, c := range []struct {
		change func(*Profile)
		want   string
	}{
		{func(p *Profile) { p.StepBase = math.NaN() }, `profile "small": a_us is NaN`},
		{func(p *Profile) { p.PerKVToken = -1 }, "d_us_per_kv_token is -1"},
		{func(p *Profile) { p.MixedKV = math.Inf(1) }, "mixed_kv is +Inf"},
		{func(p *Profile) { p.StepBase, p.ComputeBase = 0, 0 }, "a_us or c0_us must be at least 1"},
		{func(p *Profile) { p.KVTokens = 15 }, "kv_tokens is 15; it must be between 16"},
		{func(p *Profile) { p.BlockSize = 0 }, "block_size is 0"},
		{func(p *Profile) { p.MaxNumBatchedTokens = 1 }, "max_num_batched_tokens is 1; it must be between 2"},
		{func(p *Profile) { p.PerToken = 1e7; p.MaxNumBatchedTokens = 4096 }, "a full step would take"},
		{func(p *Profile) { p.TokenOverhead = time.Hour }, "token_overhead_ns"},
	} {
		p := small()
		c.change(&p)
		if _, err := New(p, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range Profiles() {
		if got, err := ByName(p.Name); err != nil || got != p || p.Validate() != nil || p.Source == "" {
			t.Errorf("%+v: %v, %v", p, err, p.Validate())
		}
	}
	if _, err := ByName("abacus"); err == nil || !strings.Contains(err.Error(), "known are a100-llama-3.1-8b, ") {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := ByName("l40s-llama-4"); err == nil || !strings.HasSuffix(err.Error(), "known of l40s are l40s-llama-3.1-8b") {
		t.Errorf("unknown model of a known GPU: %v", err)
	}
}

// FuzzParseProfile: what is taken is valid, and is read back as it was written.
func FuzzParseProfile(f *testing.F) {
	for _, p := range append(Profiles(), small()) {
		raw, _ := json.Marshal(p)
		f.Add(raw)
	}
	f.Add([]byte(`{"a_us": 1, "speed": 2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseProfile(raw)
		if err != nil {
			return
		}
		again, _ := json.Marshal(p)
		if back, err := ParseProfile(again); err != nil || back != p {
			t.Fatalf("%+v came back as %+v, %v", p, back, err)
		}
		e, err := New(p, func(Completion) {})
		if err != nil {
			t.Fatal(err)
		}
		_ = e.Submit(Request{Prompt: 100, Output: 10})
		e.Drain()
		if e.InFlight() != 0 {
			t.Fatalf("%+v does not end", p)
		}
	})
}

func TestParseProfile_refuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"speed": 2}`: `unknown field "speed"`, `{"a_us": "fast"}`: "a_us", `{}`: "block_size is 0", `[`: "unexpected EOF",
	} {
		if _, err := ParseProfile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}
