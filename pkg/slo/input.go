package slo

import (
	"encoding/json"
	"math"
	"time"
)

// Reading is a measured number that may be unknown. Unknown is never zero: it
// is NaN in memory and null in JSON.
type Reading float64

// Unknown returns the reading of something that could not be measured.
func Unknown() Reading { return Reading(math.NaN()) }

// Known reports whether the reading is a finite number.
func (r Reading) Known() bool { return !math.IsNaN(float64(r)) && !math.IsInf(float64(r), 0) }

// MarshalJSON writes null for an unknown reading.
func (r Reading) MarshalJSON() ([]byte, error) {
	if !r.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

// UnmarshalJSON reads null as unknown.
func (r *Reading) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*r = Unknown()
		return nil
	}
	return json.Unmarshal(b, (*float64)(r))
}

// Within returns the reading when it lies in [0, limit], otherwise unknown.
func (r Reading) Within(limit float64) Reading {
	if !r.Known() || r < 0 || float64(r) > limit {
		return Unknown()
	}
	return r
}

// Totals are what one engine has counted since it began. Every field may be
// unknown; one that is smaller than before means that the engine restarted.
type Totals struct {
	// Known is false when there is no page at all, and every other field is then to be ignored.
	Known bool
	// Steps is scheduler iterations, Preemptions and Finished are requests.
	Steps, Preemptions, Finished Reading
	// PromptTokens includes CachedTokens, which came from the prefix cache.
	PromptTokens, CachedTokens, GenerationTokens Reading
	// KVCapacity is the size of the KV cache in tokens, of all ranks.
	KVCapacity Reading
	// TTFT, ITL and E2E are latencies in seconds.
	TTFT, ITL, E2E Histogram
	// QueueTime is the seconds in the engine's queue, PrefillTime those from there to the first
	// token, PromptLengths the tokens of prompts; of the same requests, counted when each ends.
	QueueTime, PrefillTime, PromptLengths Histogram `json:",omitzero"`
	// Ranks is the data-parallel ranks whose sums these are: engines of their own, with a
	// queue and a KV cache each; 0 is one.
	Ranks int `json:",omitzero"`
	// Fullest is the rank that computed the most prompt tokens since the engine began; the zero value where
	// there is one rank, or where the engine does not report its ranks apart.
	Fullest FullestRank `json:",omitzero"`
}

// FullestRank is one data-parallel rank of a pod.
type FullestRank struct {
	// ID is the identity of the rank in its pod, 0 to 2^32.
	ID float64
	// PromptTokens is the counter of the rank.
	PromptTokens Reading
	// Running and Waiting are the requests that the rank runs, and those in its queue.
	Running, Waiting Reading
}

// Histogram is a histogram since the engine began. Counts[i] is the
// cumulative count at Bounds[i] seconds, or tokens; Count and Sum are unknown without one.
// The slices are shared: nobody changes them.
type Histogram struct {
	Bounds, Counts []float64
	Count, Sum     Reading
}

// Input is all that the policy knows of a revision at one instant. Its readings
// are plausible or unknown.
type Input struct {
	Time time.Time
	// Replicas is what is ordered, Ready the pods that serve, Unschedulable those of
	// the others that found no node.
	Replicas, Ready, Unschedulable int32
	// Arrivals counts requests since some fixed moment; RPS is requests per second that
	// ended lately, which stands in for it.
	Arrivals, RPS Reading
	// InFlight is the mean requests in flight, Queued the requests that wait outside
	// of the engines.
	InFlight, Queued Reading
	// Pods are the Ready pods that were observed.
	Pods []Pod
}

// Pod is one Ready pod's engine.
type Pod struct {
	Name string
	// ReadyAfter is the time from creation to Ready; 0 when not known.
	ReadyAfter time.Duration
	// Running and Waiting are requests, KVCache is percent. Deferred are requests that wait for
	// something else than capacity, and no part of Waiting.
	Running, Waiting, Deferred, KVCache Reading
	// Totals are the engine's counters, never nil. They are not changed.
	Totals *Totals
}

// ranks is the data-parallel ranks of a pod, at least 1.
func (p Pod) ranks() int { return min(max(p.Totals.Ranks, 1), maxRanks) }

// total is a counter, unknownCount when it is unknown or absurd.
func total(r Reading) float64 {
	if r = r.Within(MaxTotal); r.Known() {
		return float64(r)
	}
	return unknownCount
}
