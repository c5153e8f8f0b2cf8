package collector

import (
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// maxKVTokens and maxSeconds bound what one engine's page may say of its cache
// and of a latency sum, and be believed.
const (
	maxKVTokens = 1e10
	maxSeconds  = 1e13
)

// totals keeps the counters of a page that can be believed. Its histograms
// share their slices with the sample before when they have not changed, so a
// quiet engine costs no memory.
func totals(st *engine.Stat, last decider.Totals, b *bounds) decider.Totals {
	return decider.Totals{
		Known:            true,
		Ranks:            st.Ranks,
		Fullest:          fullest(st),
		Steps:            total(st.Steps, maxTokens),
		Preemptions:      total(st.Preemptions, maxTokens),
		Finished:         total(st.Finished, maxTokens),
		PromptTokens:     total(st.PromptTokens, maxTokens),
		CachedTokens:     total(st.PrefixHits, maxTokens),
		GenerationTokens: total(st.GenerationTokens, maxTokens),
		KVCapacity:       total(st.KVCapacity, maxKVTokens),
		TTFT:             histogram(st.TTFT, last.TTFT, &b.ttft),
		ITL:              histogram(st.ITL, last.ITL, &b.itl),
		E2E:              histogram(st.E2E, last.E2E, &b.e2e),
		QueueTime:        histogram(st.QueueTime, last.QueueTime, &b.queueTime),
		PrefillTime:      histogram(st.PrefillTime, last.PrefillTime, &b.prefillTime),
		PromptLengths:    histogram(st.PromptLengths, last.PromptLengths, &b.promptLengths),
	}
}

// fullest is the rank of a page that computed the most prompt tokens, the zero value where it is not known.
func fullest(st *engine.Stat) decider.FullestRank {
	f := st.Fullest
	if !(f.PromptTokens > 0 && f.PromptTokens <= st.PromptTokens && st.PromptTokens <= maxTokens) {
		return decider.FullestRank{}
	}
	return decider.FullestRank{
		ID: float64(f.ID), PromptTokens: decider.Reading(f.PromptTokens),
		Running: total(f.Running, maxEngineRequests), Waiting: total(f.Waiting, maxEngineRequests),
	}
}

// bounds are those of the histograms that were read last from any pod of a revision, whose
// pods share them. The slices are replaced, never written.
type bounds struct{ ttft, itl, e2e, queueTime, prefillTime, promptLengths []float64 }

func total(v, largest float64) decider.Reading {
	if v >= 0 && v <= largest {
		return decider.Reading(v)
	}
	return decider.Unknown()
}

// histogram copies what the parser will overwrite. One that is no histogram
// (another number of counts than of bounds, counts that fall, a count beyond
// all reason) is unknown as a whole.
func histogram(h engine.Histogram, last decider.Histogram, shared *[]float64) decider.Histogram {
	if !believable(h) {
		return decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}
	}
	out := decider.Histogram{Bounds: last.Bounds, Counts: last.Counts, Count: decider.Reading(h.Count),
		Sum: total(h.Sum, maxSeconds)}
	if !slices.Equal(out.Bounds, h.Bounds) {
		if !slices.Equal(*shared, h.Bounds) {
			*shared = slices.Clone(h.Bounds)
		}
		out.Bounds = *shared
	}
	if !slices.Equal(out.Counts, h.Counts) {
		out.Counts = slices.Clone(h.Counts)
	}
	return out
}

func believable(h engine.Histogram) bool {
	if len(h.Bounds) != len(h.Counts) || !(h.Count >= 0 && h.Count <= maxTokens) {
		return false
	}
	for i, n := range h.Counts {
		if !(n >= 0 && n <= h.Count) || i > 0 && (n < h.Counts[i-1] || !(h.Bounds[i] > h.Bounds[i-1])) ||
			!known(h.Bounds[i]) {
			return false
		}
	}
	return true
}
