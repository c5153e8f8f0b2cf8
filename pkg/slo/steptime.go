package slo

import "math"

// regression learns the time of a step: its regression on (1, sequences, prompt
// tokens), each in units of the prior, so that coefficients of 1 are the prior's.
// It keeps the normal equations, whose weights fade.
type regression struct {
	// A is the upper triangle of X'X, B is X'y.
	A [6]float64 `json:"a"`
	B [3]float64 `json:"b"`
	// Samples is the faded number of them, Clamped how many bins in a row a
	// coefficient was at its limit.
	Samples float64 `json:"n"`
	Clamped int     `json:"clamped,omitempty"`
}

func (f *regression) observe(b *bin) {
	if !b.learns() {
		return
	}
	f.fade()
	context := b.request.context()
	for _, d := range b.samples {
		if d.gaps >= minGaps && d.gapSum > 0 && d.prompt >= 0 && d.seconds > 0 {
			f.add(b.objective.Prior, d, context)
		}
	}
	if _, clamped := f.estimate(); !clamped {
		f.Clamped = 0
	} else if f.Clamped++; f.Clamped >= maxClampedBins {
		*f = regression{}
	}
}

func (f *regression) fade() {
	for i := range f.A {
		f.A[i] *= regressionFade
	}
	for i := range f.B {
		f.B[i] *= regressionFade
	}
	f.Samples *= regressionFade
}

// add takes one pod's sample, with the mean context of a decoding
// request. What a request being decoded meets is not the mean step: it shares
// its steps with the others there are in time, and with the prompts that come
// in the time of a step. A pod that only computes prompts has no such request,
// so tokens per step would say too much of its prompts.
func (f *regression) add(prior StepTime, d sample, context float64) {
	step := d.gapSum / d.gaps
	others, prompt := 0.0, 0.0
	for _, g := range d.groups() {
		others += g.requests * g.load * g.gap * d.gapSum / d.seconds
		prompt += g.requests * g.load * g.gap * max(d.prompt-d.cached, 0) / d.seconds * step
	}
	if !(step > 0 && step < maxStep) || others > MaxRequests || prompt > maxStepPrompt {
		return
	}
	x := [3]float64{prior.Base, (prior.Sequence + prior.KVToken*context) * (1 + others), prior.PromptToken * prompt}
	// Relative errors count, and a pod with few tokens says less.
	certainty := min(d.gaps/wholeSampleGaps, 1)
	weight := certainty / (step * step)
	k := 0
	for i := range 3 {
		for j := i; j < 3; j++ {
			f.A[k] += weight * x[i] * x[j]
			k++
		}
		f.B[i] += weight * x[i] * step
	}
	f.Samples += certainty
}

// estimate returns the coefficients in units of the prior's: ridge regression
// towards 1, by coordinate descent so that limits hold exactly.
func (f *regression) estimate() (factor [3]float64, clamped bool) {
	factor = [3]float64{1, 1, 1}
	trace := f.A[0] + f.A[3] + f.A[5]
	if !(f.Samples > 0 && trace > 0) {
		return factor, false
	}
	ridge := priorSamples * trace / f.Samples / ridgeDivisor
	diagonal := [3]float64{f.A[0], f.A[3], f.A[5]}
	at := func(i, j int) float64 {
		switch i + j {
		case 1:
			return f.A[1]
		case 2:
			return f.A[2]
		}
		return f.A[4]
	}
	for range descents {
		before := factor
		for i := range 3 {
			rest := f.B[i] + ridge
			for j := range 3 {
				if j != i {
					rest -= at(i, j) * factor[j]
				}
			}
			factor[i] = min(max(rest/(diagonal[i]+ridge), minFactor), maxFactor)
		}
		if factor == before {
			break
		}
	}
	for _, t := range factor {
		if math.IsNaN(t) {
			return [3]float64{1, 1, 1}, true
		}
		clamped = clamped || t <= minFactor || t >= maxFactor
	}
	return factor, clamped
}

func (f *regression) valid() bool {
	for _, v := range f.A {
		if !finite(v) {
			return false
		}
	}
	for _, v := range f.B {
		if !finite(v) {
			return false
		}
	}
	return f.Samples >= 0 && f.Samples < 1e9 && f.Clamped >= 0
}

func finite(v float64) bool { return math.Abs(v) < 1e30 }
