package fit

import (
	"math"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// The time to first token shows the cost of a prompt more clearly than the time
// between tokens, where a prompt is one of many things in a step. Nothing else shows
// the API server's own time. Both hold only where no request waits for others.

// fewestFirsts is the windows from which on first tokens are learned from.
const fewestFirsts = 5

// maxOverhead is a minute in microseconds, the longest that a profile may have.
const maxOverhead = 60e6

// firstToken is the mean time in microseconds from the engine's taking a request
// to its first token: the rest of the step that it comes in, and the step that
// computes its prompt, with those of the others who came in the same step. A
// request comes in a long step more likely than in a short one: of steps T the
// one that it meets takes E[T²]/E[T], and half of that is left.
func firstToken(w window, p engine.Profile) float64 {
	decode, mixed := prefill(0, w, p), prefill(1, w, p)
	mean := max((1-w.filling)*decode+w.filling*mixed, 1e-3)
	met := ((1-w.filling)*decode*decode + w.filling*mixed*mixed) / mean
	others := w.filling * met / mean
	idle := window{length: w.length}
	return w.busy*(met/2+prefill(1+others, w, p)) + (1-w.busy)*prefill(1, idle, p)
}

// prefill is the steps that compute a number of prompts of a window's length beside
// what it decodes.
func prefill(prompts float64, w window, p engine.Profile) float64 {
	tokens := prompts * w.length
	steps := max(math.Ceil(tokens/float64(max(p.MaxNumBatchedTokens, 1))), 1)
	return steps*stepTime(tokens/steps, w, p) + prompts*p.PerTokenPair*w.length*w.length/2
}

// overhead is the part of the measured times to the first token, in microseconds,
// that the engine's steps do not explain: the median window's. It is false where
// too few windows show it.
func overhead(windows []window, p engine.Profile) (micros float64, ok bool) {
	var rest []float64
	for _, w := range windows {
		if w.ttft > 0 {
			rest = append(rest, w.ttft-firstToken(w, p))
		}
	}
	if len(rest) < fewestFirsts {
		return 0, false
	}
	slices.Sort(rest)
	return min(max(rest[len(rest)/2], 0), maxOverhead), true
}

// firstTokenCost is the difference between a profile and the measured times to first
// token, given the best overhead: the mean square of the logarithms, as for steps.
func firstTokenCost(windows []window, p engine.Profile) float64 {
	o, ok := overhead(windows, p)
	if !ok {
		return 0
	}
	sum, n := 0.0, 0.0
	for _, w := range windows {
		if w.ttft > 0 {
			sum, n = sum+squaredLogRatio(firstToken(w, p)+o, w.ttft), n+1
		}
	}
	return sum / n
}
