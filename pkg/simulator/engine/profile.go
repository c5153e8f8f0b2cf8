package engine

import (
	"fmt"
	"math"
	"time"
)

// Profile is one engine: the coefficients of its step time and its limits.
// Coefficients are in microseconds, as the field publishes them.
type Profile struct {
	Name  string `json:"name"`
	GPU   string `json:"gpu"`
	Model string `json:"model"`
	// TensorParallel is the number of GPUs of one replica.
	TensorParallel int `json:"tensor_parallel"`

	// StepBase (a) is a step that only reads the weights; PerSequence (b) is what each decoding request adds.
	StepBase    float64 `json:"a_us"`
	PerSequence float64 `json:"b_us_per_seq"`
	// ComputeBase (c0) and PerToken (c) are the same step bound by compute.
	ComputeBase float64 `json:"c0_us"`
	PerToken    float64 `json:"c_us_per_token"`
	// PerKVToken (d) is reading one token of a decoding request's KV cache.
	PerKVToken float64 `json:"d_us_per_kv_token"`
	// MixedKV multiplies PerKVToken in steps that also compute prompts; 0 is 1.
	MixedKV float64 `json:"mixed_kv,omitempty"`
	// PerTokenPair (e) is a prompt token's attention to one token before it.
	PerTokenPair float64 `json:"e_us_per_token_pair"`

	// KVTokens is the size of the KV cache, BlockSize the tokens of one block.
	KVTokens  int `json:"kv_tokens"`
	BlockSize int `json:"block_size"`
	// MaxNumBatchedTokens is the token budget of a step, at least MaxNumSeqs.
	MaxNumBatchedTokens int `json:"max_num_batched_tokens"`
	MaxNumSeqs          int `json:"max_num_seqs"`

	// TokensPerStep is how many tokens of a request one output brings on average, as with speculative decoding;
	// 0 is 1. The coefficients stay those of a token.
	TokensPerStep float64 `json:"tokens_per_step,omitempty"`

	// RequestOverhead is the API server's time from a request's arrival to the
	// engine's queue, TokenOverhead its time per output token.
	RequestOverhead time.Duration `json:"request_overhead_ns"`
	TokenOverhead   time.Duration `json:"token_overhead_ns"`

	// Source says where the coefficients come from.
	Source string `json:"source"`
}

// Holds reports whether the whole KV cache of an engine is enough for a request. Its
// last token is never read again, so it needs no place.
func (p Profile) Holds(prompt, output int) bool {
	block := max(p.BlockSize, 1)
	all := int64(p.KVTokens / block * block)
	prompt, output = max(prompt, 1), max(output, 1)
	return int64(prompt) <= all && int64(output) <= all && int64(prompt)+int64(output)-1 <= all
}

// Validate returns an error that names the field at fault.
func (p Profile) Validate() error {
	for _, c := range []struct {
		name  string
		value float64
	}{
		{"a_us", p.StepBase}, {"b_us_per_seq", p.PerSequence}, {"c0_us", p.ComputeBase}, {"c_us_per_token", p.PerToken},
		{"d_us_per_kv_token", p.PerKVToken}, {"e_us_per_token_pair", p.PerTokenPair},
	} {
		if !(c.value >= 0 && c.value <= 1e7) { // NaN fails too
			return fmt.Errorf("profile %q: %s is %v; it must be between 0 and 1e7 microseconds", p.Name, c.name, c.value)
		}
	}
	for _, l := range []struct {
		name         string
		value, least int
	}{
		{"kv_tokens", p.KVTokens, p.BlockSize}, {"block_size", p.BlockSize, 1},
		{"max_num_seqs", p.MaxNumSeqs, 1}, {"max_num_batched_tokens", p.MaxNumBatchedTokens, p.MaxNumSeqs},
	} {
		if l.value < l.least || l.value > math.MaxInt32 {
			return fmt.Errorf("profile %q: %s is %d; it must be between %d and %d", p.Name, l.name, l.value, l.least, math.MaxInt32)
		}
	}
	if p.BlockSize > maxBlockSize {
		return fmt.Errorf("profile %q: block_size is %d; it must be at most %d", p.Name, p.BlockSize, maxBlockSize)
	}
	return p.validateTimes()
}

// validateTimes wants a step to take time, or the clock would stand still.
func (p Profile) validateTimes() error {
	if p.StepBase < 1 && p.ComputeBase < 1 {
		return fmt.Errorf("profile %q: a_us or c0_us must be at least 1 microsecond", p.Name)
	}
	if !(p.MixedKV >= 0 && p.MixedKV <= 100) {
		return fmt.Errorf("profile %q: mixed_kv is %v; it must be between 0 and 100", p.Name, p.MixedKV)
	}
	if p.TokensPerStep != 0 && !(p.TokensPerStep >= 1 && p.TokensPerStep <= MaxTokensPerStep) {
		return fmt.Errorf("profile %q: tokens_per_step is %v; it must be between 1 and %d", p.Name, p.TokensPerStep, MaxTokensPerStep)
	}
	// As a float: the largest step in picoseconds may not fit.
	longest := p.StepBase + p.ComputeBase + (p.PerSequence+p.PerToken)*float64(p.MaxNumSeqs+p.MaxNumBatchedTokens) +
		p.PerKVToken*max(p.MixedKV, 1)*float64(p.KVTokens) + p.PerTokenPair*float64(p.MaxNumBatchedTokens)*float64(p.KVTokens)
	if longest > 3600e6 {
		return fmt.Errorf("profile %q: a full step would take %.0f s; coefficients are in microseconds", p.Name, longest/1e6)
	}
	for _, d := range []time.Duration{p.RequestOverhead, p.TokenOverhead} {
		if d < 0 || d > time.Minute {
			return fmt.Errorf("profile %q: request_overhead_ns and token_overhead_ns must be between 0 and 1 minute, not %v", p.Name, d)
		}
	}
	return nil
}

// MaxTokensPerStep bounds TokensPerStep; drafts are of 1 to 16 tokens.
const MaxTokensPerStep = 64

// maxBlockSize bounds the table of block phases; vLLM's blocks hold 16 to 256 tokens.
const maxBlockSize = 4096
