package slo

// tokensPerOutput learns how many tokens of a request one step of the engine brings: one,
// or several with speculative decoding. The histogram of gaps has one value for each
// output, the objective is per token.
type tokensPerOutput struct {
	// Tokens and Outputs are faded sums.
	Tokens  float64 `json:"tokens,omitempty"`
	Outputs float64 `json:"outputs,omitempty"`
}

func (t *tokensPerOutput) observe(b *bin) {
	t.Tokens *= lengthsFade
	t.Outputs *= lengthsFade
	for _, d := range b.samples {
		if d.generated >= 0 && d.gaps > 0 && !d.observesRequests() {
			t.Tokens += max(d.further(), 0)
			t.Outputs += d.gaps
		}
	}
}

// estimate is at least 1, and 1 where the tokens are hardly more than the outputs.
func (t *tokensPerOutput) estimate() float64 {
	if t.Outputs < minGaps || t.Tokens < severalTokens*t.Outputs {
		return 1
	}
	return t.Tokens / t.Outputs
}

func (t *tokensPerOutput) valid() bool {
	return t.Tokens >= 0 && t.Tokens < MaxTotal && t.Outputs >= 0 && t.Outputs < MaxTotal
}
