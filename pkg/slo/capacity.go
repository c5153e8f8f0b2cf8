package slo

import "math"

// lengths are the mean tokens of a request, of those that ended lately.
type lengths struct {
	Prompt, Output float64
	// Computed is the share of prompt tokens that the prefix cache did not have.
	Computed float64
	// Seen is the number of requests behind the means, faded.
	Seen float64
}

// fit is the regression of step time on (1, sequences, prompt tokens), each in
// units of the prior: coefficients of 1 are the prior's. It keeps the normal
// equations, whose weights fade.
type fit struct {
	// A is the upper triangle of X'X, B is X'y.
	A [6]float64 `json:"a"`
	B [3]float64 `json:"b"`
	// Samples is the faded number of them, Clamped how many bins in a row a
	// coefficient was at its limit.
	Samples float64 `json:"n"`
	Clamped int     `json:"clamped,omitempty"`
}

// add takes one pod's sample, with the mean context of a decoding
// request. What a request being decoded meets is not the mean step: it shares
// its steps with the others there are in time, and with the prompts that come
// in the time of a step. A pod that only computes prompts has no such request,
// so tokens per step would tell too much of its prompts.
func (f *fit) add(prior StepTime, d sample, context float64) {
	step := d.gapSum / d.gaps
	others, prompt := d.gapSum/d.seconds, max(d.prompt-d.cached, 0)/d.seconds*step
	if !(step > 0 && step < 100) || others > MaxRequests || prompt > 1e6 {
		return
	}
	x := [3]float64{prior.Base, (prior.Sequence + prior.KVToken*context) * (1 + others), prior.PromptToken * prompt}
	// Relative errors count, and a pod with few tokens tells less.
	certain := min(d.gaps/sureGaps, 1)
	weight := certain / (step * step)
	k := 0
	for i := range 3 {
		for j := i; j < 3; j++ {
			f.A[k] += weight * x[i] * x[j]
			k++
		}
		f.B[i] += weight * x[i] * step
	}
	f.Samples += certain
}

func (f *fit) fade() {
	for i := range f.A {
		f.A[i] *= fitFade
	}
	for i := range f.B {
		f.B[i] *= fitFade
	}
	f.Samples *= fitFade
}

// solve returns the coefficients in units of the prior's: ridge regression
// towards 1, by coordinate descent so that limits hold exactly.
func (f fit) solve() (theta [3]float64, clamped bool) {
	theta = [3]float64{1, 1, 1}
	trace := f.A[0] + f.A[3] + f.A[5]
	if !(f.Samples > 0 && trace > 0) {
		return theta, false
	}
	ridge := fitPrior * trace / f.Samples / 30
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
		before := theta
		for i := range 3 {
			rest := f.B[i] + ridge
			for j := range 3 {
				if j != i {
					rest -= at(i, j) * theta[j]
				}
			}
			theta[i] = min(max(rest/(diagonal[i]+ridge), fitLeast), fitMost)
		}
		if theta == before {
			break
		}
	}
	for _, t := range theta {
		if math.IsNaN(t) {
			return [3]float64{1, 1, 1}, true
		}
		clamped = clamped || t <= fitLeast || t >= fitMost
	}
	return theta, clamped
}

// learn takes one bin's samples.
func (s *State) learn(o Objective, samples []looked) {
	s.Lengths.fade()
	for _, d := range samples {
		s.Lengths.add(d.sample)
	}
	if !o.Has(PartLearning) {
		return
	}
	s.Fit.fade()
	context := s.Lengths.context()
	for _, d := range samples {
		if d.gaps >= leastGaps && d.gapSum > 0 && d.prompt >= 0 && d.seconds > 0 {
			s.Fit.add(o.Prior, d.sample, context)
		}
	}
	if _, clamped := s.Fit.solve(); !clamped {
		s.Fit.Clamped = 0
	} else if s.Fit.Clamped++; s.Fit.Clamped >= clampedBins {
		s.Fit = fit{}
	}
}

