package decider

// saturation is what replicas did while a queue stood in front of them, which is
// all that they can do. It refutes a capacity that promises much more: of an
// engine whose page tells too little to learn from, or that is held back by
// something that no page tells, such as slots for adapters.
type saturation struct {
	// Prompt and Output are the tokens that they computed in Seconds; all fade.
	Prompt  float64 `json:"prompt,omitempty"`
	Output  float64 `json:"output,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Bins is the faded number of bins behind them.
	Bins float64 `json:"bins,omitempty"`
	// Lengths are those of the requests then.
	Lengths lengths `json:"lengths,omitzero"`
	// Refuted tells that the capacity is too much.
	Refuted bool `json:"refuted,omitempty"`
}

const (
	// saturatedFade lets half of it go in a minute with a queue, saturatedKept in
	// an hour without: when replicas have been added, no queue is left to learn from.
	saturatedFade, saturatedKept = 0.89, 0.99808 // per bin
	// surelySaturated is nearly three bins.
	surelySaturated = 2.5
	// standing is the seconds that a queue takes to go, from which it stands.
	standing = 2.5
	// A capacity is refuted when less than refuted of it was done under a queue,
	// and stays so up to upheld.
	refuted, upheld = 0.67, 0.8
)

// add takes the samples of a bin in which a queue stood in front of most pods. A
// single slow one tells nothing of the others.
func (t *saturation) add(samples []looked, l lengths) {
	bin, pods := saturation{}, 0
	for _, d := range samples {
		if d.queued() {
			pods++
			bin.Prompt += max(d.prompt-d.cached, 0)
			bin.Output += max(d.generated, 0)
			bin.Seconds += d.seconds
		}
	}
	if pods == 0 || pods*2 <= len(samples) {
		t.scale(saturatedKept)
		return
	}
	t.scale(saturatedFade)
	t.Prompt += bin.Prompt
	t.Output += bin.Output
	t.Seconds += bin.Seconds
	t.Bins++
	t.Lengths = l
}

func (t *saturation) scale(k float64) {
	t.Prompt *= k
	t.Output *= k
	t.Seconds *= k
	t.Bins *= k
}

// queued reports whether requests waited in the pod's queue all the time, while it worked.
func (d sample) queued() bool {
	begun := max(d.firsts, d.finished, 0)
	return d.generated > 0 && d.seconds > 0 && d.waited >= max(1, begun/d.seconds*standing)
}

// done is the share of a capacity for its lengths that was done under a queue.
func (t *saturation) done(c capacity) float64 {
	perPrompt := c.prompt / max(t.Lengths.Prompt*t.Lengths.Computed, 1e-6)
	perOutput := (c.work - c.prompt) / max(c.output, 1e-6)
	return (t.Prompt*perPrompt + t.Output*perOutput) / max(t.Seconds*c.rate*c.work, 1e-12)
}

// holds reports whether a capacity of which so much was done is refuted.
func (t *saturation) holds(done float64) bool {
	return t.Bins >= surelySaturated && (done < refuted || t.Refuted && done < upheld)
}

func (t *saturation) sound() bool {
	for _, v := range [...]float64{t.Prompt, t.Output, t.Seconds, t.Bins} {
		if !(v >= 0 && v < maxTotal) {
			return false
		}
	}
	return t.Lengths == (lengths{}) || t.Lengths.sound()
}
