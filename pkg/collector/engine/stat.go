// Package engine turns the metrics page of an inference engine into one typed
// Stat. Each engine is a table; the parser reads only the families a table
// names. The package is pure: bytes in, values out.
package engine

import "math"

// Stat is what one engine's page says at one instant. Gauges and counters that
// the page does not carry are NaN: unknown is never zero. A pod with several
// data-parallel ranks is folded into one Stat, summed or averaged as the
// engine's table says for each field.
type Stat struct {
	Engine string
	// Running and Waiting are requests in the batch and in the engine's queue.
	Running, Waiting float64
	// WaitingNegative is those of Waiting that have a negative priority, in an endpoint picker.
	WaitingNegative float64
	// Deferred is those of Waiting that wait for something else than capacity, such as a
	// KV transfer, where the engine gives a reason.
	Deferred float64
	// Ranks is the data-parallel ranks that report requests, each an engine of its own, where
	// there are several; otherwise 0.
	Ranks int
	// Fullest is the rank that computed the most prompt tokens.
	Fullest FullestRank
	// KVUsage is the used share of the KV cache, 0..1 (what the requests in it meet, see engines.Weighted).
	KVUsage float64
	// KVCapacity is the size of the KV cache in tokens (sum over ranks).
	KVCapacity float64
	// PromptTokens and GenerationTokens are counters of tokens since the engine's start.
	PromptTokens, GenerationTokens float64
	// Steps counts engine iterations since the start, where the engine says so.
	Steps float64
	// Preemptions counts preempted requests; Finished counts completed ones.
	Preemptions, Finished float64
	// PrefixQueries and PrefixHits are tokens looked up and found in the prefix cache.
	PrefixQueries, PrefixHits float64
	// Created is the Unix time in seconds at which the counters began, where the
	// page says so: a restart shows as a new value.
	Created float64
	// TTFT, ITL and E2E are latency histograms in seconds.
	TTFT, ITL, E2E Histogram
	// QueueTime is the seconds in the queue, PrefillTime those from there to the first token,
	// PromptLengths the tokens of prompts.
	QueueTime, PrefillTime, PromptLengths Histogram
	// LoRA lists adapters that run or wait, in no order.
	LoRA []string
	// Asleep is true when the engine has offloaded its weights.
	Asleep bool
}

// Histogram is a cumulative histogram since the engine's start, over all series of the page.
// Count is NaN when a series has neither a count nor a bucket +Inf.
type Histogram struct {
	// Bounds are upper bounds in seconds or tokens, ascending, without +Inf, that all series
	// have; Counts[i] is the cumulative count at Bounds[i].
	Bounds, Counts []float64
	Count, Sum     float64
}

// NewStat returns a Stat in which everything is unknown.
func NewStat(name string) Stat {
	nan := math.NaN()
	h := Histogram{Count: nan, Sum: nan}
	return Stat{
		Engine: name, Running: nan, Waiting: nan, WaitingNegative: nan, Deferred: nan, KVUsage: nan, KVCapacity: nan,
		PromptTokens: nan, GenerationTokens: nan, Steps: nan, Preemptions: nan, Finished: nan,
		PrefixQueries: nan, PrefixHits: nan, Created: nan, TTFT: h, ITL: h, E2E: h,
		QueueTime: h, PrefillTime: h, PromptLengths: h,
	}
}
