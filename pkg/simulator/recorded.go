package simulator

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// recordedRequest is a line of real_*.jsonl. ArrivalTime is on the client's
// clock, the rest on the engine core's; all are seconds.
type recordedRequest struct {
	InputTokens  int      `json:"input_toks"`
	OutputTokens int      `json:"output_toks"`
	ArrivalTime  *float64 `json:"arrival_time"`
	Queued       *float64 `json:"queued_ts"`
	FirstToken   *float64 `json:"first_token_ts"`
	LastToken    *float64 `json:"last_token_ts"`
}

// validate names the field at fault.
func (r recordedRequest) validate() error {
	for _, f := range []struct {
		name  string
		value *float64
	}{{"arrival_time", r.ArrivalTime}, {"queued_ts", r.Queued}, {"first_token_ts", r.FirstToken}, {"last_token_ts", r.LastToken}} {
		if f.value == nil || !(*f.value >= 0 && *f.value <= 9e9) {
			return fmt.Errorf("%s is missing or out of range; it must be a time in seconds", f.name)
		}
	}
	switch {
	case r.InputTokens < 1 || r.OutputTokens < 1:
		return fmt.Errorf("input_toks %d, output_toks %d; both must be at least 1", r.InputTokens, r.OutputTokens)
	case *r.FirstToken < *r.Queued || *r.LastToken < *r.FirstToken:
		return errors.New("first_token_ts must not be before queued_ts, nor last_token_ts before first_token_ts")
	}
	return nil
}

// readRecorded reads a run, in the order of arrival, from time 0.
func readRecorded(file string) ([]engine.Completion, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseRecorded(file, raw)
}

func parseRecorded(file string, raw []byte) ([]engine.Completion, error) {
	var requests []recordedRequest
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(raw, []byte(trace.ByteOrderMark))))
	lines.Buffer(nil, 16<<20) // some recorders write every token
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var r recordedRequest
		err := inWords(json.Unmarshal(lines.Bytes(), &r))
		if err == nil {
			err = r.validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		requests = append(requests, r)
	}
	if err := lines.Err(); err != nil || len(requests) == 0 {
		return nil, cmp.Or(err, fmt.Errorf("%s: no requests", file))
	}
	completions := aligned(requests)
	for _, c := range completions {
		if c.Arrival < 0 || c.LastToken > longestRun {
			return nil, fmt.Errorf("%s: the times of a run must be within %v of each other", file, longestRun)
		}
	}
	if perToken := meanPerToken(completions); perToken > slowestToken {
		return nil, fmt.Errorf("%s: a token takes %v on average; the times of a run are seconds: divide these by 1000 if they are milliseconds",
			file, perToken.Round(100*time.Millisecond))
	}
	return completions, nil
}

// slowestToken is the mean time of a token above which the times of a run are not taken for
// seconds: a model on CPUs takes about 1 s, and 5 ms of a quick GPU would be 5.
const slowestToken = 4 * time.Second

// meanPerToken is the mean time of a token after the first, 0 where no request has one.
func meanPerToken(completions []engine.Completion) time.Duration {
	took, tokens := 0.0, 0.0
	for _, c := range completions {
		if c.Output > 1 {
			took, tokens = took+float64(c.LastToken-c.FirstToken), tokens+float64(c.Output-1)
		}
	}
	if tokens == 0 {
		return 0
	}
	return time.Duration(took / tokens)
}

// inWords says which field of JSON has a value of another kind.
func inWords(err error) error {
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s is a %s; it must be a %s", wrong.Field, wrong.Value, trace.KindInWords(wrong.Type))
	}
	return err
}

// longestRun is what an engine can simulate.
const longestRun = 90 * 24 * time.Hour

// aligned puts arrivals and engine times on one clock. The quickest way into
// the engine's queue gives the offset of the clocks: this request waited for nothing.
func aligned(requests []recordedRequest) []engine.Completion {
	slices.SortStableFunc(requests, func(a, b recordedRequest) int { return cmp.Compare(*a.ArrivalTime, *b.ArrivalTime) })
	apart := math.Inf(1)
	for _, r := range requests {
		apart = min(apart, *r.Queued-*r.ArrivalTime)
	}
	zero := *requests[0].ArrivalTime + apart
	since := func(t float64) time.Duration { return time.Duration((t - zero) * float64(time.Second)) }
	var completions []engine.Completion
	for i, r := range requests {
		completions = append(completions, engine.Completion{
			Request: engine.Request{ID: int32(i), Arrival: since(*r.ArrivalTime + apart), Prompt: r.InputTokens,
				Output: r.OutputTokens},
			FirstToken: since(*r.FirstToken), LastToken: since(*r.LastToken),
		})
	}
	return completions
}

