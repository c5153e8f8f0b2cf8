package slo

import "math"

// sample is what one pod did between two readings of its counters. A field is
// unknownCount where the engine does not report it.
type sample struct {
	// pod is the PodHash.
	pod float64

	steps, prompt, cached, generated, finished, preempted float64
	firsts, gaps, gapSum                                  float64
	// outputs is the steps that brought a request a token: as many as gaps, or fewer where an
	// output brings several tokens.
	outputs float64
	// ended and endedSum are the requests that the end-to-end histogram saw, and their seconds.
	ended, endedSum float64
	// firstSum is the seconds to the first token of all that are in firsts.
	firstSum float64
	// phased is the requests that ended and whose queue time was counted, phasedLate those of
	// them that it made late; unknownCount where first tokens are judged by their own histogram.
	phased, phasedLate float64
	// firstTokensBelowLower and firstTokensBelowUpper are the first tokens not above the
	// edges of the bucket that contains the TTFT objective; bucketPosition is where in
	// that bucket the objective lies, 0 to 1.
	firstTokensBelowLower, firstTokensBelowUpper, bucketPosition float64
	// gapsBelowLower, gapsBelowUpper and gapPosition are the same for gaps and the ITL objective.
	gapsBelowLower, gapsBelowUpper, gapPosition float64
	// judgedTokens is the tokens in whose time, by the objective, a gap is not slow, and 0 where a gap has more or
	// fewer tokens by a share of sameBound.
	judgedTokens float64
	// waitingBefore and waiting are the requests in the engine's queue at the first and at
	// the second reading, waitingThroughout whichever is less.
	waitingBefore, waiting, waitingThroughout float64
	// runningBefore and running are the requests that the engine ran at the first and at the
	// second reading; steadyWithQueue is set when they are equal and others waited both
	// times, with room in the KV cache.
	runningBefore, running float64
	steadyWithQueue        bool
	// seconds is the time in which this was done, interval that between the readings.
	seconds, interval float64
	// ranks is the data-parallel ranks of the pod. Every other number is that of one rank, in
	// the mean.
	ranks float64
	// fullest is what the fullest rank has of the pod's requests, the zero value where the ranks are equally loaded.
	fullest fullest
	// skew is the requests that the fullest rank is given, divided by those of the mean rank; skewWeight is the
	// number of requests that show the skew, 0 where it is not known.
	skew, skewWeight float64
}

// fullest is what the fullest of several ranks has of a pod.
type fullest struct {
	// share is the share of the pod's requests that the rank is given, running that of those that run.
	share, running float64
	// requests is how many the rank ran at the second reading.
	requests float64
}

// lateFirstTokens is the share of requests whose first token came after the bound.
// Within a bucket the share falls geometrically from edge to edge: most of what lies
// above 1 s lies near 1 s. Without the histogram the queue says how many.
func (d sample) lateFirstTokens(bound float64) float64 {
	if d.firsts < 0 {
		return d.lateByQueue(bound)
	}
	if !(d.firsts > 0) || d.firstTokensBelowLower < 0 || d.firstTokensBelowUpper < 0 {
		return 0
	}
	return above(d.firsts, d.firstTokensBelowLower, d.firstTokensBelowUpper, d.bucketPosition)
}

// above is the share of n observations that are above a bound. belowLower and belowUpper are the
// cumulative counts at the two edges of the bucket with the bound, position is where in this bucket the
// bound lies, 0 at the lower edge and 1 at the upper.
func above(n, belowLower, belowUpper, position float64) float64 {
	aboveLower, aboveUpper := max(1-belowLower/n, 0), max(1-belowUpper/n, 0)
	aboveUpper = max(aboveUpper, aboveLower*minAboveUpper)
	return aboveLower * math.Pow(aboveUpper/max(aboveLower, 1e-12), position)
}

// slowGaps is the share of outputs that took longer than the objective gives their tokens; 1 where that
// is not known, for gaps are not reported, are those of whole requests, or too few.
func (d sample) slowGaps() float64 {
	if d.outputs < minGaps || d.gapsBelowLower < 0 || d.gapsBelowUpper < 0 || d.judgedTokens == 0 {
		return 1
	}
	return above(d.outputs, d.gapsBelowLower, d.gapsBelowUpper, d.gapPosition)
}

// lateByQueue is the share of requests that wait in the engine's queue for longer than a
// bound, when waiting times are exponential around their mean (Little's law).
func (d sample) lateByQueue(bound float64) float64 {
	mean := (d.waitingBefore + d.waiting) / 2 * d.seconds / max(d.begun(), 1e-9)
	if !(mean > 0) {
		return 0
	}
	return math.Exp(-bound / mean)
}

// perRank divides a pod's sample by its data-parallel ranks: the mean of one rank.
func (d sample) perRank(ranks int) sample {
	d.ranks = float64(max(ranks, 1))
	if d.ranks == 1 {
		return d
	}
	for _, f := range [...]*float64{
		&d.steps, &d.prompt, &d.cached, &d.generated, &d.finished, &d.preempted, &d.firsts, &d.gaps, &d.gapSum, &d.outputs,
		&d.ended, &d.endedSum, &d.firstSum, &d.phased, &d.phasedLate, &d.firstTokensBelowLower, &d.firstTokensBelowUpper,
		&d.gapsBelowLower, &d.gapsBelowUpper,
		&d.waitingBefore, &d.waiting, &d.waitingThroughout, &d.runningBefore, &d.running,
	} {
		if *f != unknownCount {
			*f /= d.ranks
		}
	}
	return d
}

