package slo

// saturation is what replicas did while a queue stood in front of them, which is
// all that they can do. It refutes a capacity that promises much more: of an
// engine whose page tells too little to learn from, or that is held back by
// something that no page tells, such as slots for adapters.
type saturation struct {
	// Prompt and Output are the tokens that the best replica computed in Seconds; all fade.
	Prompt  float64 `json:"prompt,omitempty"`
	Output  float64 `json:"output,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Lengths are those of the requests then.
	Lengths lengths `json:"lengths,omitzero"`
	// Pods is how many there were, Bins how many bins with a queue, faded, told this.
	Pods int     `json:"pods,omitempty"`
	Bins float64 `json:"bins,omitempty"`
	// Share is the share of the modelled rate that counts, 0 while that is not refuted.
	Share float64 `json:"share,omitempty"`
	// Left is the bins until that is forgotten, of Memory; below 0 it was.
	Left   int `json:"left,omitempty"`
	Memory int `json:"memory,omitempty"`
}

// learn takes the samples of a bin, in which first tokens are to come within a
// bound. When half of the pods have a queue for longer, the best tells what a pod
// can do; a single slow one tells nothing of the others.
func (t *saturation) learn(samples []looked, l lengths, bound float64, model func(lengths) capacity) {
	c, then := model(l), model(t.Lengths)
	best, most, queued := saturation{}, 0.0, 0
	for _, d := range samples {
		one := d.alone(l)
		if one.Seconds > 0 && d.queued(max(standing, bound)) {
			queued++
		}
		if done := one.done(c); done > most && done < mostDone {
			best, most = one, done
		}
	}
	told := most > 0 && queued > 0 && queued*2 >= len(samples)
	best.Pods = len(samples)
	t.take(best, most > t.done(then), told)
	if t.Lengths == l {
		then = c
	}
	t.judge(t.done(then), told)
}

// take adds what the best pod did in a bin. While a capacity is refuted, one that
// does more has recovered, or shows that the others were slow. One that does less
// than before there were more pods waits for something else than its turn.
func (t *saturation) take(best saturation, more, told bool) {
	switch {
	case t.Share > 0 && more:
		t.Prompt, t.Output, t.Seconds, t.Lengths, t.Pods = best.Prompt, best.Output, best.Seconds, best.Lengths, best.Pods
	case t.Share > 0 && (!told || best.Pods > t.Pods):
	case told:
		t.scale(saturatedFade)
		t.Prompt += best.Prompt
		t.Output += best.Output
		t.Seconds += best.Seconds
		t.Lengths, t.Pods = best.Lengths, best.Pods
		t.Bins++
	default:
		t.scale(saturatedFade)
	}
}

// judge sets the share of the capacity that counts, of which so much was done. It
// falls slowly, while a queue tells so, and rises at once.
func (t *saturation) judge(done float64, told bool) {
	before := t.Share
	t.Left = max(t.Left-1, -2*t.Memory)
	switch {
	case before == 0 && (t.Bins < surelySaturated || done >= refutedBelow):
		if t.Left <= -2*t.Memory {
			t.Left, t.Memory = 0, 0 // it has long been as the model says
		}
		return
	case before > 0 && (t.Left <= 0 && !told || done >= upheldBelow):
		t.Share, t.Bins = 0, 0
		return
	case before == 0:
		t.Share = max(done, shareStep)
		t.Memory = min(max(2*t.Memory, leastMemory), mostMemory)
	case done < before*(1-steadyShare) && told:
		t.Share = max(done, before*shareStep, leastRefuted)
	case done > before*(1+steadyShare):
		t.Share = done
	}
	if told {
		t.Left = t.Memory
	}
}

func (t *saturation) scale(k float64) {
	t.Prompt *= k
	t.Output *= k
	t.Seconds *= k
	t.Bins *= k
}

// queued reports whether requests waited in the pod's queue at both looks, as many
// as it begins in so many seconds.
func (d sample) queued(seconds float64) bool {
	return d.seconds > 0 && d.waited >= max(1, d.begun()/d.seconds*seconds)
}

// alone is what one pod did: its prompts, and the tokens that it counted, or that
// as many as run now make in that time. An engine may count them at the end of a
// request, long after they were made; one that tells of no gaps tells nothing here.
func (d sample) alone(l lengths) saturation {
	if !(d.gaps > 0 && d.gapSum > 0 && d.seconds > 0) {
		return saturation{}
	}
	made := min(max(d.generated, d.running*d.seconds*d.gaps/d.gapSum, 0), maxGain)
	return saturation{Prompt: max(d.prompt-d.cached, 0), Output: made, Seconds: d.seconds, Lengths: l}
}

// done is the share of a capacity for its lengths that was done.
func (t *saturation) done(c capacity) float64 {
	if t.Seconds == 0 {
		return 0
	}
	perPrompt := c.prompt / max(t.Lengths.Prompt*t.Lengths.Computed, 1e-6)
	perOutput := (c.work - c.prompt) / max(c.output, 1e-6)
	return (t.Prompt*perPrompt + t.Output*perOutput) / (t.Seconds * c.rate * c.work)
}

func (t *saturation) sound() bool {
	for _, v := range [...]float64{t.Prompt, t.Output, t.Seconds, t.Bins} {
		if !(v >= 0 && v < MaxTotal) {
			return false
		}
	}
	counts := t.Pods >= 0 && t.Pods <= marksKept && t.Memory >= 0 && t.Memory <= mostMemory && t.Left >= -2*t.Memory && t.Left <= t.Memory
	return counts && (t.Share == 0 || t.Share >= leastRefuted && t.Share <= 1) && (t.Lengths == (lengths{}) || t.Lengths.sound())
}
