package engine

import "math"

// outputs bundles tokens as speculative decoding does: the engine makes
// TokensPerStep tokens of a request at once. The times of a profile are those of
// a token, so a step of such an engine is as long as TokensPerStep steps of the
// profile, and the client waits as long for a token on average. What changes is
// what the engine counts: one gap an output, which is that many times as long,
// and fewer steps. The outputs of different requests are spread evenly over the
// profile's steps.
type outputs struct {
	// tokens is how many an output brings, above 1; 0 stands for one.
	tokens float64
	// recent is how long the last steps were, the newest last; there are tokens of them, rounded up.
	recent []picos
	// begun is set when recent is known.
	begun bool
}

func newOutputs(tokens float64) outputs {
	if tokens <= 1 {
		return outputs{}
	}
	return outputs{tokens: tokens, recent: make([]picos, int(math.Ceil(tokens)))}
}

// push adds a step and returns the gap of an output that ends with it.
func (o *outputs) push(step picos) picos {
	if !o.begun {
		for i := range o.recent {
			o.recent[i] = step
		}
		o.begun = true
	}
	n := copy(o.recent, o.recent[1:])
	o.recent[n] = step
	gap := picos(0)
	for _, s := range o.recent[1:] {
		gap += s
	}
	// Of the oldest step an output has what is left of its tokens.
	return gap + picos(float64(o.recent[0])*(o.tokens-float64(n)))
}

// addOutputs counts n gaps for every one of the steps; outputs.page makes them
// one for each output. Once all steps of an output are of the same series, gaps
// are a series, too.
func (e *Engine) addOutputs(steps int64, times series, n int64) {
	o, counts := &e.outputs, &e.counters.TokenGaps
	width := int64(len(o.recent))
	for j := range min(steps, width-1) {
		counts[e.gapBounds.bucket(o.push(times.first+times.grow*picos(j)))] += n
	}
	if steps < width {
		return
	}
	gaps := series{first: o.push(times.first + times.grow*picos(width-1)), grow: picos(float64(times.grow) * o.tokens)}
	e.gapBounds.addSeries(counts, gaps, steps-width+1, n)
	for j := max(width, steps-width); j < steps; j++ {
		o.push(times.first + times.grow*picos(j))
	}
}

// gapWeight is the gaps that a request counts for a single output.
func (o *outputs) gapWeight() int64 { return max(int64(math.Round(o.tokens)), 1) }

// page makes gaps of tokens those of outputs, and steps of the profile those of the engine.
func (o *outputs) page(c *Counters) {
	all, before := int64(0), int64(0)
	for i, n := range c.TokenGaps {
		all += n
		upTo := int64(float64(all) / o.tokens)
		c.TokenGaps[i], before = upTo-before, upTo
	}
	c.Steps = int64(float64(c.Steps) / o.tokens)
}
