package slo

// queueEvidence learns what replicas did while a queue persisted in front of them, which
// is all that they can do. It refutes a capacity that promises much more: of an
// engine that reports too little to learn from, or that is held back by
// something that no metric reports, such as slots for adapters.
type queueEvidence struct {
	// Prompt and Output are the tokens that the best replica computed in Seconds; all fade.
	Prompt  float64 `json:"prompt,omitempty"`
	Output  float64 `json:"output,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Request is the mean one of that time.
	Request request `json:"request,omitzero"`
	// Pods is how many there were, Bins how many bins with a queue, faded, showed this.
	Pods int     `json:"pods,omitempty"`
	Bins float64 `json:"bins,omitempty"`
	// Share is the share of the modelled rate that counts, 0 while that is not refuted.
	Share float64 `json:"share,omitempty"`
	// ExpiresIn is the number of bins until Share is dropped, of Memory; negative: bins
	// since Share was dropped.
	ExpiresIn int `json:"expiresIn,omitempty"`
	Memory    int `json:"memory,omitempty"`
}

// observe takes the samples of a bin. When half of the pods have a queue for longer
// than first tokens may take, the best pod shows what a pod can do; a single slow
// one shows nothing of the others.
func (t *queueEvidence) observe(b *bin) {
	if !b.learns() {
		return
	}
	model := limits{Concurrency: b.limits.Concurrency}
	now, then := b.replica.capacity(b.request, model), b.replica.capacity(t.Request, model)
	best, highest, queued := queueEvidence{}, 0.0, 0
	for _, d := range b.samples {
		one := workOf(d, b.request)
		if one.Seconds > 0 && d.queueLasted(max(persistentQueue, b.ttft)) {
			queued++
		}
		if done := one.done(now); done > highest && done < maxDone {
			best, highest = one, done
		}
	}
	shown := highest > 0 && queued > 0 && queued*2 >= len(b.samples)
	best.Pods = len(b.samples)
	t.take(best, highest > t.done(then), shown)
	if t.Request == b.request {
		then = now
	}
	t.judge(t.done(then), shown)
}

// take adds what the best pod did in a bin. While a capacity is refuted, a pod that
// does more has recovered, or shows that the others were slow. Throughput that drops
// after replicas were added is not a capacity signal (the pods wait for something
// else) and is ignored.
func (t *queueEvidence) take(best queueEvidence, more, shown bool) {
	switch {
	case t.Share > 0 && more:
		t.Prompt, t.Output, t.Seconds, t.Request, t.Pods = best.Prompt, best.Output, best.Seconds, best.Request, best.Pods
	case t.Share > 0 && (!shown || best.Pods > t.Pods):
	case shown:
		t.fade()
		t.Prompt += best.Prompt
		t.Output += best.Output
		t.Seconds += best.Seconds
		t.Request, t.Pods = best.Request, best.Pods
		t.Bins++
	default:
		t.fade()
	}
}

// judge sets the share of the capacity that counts. done is the part of the capacity that
// was used. The share falls slowly, while a queue shows it, and rises at once.
func (t *queueEvidence) judge(done float64, shown bool) {
	before := t.Share
	t.ExpiresIn = max(t.ExpiresIn-1, -2*t.Memory)
	switch {
	case before == 0 && (t.Bins < queueBins || done >= refutedThreshold):
		if t.ExpiresIn <= -2*t.Memory {
			t.ExpiresIn, t.Memory = 0, 0 // the model has long been right
		}
		return
	case before > 0 && (t.ExpiresIn <= 0 && !shown || done >= upheldThreshold):
		t.Share, t.Bins = 0, 0
		return
	case before == 0:
		t.Share = max(done, maxShareStep)
		t.Memory = min(max(2*t.Memory, minMemory), maxMemory)
	case done < before*(1-steadyShare) && shown:
		t.Share = max(done, before*maxShareStep, minQueueShare)
	case done > before*(1+steadyShare):
		t.Share = done
	}
	if shown {
		t.ExpiresIn = t.Memory
	}
}

func (t *queueEvidence) fade() {
	t.Prompt *= queueFade
	t.Output *= queueFade
	t.Seconds *= queueFade
	t.Bins *= queueFade
}

// estimate is the share of the modelled rate that counts, 0 while that is not refuted.
func (t *queueEvidence) estimate() float64 { return t.Share }

// workOf is the prompt and output tokens of one pod. Output is the larger of the counter, which an engine may
// raise at the end of a request only, and what the running requests make in that time; an
// engine that reports no gaps gives nothing.
func workOf(d sample, r request) queueEvidence {
	if !(d.gaps > 0 && d.gapSum > 0 && d.seconds > 0) {
		return queueEvidence{}
	}
	made := min(max(d.generated, d.running*d.seconds*d.gaps/d.gapSum, 0), maxGain)
	full := max(d.fullest.share*d.ranks, 1) // a pod can do no more when its fullest rank cannot
	return queueEvidence{Prompt: max(d.prompt-d.cached, 0) * full, Output: made * full, Seconds: d.seconds, Request: r}
}

// done is the share of a capacity for requests like Request that was done.
func (t *queueEvidence) done(c capacity) float64 {
	if t.Seconds == 0 {
		return 0
	}
	perPrompt := c.prompt / max(t.Request.Prompt*t.Request.Computed, 1e-6)
	perOutput := (c.work - c.prompt) / max(c.output, 1e-6)
	return (t.Prompt*perPrompt + t.Output*perOutput) / (t.Seconds * c.rate * c.work)
}

func (t *queueEvidence) valid() bool {
	for _, v := range [...]float64{t.Prompt, t.Output, t.Seconds, t.Bins} {
		if !(v >= 0 && v < MaxTotal) {
			return false
		}
	}
	counts := t.Pods >= 0 && t.Pods <= maxFollowedPods && t.Memory >= 0 && t.Memory <= maxMemory &&
		t.ExpiresIn >= -2*t.Memory && t.ExpiresIn <= t.Memory
	return counts && (t.Share == 0 || t.Share >= minQueueShare && t.Share <= 1) &&
		(t.Request == (request{}) || t.Request.valid())
}
