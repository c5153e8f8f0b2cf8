package engine

import (
	"slices"
	"time"
)

// buckets is the most that a histogram of vLLM has, with the one above all bounds.
const buckets = 23

// Histogram counts by vLLM's own buckets: element i is what lies above bound
// i-1 and not above bound i. It is not cumulative.
type Histogram [buckets]int64

// TokenGapBounds are the upper bounds of vllm:inter_token_latency_seconds, of vLLM 0.32.
func TokenGapBounds() []time.Duration {
	return milliseconds(10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2500, 5000, 7500, 10_000, 20_000,
		40_000, 80_000)
}

// TTFTBounds are the upper bounds of vllm:time_to_first_token_seconds, of vLLM 0.32.
func TTFTBounds() []time.Duration {
	return milliseconds(1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 20_000,
		40_000, 80_000, 160_000, 640_000, 2_560_000)
}

// E2EBounds are the upper bounds of vllm:e2e_request_latency_seconds, of vLLM 0.32.
func E2EBounds() []time.Duration {
	return milliseconds(300, 500, 800, 1000, 1500, 2000, 2500, 5000, 10_000, 15_000, 20_000, 30_000, 40_000,
		50_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 7_680_000)
}

// PromptBounds are the upper bounds of vllm:request_prompt_tokens, of vLLM 0.32 with a
// context of 131,072 tokens.
func PromptBounds() []int {
	return []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000}
}

// countPrompt counts a prompt by its tokens.
func (h *Histogram) countPrompt(tokens int, bounds []int) {
	i, _ := slices.BinarySearch(bounds, tokens)
	h[i]++
}

func milliseconds(ms ...int) (bounds []time.Duration) {
	for _, m := range ms {
		bounds = append(bounds, time.Duration(m)*time.Millisecond)
	}
	return bounds
}

// bounds are upper bounds in picoseconds.
type bounds []picos

func newBounds(of []time.Duration) (b bounds) {
	for _, d := range of {
		b = append(b, fromDuration(d))
	}
	return b
}

func (b bounds) bucket(of picos) int {
	i := 0
	for i < len(b) && of > b[i] {
		i++
	}
	return i
}

// addSeries counts each of the first m steps n times, a bucket at a time: a
// series crosses few bounds.
func (b bounds) addSeries(h *Histogram, times series, m, n int64) {
	last := b.bucket(times.first + times.grow*picos(m-1))
	done := int64(0)
	for i := b.bucket(times.first); i < last; i++ {
		below := int64((b[i]-times.first)/times.grow) + 1
		h[i] += (below - done) * n
		done = below
	}
	h[last] += (m - done) * n
}
