package slo

// lengths learns the mean request: tokens of the prompt per request that began, and further
// tokens per request that left the engine, finished or not. Clients that hang up
// make neither shorter prompts nor longer answers.
type lengths struct {
	request
	// Seen is the number of requests behind the means, faded.
	Seen float64 `json:"seen"`
	// Finished, Left and Generated are faded sums: requests that finished, requests that left
	// the engines, and tokens of answers.
	Finished  float64 `json:"finished,omitempty"`
	Left      float64 `json:"left,omitempty"`
	Generated float64 `json:"generated,omitempty"`
	// Whole and Ended are faded sums, too: tokens of the answers that ended by themselves, and those answers.
	Whole float64 `json:"whole,omitempty"`
	Ended float64 `json:"ended,omitempty"`
}

func newLengths() lengths {
	return lengths{request: request{Prompt: assumedPrompt, Output: assumedOutput, Computed: 1}}
}

func (l *lengths) observe(b *bin) {
	for _, f := range [...]*float64{&l.Seen, &l.Finished, &l.Left, &l.Generated, &l.Whole, &l.Ended} {
		*f *= lengthsFade
	}
	for _, d := range b.samples {
		l.add(d)
	}
}

func (l *lengths) add(d sample) {
	if d.finished >= 0 && d.generated >= 0 {
		l.Finished += d.finished
		l.Left = max(l.Left+d.left(), 0)
		l.Generated += d.generated
	}
	if tokens := d.wholeAnswers(); tokens > 0 {
		l.Whole += min(tokens, d.ended*maxTokens)
		l.Ended += d.ended
	}
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

// estimate is the mean request. While nearly all that leave the engines have finished,
// answers are as long as those that finished.
func (l *lengths) estimate() request {
	r := l.request
	if l.hungUp() > 0 {
		r.Output = min(l.Generated/l.Left, maxTokens)
	}
	return r
}

// hungUp is the share of the requests whose clients hung up, 0 while nearly all finish.
func (l *lengths) hungUp() float64 {
	if l.Left > assumedRequests && l.Finished < finishedThreshold*l.Left {
		return 1 - l.Finished/l.Left
	}
	return 0
}

// hangUps says where in an answer clients hang up: what all made, less what whole answers have,
// is what the cut ones have. The fewer those are, the less is known of them so, and the more they
// count as spread evenly over an answer, as they do where whole answers are not known.
func (l *lengths) hangUps() hangUps {
	share := l.hungUp()
	if share == 0 {
		return hangUps{}
	}
	mean := min(l.Generated/l.Left, maxTokens)
	if l.Ended <= assumedRequests || l.Ended > l.Finished/finishedThreshold {
		whole := max(mean/(1-share/2), 1)
		return hangUps{share, whole, whole / 2}
	}
	whole := min(max(l.Whole/l.Ended, 1), maxTokens)
	cut := min(max((mean-(1-share)*whole)/share, 1), whole)
	doubt := wholeError * (1 - share) / share
	return hangUps{share, whole, whole/2 + (cut-whole/2)/(1+doubt*doubt)}
}

func (l *lengths) valid() bool {
	for _, v := range [...]float64{l.Seen, l.Finished, l.Left, l.Generated, l.Whole, l.Ended} {
		if !(v >= 0 && v < MaxTotal) {
			return false
		}
	}
	return l.request.valid()
}
