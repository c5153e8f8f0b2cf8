package decider

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
	// Bins is how many bins with a queue, faded, told this.
	Bins float64 `json:"bins,omitempty"`
	// Share is the share of the modelled rate that counts, 0 while that is not refuted.
	Share float64 `json:"share,omitempty"`
}

const (
	// saturatedFade lets half of it go in a minute; refuted, saturatedKept does in an
	// hour: when replicas have been added, no queue is left to learn from.
	saturatedFade, saturatedKept = 0.89, 0.99808 // per bin
	// surelySaturated is nearly three bins in a row, mostSaturated as many as there
	// can be. From the one to the other it is forgotten in less than two hours.
	surelySaturated, mostSaturated = 2.5, 9
	// standing is the seconds that a queue takes to go, from which it stands.
	standing = 2.5
	// A capacity is refuted when less than refutedBelow of it was done under a
	// queue, and stays so below upheldBelow.
	refutedBelow, upheldBelow = 0.67, 0.8
	// steadyShare is how far what was done may move before the share follows, and
	// shareStep what a bin leaves of it at least: slow disks and throttles pass.
	steadyShare, shareStep = 0.1, 0.7
	// leastRefuted bounds what a broken page can make of a capacity.
	leastRefuted = 1e-3
)

// learn takes the samples of a bin. When half of the pods have a queue, the best
// tells what a pod can do; a single slow one tells nothing of the others. Any that
// does more than is thought has recovered, or shows that the others were slow.
func (t *saturation) learn(samples []looked, l lengths, model func(lengths) capacity) {
	c := model(l)
	best, queued := saturation{}, 0
	for _, d := range samples {
		if d.queued() {
			queued++
		}
		if one := d.alone(l); one.done(c) > best.done(c) {
			best = one
		}
	}
	told := queued > 0 && queued*2 >= len(samples)
	if t.Share > 0 && best.done(c) > t.done(model(t.Lengths)) {
		t.Prompt, t.Output, t.Seconds, t.Lengths = best.Prompt, best.Output, best.Seconds, l
	} else if told {
		t.scale(saturatedFade)
		t.Prompt += best.Prompt
		t.Output += best.Output
		t.Seconds += best.Seconds
		t.Lengths = l
		t.Bins++
	} else if t.Share > 0 {
		t.scale(saturatedKept)
	} else {
		t.scale(saturatedFade)
	}
	t.judge(t.done(model(t.Lengths)), told)
}

// judge sets the share of the capacity that counts, of which so much was done. It
// falls slowly, while a queue tells so, and rises at once.
func (t *saturation) judge(done float64, told bool) {
	before := t.Share
	switch {
	case t.Bins < surelySaturated, done >= upheldBelow, done >= refutedBelow && before == 0:
		t.Share = 0
		return
	case before == 0:
		t.Share = max(done, shareStep)
	case done < before*(1-steadyShare) && told:
		t.Share = max(done, before*shareStep, leastRefuted)
	case done > before*(1+steadyShare):
		t.Share = done
	}
	if told {
		t.Bins = mostSaturated
	}
}

func (t *saturation) scale(k float64) {
	t.Prompt *= k
	t.Output *= k
	t.Seconds *= k
	t.Bins *= k
}

// queued reports whether requests waited in the pod's queue at both looks, too
// many to have gone in between, while it worked. An engine that tells of no gaps
// may count its tokens at the end of a request, long after they were made.
func (d sample) queued() bool {
	return d.gaps > 0 && d.gapSum > 0 && d.seconds > 0 && d.waited >= max(1, d.begun()/d.seconds*standing)
}

// alone is what one pod did: its prompts, and the tokens that it counted, or that
// as many as run now make in that time, if it counts them later.
func (d sample) alone(l lengths) saturation {
	if !(d.gaps > 0 && d.gapSum > 0 && d.seconds > 0) {
		return saturation{}
	}
	made := max(d.generated, d.running*d.seconds*d.gaps/d.gapSum, 0)
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
		if !(v >= 0 && v < maxTotal) {
			return false
		}
	}
	return (t.Share == 0 || t.Share >= leastRefuted && t.Share <= 1) && (t.Lengths == (lengths{}) || t.Lengths.sound())
}
