package simulator

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// TestFidelity holds the engine model against real vLLM 0.19: two runs of 300
// ShareGPT requests at 10 per second, one short of KV cache, one of sequences.
func TestFidelity(t *testing.T) {
	const dir = "../../../shared/traces/vllm_ground_truth"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("NOT TESTED: the recorded vLLM runs are not here: %v", err)
	}
	rows, err := Fidelity(dir, engine.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("%-28s %s measured %8.4f s, simulated %8.4f s, %+.1f %%", r.Run, r.Metric, r.Measured, r.Simulated, 100*r.Error)
		if !(math.Abs(r.Error) <= 0.06) {
			t.Errorf("%s %s: off by %.1f %%, want at most 6 %%", r.Run, r.Metric, 100*r.Error)
		}
	}
	if len(rows) != 6 {
		t.Errorf("%d rows, want 3 of each run", len(rows))
	}
}

const request = `{"input_toks": 2, "output_toks": 3, "arrival_time": 100.0, "queued_ts": 5.0, "first_token_ts": 6.0, "last_token_ts": 8.0}`

func TestFidelity_limits(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "real_H100_Llama-3.1-8B.jsonl", request+"\n"+strings.Replace(request, "100.0", "99.9", 1)+"\n")
	write(t, dir, "real_H100_Llama-3.1-8B.meta.json", `{"engine_kwargs": {"max_num_seqs": 1}}`)
	rows, err := Fidelity(dir, engine.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	// The clocks are 95 s apart by the second line, so the first request waited 0.1 s more before the engine saw it.
	if got := rows[0].Measured; math.Abs(got-1.05) > 1e-6 {
		t.Errorf("measured TTFT %v, want the mean of 1.0 and 1.1 s", got)
	}
	if got := rows[1].Measured; got != 1 {
		t.Errorf("measured TPOT %v, want 2 s over 2 tokens", got)
	}
	// Max_num_seqs 1: with 0.1 s between them neither waits for the other.
	if got := rows[0].Simulated; got < 0.006 || got > 0.008 {
		t.Errorf("simulated TTFT %v, want one step of 6.9 ms", got)
	}
}

func TestMeta(t *testing.T) {
	p, _ := engine.ByName("h100-llama-3.1-8b")
	for _, c := range []struct {
		text             string
		seqs, tokens, kv int
	}{
		{`{}`, 256, 2048, 421_000},
		{`{"engine_kwargs": {"max_num_seqs": 8, "max_num_batched_tokens": null}, "kv_cache": {"num_gpu_blocks": 10, "block_size": 32}}`, 8, 2048, 320},
		{`{"engine_kwargs": {"max_num_seqs": 8}, "resolved_config": {"scheduler_config": {"max_num_seqs": 9, "max_num_batched_tokens": 8192},
			"cache_config": {"num_gpu_blocks": 10, "block_size": 16}}, "kv_cache": {"num_kv_tokens": 176}}`, 8, 8192, 176},
		// Two data-parallel ranks, as vLLM 0.28 writes them down.
		{`{"engine_kwargs": {"data_parallel_size": 2, "max_num_seqs": 128}, "kv_cache": {"num_gpu_blocks": 75638, "block_size": 16, "num_kv_tokens": 1210208},
			"resolved_config": {"cache_config": {"kv_cache_size_tokens": 605104, "num_gpu_blocks": 75638}}}`, 128, 2048, 605_104},
		{`{"resolved_config": {"parallel_config": {"data_parallel_size": 2}}, "kv_cache": {"num_gpu_blocks": 10, "block_size": 16}}`, 256, 2048, 80},
	} {
		dir := t.TempDir()
		write(t, dir, "m", c.text)
		m, err := readMeta(filepath.Join(dir, "m"))
		if got := m.apply(p); err != nil || got.MaxNumSeqs != c.seqs || got.MaxNumBatchedTokens != c.tokens || got.KVTokens != c.kv {
			t.Errorf("%s: %+v, %v", c.text, got, err)
		}
	}
	var m meta
	m.Asked.TensorParallel, m.Hardware.Device, m.Model = 2, "NVIDIA RTX PRO 6000 Blackwell Server Edition", "Qwen/Qwen3-32B"
	if got, err := knownProfile("monday", m); err != nil || got.Name != "rtxpro6000-qwen3-32b-tp2" {
		t.Errorf("by its device and model: %q, %v", got.Name, err)
	}
	for model, want := range map[string]string{
		"meta-llama/Llama-3.1-8B-Instruct": "h100-llama-3.1-8b", "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8": "h100-llama-3.1-8b-fp8", "Qwen/Qwen2.5-7B-Instruct": "h100-qwen2.5-7b",
	} {
		var m meta
		m.Hardware.Device, m.Model = "NVIDIA H100 80GB HBM3", model
		if got, err := knownProfile("tuesday", m); err != nil || got.Name != want {
			t.Errorf("%s: %q, %v; want %s", model, got.Name, err, want)
		}
	}
}