// meta is what real_*.meta.json says about the engine's limits; 0 is unsaid.
// What the engine was asked for counts before what it resolved that to.
type meta struct {
	Model string `json:"model"`
	Asked struct {
		parallelism
		scheduler
	} `json:"engine_kwargs"`
	KVCache  kvCache `json:"kv_cache"`
	Resolved struct {
		Scheduler scheduler   `json:"scheduler_config"`
		Parallel  parallelism `json:"parallel_config"`
		Cache     kvCache     `json:"cache_config"`
	} `json:"resolved_config"`
	Hardware struct {
		Device string `json:"device_name"`
	} `json:"hardware"`
}

type parallelism struct {
	TensorParallel int `json:"tensor_parallel_size"`
	DataParallel   int `json:"data_parallel_size"`
}

// maxRanks is the most data-parallel ranks that a run may have.
const maxRanks = 256

// ranks is the data-parallel ranks that the run had: engines with a scheduler and a KV
// cache each.
func (m meta) ranks() int {
	return max(cmp.Or(m.Asked.DataParallel, m.Resolved.Parallel.DataParallel), 1)
}

type scheduler struct {
	MaxNumSeqs          int `json:"max_num_seqs"`
	MaxNumBatchedTokens int `json:"max_num_batched_tokens"`
}

type kvCache struct {
	Blocks    int `json:"num_gpu_blocks"`
	BlockSize int `json:"block_size"`
	// Tokens, as Blocks, is of all data-parallel ranks together in vLLM 0.28; PerRank is of one.
	Tokens  int `json:"num_kv_tokens"`
	PerRank int `json:"kv_cache_size_tokens"`
}

// readMeta reads the limits; a run without the file has those of the profile.
func readMeta(file string) (m meta, err error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return meta{}, nil
	}
	if err == nil {
		err = inWords(json.Unmarshal(bytes.TrimPrefix(raw, []byte(trace.ByteOrderMark)), &m))
	}
	if err == nil {
		err = m.validate()
	}
	if err != nil {
		return meta{}, fmt.Errorf("%s: %w", file, err)
	}
	if n := m.ranks(); n > maxRanks {
		return meta{}, fmt.Errorf("%s: data_parallel_size is %d; the simulator has at most %d ranks in a pod", file, n, maxRanks)
	}
	return m, nil
}

// validate names a limit that no engine has; 0 is one that is not said.
func (m meta) validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"engine_kwargs.max_num_seqs", m.Asked.MaxNumSeqs}, {"engine_kwargs.max_num_batched_tokens", m.Asked.MaxNumBatchedTokens},
		{"scheduler_config.max_num_seqs", m.Resolved.Scheduler.MaxNumSeqs},
		{"scheduler_config.max_num_batched_tokens", m.Resolved.Scheduler.MaxNumBatchedTokens},
		{"kv_cache.num_gpu_blocks", m.KVCache.Blocks}, {"kv_cache.block_size", m.KVCache.BlockSize},
		{"kv_cache.num_kv_tokens", m.KVCache.Tokens}, {"cache_config.num_gpu_blocks", m.Resolved.Cache.Blocks},
		{"cache_config.block_size", m.Resolved.Cache.BlockSize}, {"cache_config.kv_cache_size_tokens", m.Resolved.Cache.PerRank},
	} {
		if f.value < 0 {
			return fmt.Errorf("%s is %d; it must be above 0, or not be there", f.name, f.value)
		}
	}
	return nil
}

// apply puts the limits that the run names into a profile.
func (m meta) apply(p engine.Profile) engine.Profile {
	p.MaxNumSeqs = cmp.Or(m.Asked.MaxNumSeqs, m.Resolved.Scheduler.MaxNumSeqs, p.MaxNumSeqs)
	p.MaxNumBatchedTokens = cmp.Or(m.Asked.MaxNumBatchedTokens, m.Resolved.Scheduler.MaxNumBatchedTokens,
		p.MaxNumBatchedTokens)
	p.BlockSize = cmp.Or(m.KVCache.BlockSize, m.Resolved.Cache.BlockSize, p.BlockSize)
	blocks := cmp.Or(m.KVCache.Blocks, m.Resolved.Cache.Blocks)
	perRank := cmp.Or(m.KVCache.Tokens, blocks*p.BlockSize) / m.ranks()
	p.KVTokens = cmp.Or(m.Resolved.Cache.PerRank, perRank, p.KVTokens)
	return p
}
