package slo

// lengths learns the mean request, of those that ended lately.
type lengths struct {
	request
	// Seen is the number of requests behind the means, faded.
	Seen float64 `json:"seen"`
}

func newLengths() lengths {
	return lengths{request: request{Prompt: assumedPrompt, Output: assumedOutput, Computed: 1}}
}

func (l *lengths) observe(b *bin) {
	l.Seen *= lengthsFade
	for _, d := range b.samples {
		l.add(d)
	}
}

func (l *lengths) add(d sample) {
	begun := d.begun()
	if !(begun > 0 && d.finished > 0 && d.prompt >= 0 && d.generated >= 0) {
		return
	}
	l.Seen += d.finished
	k := d.finished / (l.Seen + assumedRequests)
	l.Prompt += k * (min(d.prompt/begun, maxTokens) - l.Prompt)
	l.Output += k * (min(d.generated/d.finished, maxTokens) - l.Output)
	if d.prompt > 0 {
		l.Computed += k * (min(max(1-d.cached/d.prompt, minComputed), 1) - l.Computed)
	}
}

// estimate is the mean request.
func (l *lengths) estimate() request { return l.request }

func (l *lengths) valid() bool { return l.request.valid() && l.Seen >= 0 && l.Seen < MaxTotal }