func (l *lengths) fade() { l.Seen *= lengthsFade }

func (l *lengths) add(d sample) {
	begun := d.begun()
	if !(begun > 0 && d.finished > 0 && d.prompt >= 0 && d.generated >= 0) {
		return
	}
	l.Seen += d.finished
	k := d.finished / (l.Seen + lengthsLeast)
	l.Prompt += k * (min(d.prompt/begun, 1e7) - l.Prompt)
	l.Output += k * (min(d.generated/d.finished, 1e7) - l.Output)
	if d.prompt > 0 {
		l.Computed += k * (min(max(1-d.cached/d.prompt, 0.02), 1) - l.Computed)
	}
}

// context is the mean number of tokens that a decoding request holds.
func (l lengths) context() float64 { return l.Prompt + l.Output/2 }

func newLengths() lengths { return lengths{Prompt: assumedPrompt, Output: assumedOutput, Computed: 1} }

// capacity is what one replica can do.
type capacity struct {
	// work is the seconds of engine that a request takes besides the fixed part
	// of each step; base is that part.
	work, base float64
	// prompt is the part of work that computes the prompt, output the tokens that follow.
	prompt, output float64
	// rate is the requests per second at which a replica's load is 1.
	rate float64
	// limit names what the rate is limited by: compute, ITL, KV or sequences, or
	// "queue" when a queue showed that it is less.
	limit string
}

// capacity is what one replica can do: what the model says, or the share of it
// that was done under a queue if that refutes it.
func (s *State) capacity(o Objective) capacity {
	c := s.modelled(o, s.Lengths)
	if share := s.Saturated.Share; share > 0 && o.Has(PartLearning) {
		c.rate *= share
		c.limit = "queue"
	}
	return c
}

// modelled solves the steady state of one replica (algorithms 2.2). With load
// rho = rate*work a step takes base/(1-rho) and rate*output*base/(1-rho)
// requests run; each limit gives a rate, and the least counts.
func (s *State) modelled(o Objective, l lengths) capacity {
	theta, _ := s.Fit.solve()
	p, kvTokens := o.Prior, s.KV*s.Thrash
	c := capacity{base: theta[0] * p.Base}
	decode := theta[1] * (p.Sequence + p.KVToken*l.context())
	c.prompt, c.output = theta[2]*p.PromptToken*l.Prompt*l.Computed, l.Output
	c.work = max(c.prompt+l.Output*decode, 1e-6)
	c.rate, c.limit = fullCompute/c.work, "compute"
	switch free := 1 - c.base/o.ITL.Seconds(); {
	case free <= 0:
		c.limit = "ITL out of reach"
	case free < fullCompute:
		c.rate, c.limit = max(free, leastShare)/c.work, "ITL"
	}
	held := c.base * l.Output // seconds that a request holds its place, unloaded
	seqs := float64(s.Seqs.limit(o.MaxNumSeqs))
	if r := seqs / (held + seqs*c.work); r < c.rate {
		c.rate, c.limit = r, "sequences"
	}
	if kv := fullKV * kvTokens; kv > 0 {
		if r := kv / (held*l.context() + kv*c.work); r < c.rate {
			c.rate, c.limit = r, "KV"
		}
	}
	return c
}

// running is the mean requests in one replica at a rate: the concurrency to
// which Knative's own autoscaler would have to be set for the same load.
func (c capacity) running(l lengths, rate float64) float64 {
	rho := min(rate*c.work, fullCompute)
	// A request is there for a step per token, and for its prompt's share of them.
	seconds := (l.Output*c.base + c.work) / (1 - rho)
	return max(rate*seconds, 0.1)
}

func (f fit) sound() bool {
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

func (l lengths) sound() bool {
	return l.Prompt >= 0 && l.Prompt <= 1e7 && l.Output >= 0 && l.Output <= 1e7 &&
		l.Computed > 0 && l.Computed <= 1 && l.Seen >= 0 && l.Seen < MaxTotal
}

func finite(v float64) bool { return math.Abs(v) < 1e30 }