// believed makes a counter unknown that did not move although another counter of the page shows that it must
// have moved: a request that finished has begun, had a prompt, and made a token.
func (d sample) believed() sample {
	if !(d.finished > 0) {
		return d
	}
	if d.firsts == 0 && d.runningBefore >= 0 && d.finished > d.runningBefore {
		d.firsts = unknownCount
	}
	if d.begun() > 0 && d.prompt == 0 {
		d.prompt = unknownCount
	}
	if d.begun() > 0 && d.generated == 0 {
		d.generated = unknownCount
	}
	return d
}

// further is the tokens that end a gap: all but first tokens.
func (d sample) further() float64 { return d.generated - max(d.firsts, d.finished, 0) }

// observesRequests reports whether the gaps are requests' means, one for each request that
// ended (TGI and TensorRT-LLM), and not one for each output.
func (d sample) observesRequests() bool {
	further := d.further()
	return further > maxTokensPerGap*d.gaps || further > d.gaps && d.finished >= d.gaps
}

// perToken converts gaps to one for each token: a request's mean counts for all its tokens, and an output
// of several tokens (speculative decoding) for those that it brought, tokensPerOutput where the
// sample does not show how many.
func (d sample) perToken(tokensPerOutput float64) sample {
	d.outputs = d.gaps
	tokensPerOutput = d.tokensPerOutput(tokensPerOutput)
	if math.Abs(tokensPerOutput-d.judgedTokens) > sameBound*tokensPerOutput {
		d.judgedTokens = 0
	}
	switch further := d.further(); {
	case !(d.gaps > 0):
	case d.observesRequests():
		d.gapSum *= further / d.gaps
		d.gaps, d.outputs, d.judgedTokens = further, further, 0
	case tokensPerOutput > 1:
		d.gaps *= tokensPerOutput
	}
	return d
}

// tokensPerOutput is the tokens that an output brought in the time of the sample: the share of
// accepted drafts changes with what is asked. It is what was learned where too few outputs show
// it, or the engine may count tokens when requests end; one that counts its steps counts the
// tokens of each.
func (d sample) tokensPerOutput(learned float64) float64 {
	if d.steps < 0 || d.generated < 0 || d.firsts < 0 || d.gaps < minGaps {
		return learned
	}
	if own := (d.generated - d.firsts) / d.gaps; own >= severalTokens {
		return own
	}
	return 1
}

// completed estimates what the engine does not report from what it does: a request that
// began for one that ended, prompts of the mean length, a gap for a token, and as
// many steps as gaps of their mean length fit in, which is for an engine at work.
func (d sample) completed(r request) sample {
	begun := d.begun()
	if d.finished < 0 {
		d.finished = d.firsts
	}
	if d.gaps < 0 && d.generated >= 0 && begun >= 0 && (d.firsts >= 0 || d.waiting >= 0) {
		d.gaps = max(d.generated-begun, 0)
		d.outputs, d.gapSum = d.gaps, d.answerSeconds()
	}
	if d.prompt < 0 && begun >= 0 {
		d.prompt = begun * r.Prompt
	}
	if d.generated < 0 && d.gaps >= 0 {
		d.generated = d.gaps + max(begun, 0)
	}
	if d.steps < 0 && d.gapSum > 0 {
		d.steps = d.seconds * d.outputs / d.gapSum
	}
	return d
}

// answerSeconds is the time in which requests were answered, where gaps are not reported: that
// of the requests that ran, or of those that ended without the time in which they waited.
// The time of their prompts is in both, so gaps come out a little long.
func (d sample) answerSeconds() float64 {
	if d.running < 0 || d.runningBefore < 0 {
		return max(d.endedSum-(d.waitingBefore+max(d.waiting, 0))/2*d.seconds, 0)
	}
	return (d.runningBefore + d.running) / 2 * d.seconds
}

// wholeAnswers is the tokens of the answers that ended by themselves: as many gaps as fit in the time
// after the first token. It is unknownCount where the engine does not report that time.
func (d sample) wholeAnswers() float64 {
	if !(d.ended > 0 && d.endedSum > 0 && d.firsts > 0 && d.firstSum >= 0 && d.gaps >= minGaps && d.gapSum > 0) {
		return unknownCount
	}
	return d.ended + max(d.endedSum-d.ended*d.firstSum/d.firsts, 0)*d.gaps/d.gapSum
}

// begun is the requests that began, or ended where first tokens are not counted
// (TGI, Triton); below 0 when neither is known.
func (d sample) begun() float64 {
	if d.firsts < 0 {
		return d.finished
	}
	return d.firsts
}

// left is the requests that left the engine, finished or not: those that began and do
// not run any more, or those that finished where either is not known.
func (d sample) left() float64 {
	if d.firsts < 0 || d.running < 0 || d.runningBefore < 0 {
		return max(d.finished, 0)
	}
	return d.firsts - (d.running - d.runningBefore)
}

// queueLasted reports whether as many requests as the engine begins in that time, in seconds,
// waited in its queue at both readings.
func (d sample) queueLasted(seconds float64) bool {
	return d.seconds > 0 && d.waitingThroughout >= max(1, d.begun()/d.seconds*seconds)
}

// elapsed is the time in which a sample was gained: that between the readings, or
// where an engine was busy all of that time, that of its steps. Unequal ranks make steps of different
// lengths, and the page does not report how many each made.
func (d sample) elapsed(readings float64) float64 {
	if d.fullest.share > 0 || !(d.outputs > 0 && d.steps > 0 && d.gapSum > alwaysBusy*readings) {
		return readings
	}
	return min(max(d.steps*d.gapSum/d.outputs, readings/maxDrift), readings*maxDrift)
}