// A run of two data-parallel ranks: each has a scheduler and a KV cache of its own.
func TestFidelity_ranks(t *testing.T) {
	p, err := engine.ByName("h100-llama-3.1-8b")
	if err != nil {
		t.Fatal(err)
	}
	p.RequestOverhead, p.TokenOverhead, p.MaxNumSeqs = 0, 0, 16
	var ran []engine.Completion
	e, err := newRanks(p, 2, func(c engine.Completion) { ran = append(ran, c) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		at := time.Duration(i) * 80 * time.Millisecond
		e.Advance(at)
		if err := e.Submit(engine.Request{ID: int32(i), Arrival: at, Prompt: 300 + i%7*100, Output: 150 + i%5*50}); err != nil {
			t.Fatal(err)
		}
	}
	e.Drain()
	var lines strings.Builder
	for _, c := range ran {
		fmt.Fprintf(&lines, `{"input_toks": %d, "output_toks": %d, "arrival_time": %f, "queued_ts": %[3]f, "first_token_ts": %f, "last_token_ts": %f}`+"\n",
			c.Prompt, c.Output, c.Arrival.Seconds(), c.FirstToken.Seconds(), c.LastToken.Seconds())
	}
	for ranks, most := range map[int]float64{2: 0.01, 1: math.Inf(1)} {
		dir := t.TempDir()
		write(t, dir, "real_dp.jsonl", lines.String())
		write(t, dir, "real_dp.meta.json", fmt.Sprintf(`{"engine_kwargs": {"max_num_seqs": 16, "data_parallel_size": %d}}`, ranks))
		rows, err := Fidelity(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if !(math.Abs(r.Error) <= most) {
				t.Errorf("%d ranks, %s: off by %.1f %%", ranks, r.Metric, 100*r.Error)
			}
			if ranks == 1 && r.Metric == "e2e" && r.Error < 0.3 {
				t.Errorf("as one engine %s is off by %.1f %% only: the run says nothing of ranks", r.Metric, 100*r.Error)
			}
		}
	}
	dir := t.TempDir()
	write(t, dir, "real_dp.jsonl", request)
	write(t, dir, "real_dp.meta.json", `{"engine_kwargs": {"data_parallel_size": 100000000}}`)
	if _, err := Fidelity(dir, p); err == nil || !strings.Contains(err.Error(), "data_parallel_size is 100000000") {
		t.Errorf("absurd ranks: %v", err)
	}
}

func TestFidelity_refuses(t *testing.T) {
	for _, c := range []struct{ file, lines, want string }{
		{"", "", "no real_*.jsonl"},
		{"real_H100_Llama-3.1-8B.jsonl", "", "no requests"},
		{"real_H100_Llama-3.1-8B.jsonl", request + "\n{}", ".jsonl:2: arrival_time"},
		{"real_H100_Llama-3.1-8B.jsonl", strings.Replace(request, `"output_toks": 3`, `"output_toks": 0`, 1), ".jsonl:1: input_toks"},
		{"real_H100_Llama-3.1-8B.jsonl", strings.Replace(request, "6.0", "4.0", 1), ".jsonl:1: first_token_ts"},
		{"real_H100_Llama-3.1-8B.jsonl", "nonsense", ".jsonl:1: "},
		{"real_Abacus_Llama.jsonl", request, "run Abacus_Llama: no known engine profile"},
	} {
		dir := t.TempDir()
		if c.file != "" {
			write(t, dir, c.file, c.lines)
		}
		if _, err := Fidelity(dir, engine.Profile{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: error %v, want %q", c.file, c.lines, err, c.want)
		}
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzRecorded: a run is either refused, or all its requests are in order and in reach.
func FuzzRecorded(f *testing.F) {
	f.Add(request + "\n" + strings.Replace(request, "100.0", "99.9", 1))
	f.Add(strings.Replace(request, "100.0", "9e9", 1) + "\n" + request)
	f.Add("{}")
	f.Fuzz(func(t *testing.T, text string) {
		completions, err := parseRecorded("fuzz", []byte(text))
		if err != nil {
			return
		}
		last := completions[0]
		for _, c := range completions {
			if c.Arrival < last.Arrival || c.FirstToken > c.LastToken || c.LastToken > longestRun {
				t.Fatalf("%+v after %+v", c, last)
			}
			last = c
		}
	})
}

// A run whose answers have one token has no time per further token, and no row for one: JSON has no NaN.
func TestCompare_withoutFurtherTokens(t *testing.T) {
	rows := compare("run", [3]float64{0.5, 0, 0.5}, [3]float64{1, 0, 1})
	if len(rows) != 2 || rows[0] != (Row{"run", "ttft", 0.5, 1, 1}) || rows[1] != (Row{"run", "e2e", 0.5, 1, 1}) {
		t.Errorf("%+v, want ttft and e2e alone", rows)
	}
}
