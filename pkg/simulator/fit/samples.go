package fit

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// A recording of the adapter has no requests, but every engine's counters. Over
// a window they give the time between tokens, which is that of a step, and what
// a step did: n decoding requests, KV tokens in use, p prompt tokens that no
// cache had, and the share of steps that computed prompts, for one step begins
// one prompt as a rule. Least squares over the windows of all pods of a revision
//
//	time = a + b*n + c*p + d*KV
//
// are where the search for a profile begins, whose maximum a sum cannot have.
// What the windows do not show stays near the known profile that, made slower
// or faster, fits best.

// A window is long enough that counters read at slightly different times do not matter.
const (
	windowLength = 10 * time.Second
	windowSteps  = 20
	windowTokens = 50
	// tokenBudget is vLLM's default of max_num_batched_tokens, which engines do not report.
	tokenBudget = 2048
	// windowPrompts are enough for a mean time to the first token.
	windowPrompts = 5
	// fewPrompts is the share of steps with prompts up to which they rarely meet.
	fewPrompts = .5
	// fewestWindows is 3 minutes of one busy pod.
	fewestWindows = 20
	// priorTrust is the weight of the known profile against one window: what is
	// said by windows 5 % off about coefficients known within a factor of e.
	priorTrust = .0025
)

// Readings beyond these are broken, whatever the engine: a step in microseconds, the requests and
// the prompt tokens of a step, the tokens of a KV cache, the percent of it in use, and any counter.
const (
	minStep, maxStep       = 10, 100e6
	maxDecoding            = 1e5
	maxPrompt, maxCapacity = 1e6, 1e10
	maxPercent, maxTotal   = 100.5, 1e14
)

// window is what one engine did in some seconds, per step.
type window struct {
	step, n, kv, prompt float64 // step in microseconds
	// filling is the share of steps with prompt tokens.
	filling float64
	// ttft is the mean time to the first token in microseconds, 0 where it says
	// nothing of the engine's steps; length is the tokens of a prompt that no cache
	// had, and busy the share of the time in which there were steps.
	ttft, length, busy float64
}

// seen is what the recording shows of one revision's engines.
type seen struct {
	revision string
	windows  []window
	capacity float64
	// most is the most requests that ran at once; atMost is how many looks saw
	// that many, and full how many of those saw others wait.
	most, atMost, full float64
	open               map[string]*opened
}

// opened is the window of a pod that is not yet closed.
type opened struct {
	at      time.Time
	totals  decider.Totals
	kv      float64
	samples float64
	// waited is true if requests were seen waiting, or may have been.
	waited bool
	// observed is the time of the pod's last observation.
	observed time.Time
}

// LearnRecorded returns a profile for each revision of a recording, or for the
// one that is named.
func LearnRecorded(entries iter.Seq2[recording.Entry, error], revision string) ([]Learned, error) {
	var order []*seen
	byName := map[string]*seen{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if revision != "" && e.Revision != revision {
			continue
		}
		s := byName[e.Revision]
		if s == nil {
			s = &seen{revision: e.Revision, open: map[string]*opened{}}
			byName[e.Revision], order = s, append(order, s)
		}
		for _, p := range e.Observation.Pods {
			s.add(e.Observation.Time, ofOneRank(p))
		}
	}
	var all []Learned
	for _, s := range order {
		l, err := s.learn()
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the recording holds nothing of revision %q", revision)
	}
	return all, nil
}

// add takes one look at a pod.
func (s *seen) add(at time.Time, p decider.Pod) {
	t := p.Totals
	if !t.Known || !counter(t.Steps) || !counter(t.ITL.Count) || !counter(t.ITL.Sum) || !counter(t.PromptTokens) {
		delete(s.open, p.Name)
		return
	}
	if c := t.KVCapacity.Within(maxCapacity); c.Known() {
		s.capacity = max(s.capacity, float64(c))
	}
	s.look(p)
	o := s.open[p.Name]
	if o == nil || t.Steps < o.totals.Steps || t.ITL.Count < o.totals.ITL.Count ||
		t.PromptTokens < o.totals.PromptTokens ||
		at.Before(o.observed) || at.Sub(o.observed) > windowLength {
		s.open[p.Name] = begin(at, p)
		return
	}
	o.observed = at
	o.waited = o.waited || p.Waiting != 0 // unknown is not zero
	if used, capacity := p.KVCache.Within(maxPercent), t.KVCapacity.Within(maxCapacity); used.Known() && capacity.Known() {
		o.kv, o.samples = o.kv+float64(used)/100*float64(capacity), o.samples+1
	}
	if at.Sub(o.at) < windowLength {
		return
	}
	s.close(o, t)
	s.open[p.Name] = begin(at, p)
}

// counter reports whether a counter is known and believable.
func counter(r decider.Reading) bool { return r.Within(maxTotal).Known() }

// begin opens a window with a look at a pod.
func begin(at time.Time, p decider.Pod) *opened {
	return &opened{at: at, totals: p.Totals, waited: p.Waiting != 0, observed: at}
}

// look keeps how full an engine was.
func (s *seen) look(p decider.Pod) {
	if !p.Running.Known() || !p.Waiting.Known() || float64(p.Running) < s.most {
		return
	}
	if float64(p.Running) > s.most {
		s.most, s.atMost, s.full = float64(p.Running), 0, 0
	}
	s.atMost++
	if p.Waiting > 0 {
		s.full++
	}
}

// limited reports whether the engine stopped at most requests, again and again,
// although others waited. A request that waits for the next step proves nothing.
func (s *seen) limited() bool { return s.most >= 1 && s.full >= 5 && s.full >= .8*s.atMost }

// close makes a window of the page that opened it and the one of the last look.
func (s *seen) close(o *opened, t decider.Totals) {
	steps, tokens := float64(t.Steps-o.totals.Steps), float64(t.ITL.Count-o.totals.ITL.Count)
	took := float64(t.ITL.Sum - o.totals.ITL.Sum)
	if steps < windowSteps || tokens < windowTokens || o.samples == 0 || !(took > 0) {
		return
	}
	prompt := float64(t.PromptTokens - o.totals.PromptTokens)
	if t.CachedTokens.Known() && o.totals.CachedTokens.Known() {
		prompt = max(prompt-float64(t.CachedTokens-o.totals.CachedTokens), 0)
	}
	w := window{step: 1e6 * took / tokens, n: tokens / steps, kv: o.kv / o.samples, prompt: prompt / steps}
	prompts := float64(t.TTFT.Count - o.totals.TTFT.Count)
	if !(prompts >= 0) { // not known
		prompts = steps
	}
	if !w.believable() {
		return
	}
	w.filling = min(max(prompts/steps, w.prompt/tokenBudget), 1)
	w.busy = min(steps*w.step*1e-6/o.observed.Sub(o.at).Seconds(), 1)
	if sum := float64(t.TTFT.Sum - o.totals.TTFT.Sum); !o.waited && prompts >= windowPrompts && sum > 0 &&
		w.filling <= fewPrompts {
		w.ttft, w.length = 1e6*sum/prompts, prompt/prompts
	}
	s.windows = append(s.windows, w)
}

// believable reports whether an engine may have done so. One page with an absurd counter
// would otherwise outweigh all others.
func (w window) believable() bool {
	return w.step >= minStep && w.step <= maxStep && w.n <= maxDecoding && w.kv <= maxCapacity &&
		w.prompt >= 0 && w.prompt <= maxPrompt
}

// learn makes the profile, and judges it by how two thirds of the time predict the rest.
func (s *seen) learn() (Learned, error) {
	if len(s.windows) < fewestWindows {
		return Learned{}, fmt.Errorf("revision %s: %d windows of %v in which an engine was busy; a profile needs %d at least: record for longer, or under more load",
			s.revision, len(s.windows), windowLength, fewestWindows)
	}
	if s.capacity < 1 {
		return Learned{}, fmt.Errorf("revision %s: no engine reported the size of its KV cache (vllm:cache_config_info)", s.revision)
	}
	p, prior, speed := profileOf(s.windows)
	l := Learned{Profile: s.complete(p, prior), Start: prior.Name, Speed: speed, Fit: judge(s.revision, s.windows, p)}
	if err := l.Profile.Validate(); err != nil {
		return Learned{}, err
	}
	cut := len(s.windows) * 2 / 3
	earlier, _, _ := profileOf(s.windows[:cut])
	l.Unseen = judge(s.revision, s.windows[cut:], earlier)
	return l, nil
}

// profileOf searches from where least squares end.
func profileOf(windows []window) (p, prior engine.Profile, speed float64) {
	prior, speed = nearest(windows)
	x, n := solve(windows, prior, speed), 0.0
	for _, w := range windows {
		n += w.n / float64(len(windows))
	}
	p = prior
	p.PerTokenPair *= x[3] / max(prior.PerToken, .01)
	p.StepBase, p.PerSequence, p.PerKVToken, p.PerToken, p.MixedKV = x[0], x[1], x[2], x[3], 1
	// Where the sum and the maximum agree at the mean batch; above a it would be paid without any prompt.
	p.ComputeBase = min(max(x[0]+(x[1]-x[3])*n, x[0]/20), x[0])
	s := start{profile: p, speed: 1}
	cost := func(at []float64) float64 {
		now := s.at(at)
		sum := firstTokenCost(windows, now)
		for _, w := range windows {
			sum += squaredLogRatio(predict(w, now), w.step) / float64(len(windows))
		}
		for _, v := range at {
			sum += 1e-5 * v * v
		}
		if math.IsNaN(sum) {
			return impossible
		}
		return sum
	}
	p = s.at(search(cost, .2).at)
	if o, ok := overhead(windows, p); ok {
		p.RequestOverhead = time.Duration(o * float64(time.Microsecond))
	}
	return p, prior, speed
}

func solve(windows []window, prior engine.Profile, speed float64) [4]float64 {
	var normal [4][5]float64
	for _, w := range windows {
		add(&normal, [5]float64{1, w.n, w.kv, w.prompt, w.step}, w.step)
	}
	for i, p := range of(prior, speed) {
		normal[i][i] += priorTrust / (p * p)
		normal[i][4] += priorTrust / p
	}
	return nonNegative(normal)
}

// of is a profile's a, b, d and c, never 0.
func of(p engine.Profile, speed float64) [4]float64 {
	return [4]float64{max(speed*p.StepBase, 1), max(speed*p.PerSequence, .01), max(speed*p.PerKVToken, 1e-6),
		max(speed*p.PerToken, .01)}
}

// predict is the mean step of a window. A step without a prompt may be bound by
// compute, too: where the search left that out it moved what it could not
// explain, such as pauses of a busy machine, into c0, and every step became as long.
func predict(w window, p engine.Profile) float64 {
	if w.filling == 0 {
		return stepTime(0, w, p)
	}
	return (1-w.filling)*stepTime(0, w, p) + w.filling*stepTime(w.prompt/w.filling, w, p)
}

// stepTime is a step that decodes what a window does, and computes a number of prompt tokens.
func stepTime(tokens float64, w window, p engine.Profile) float64 {
	kv := w.kv
	if tokens > 0 {
		kv *= p.MixedKV
	}
	return max(p.StepBase+p.PerSequence*w.n, p.ComputeBase+p.PerToken*(w.n+tokens)) + p.PerKVToken*kv
}

// squaredLogRatio is the squared logarithm of the ratio of two times, limited so that one odd
// window cannot lead the search.
func squaredLogRatio(simulated, measured float64) float64 {
	off := min(math.Abs(math.Log(simulated/measured)), .3)
	return off * off
}

// nearest is the known profile that fits best with one common factor on all its times.
func nearest(windows []window) (best engine.Profile, speed float64) {
	least := math.Inf(1)
	for _, p := range append(engine.Profiles(), neutral()) {
		var ratios []float64
		for _, w := range windows {
			ratios = append(ratios, w.step/predict(w, p))
		}
		slices.Sort(ratios)
		factor, off := ratios[len(ratios)/2], 0.0
		for _, r := range ratios {
			off += math.Pow(math.Log(r/factor), 2)
		}
		if off < least {
			best, speed, least = p, factor, off
		}
	}
	return best, speed
}

// complete gives a profile its limits and its origin.
func (s *seen) complete(p, prior engine.Profile) engine.Profile {
	p.KVTokens = int(s.capacity)
	p.MaxNumSeqs = max(p.MaxNumSeqs, int(s.most))
	if s.limited() {
		p.MaxNumSeqs = int(s.most)
	}
	p.MaxNumBatchedTokens = max(p.MaxNumBatchedTokens, p.MaxNumSeqs)
	p.Name, p.GPU, p.Model, p.TensorParallel = "recorded-"+s.revision, "", "", 1
	p.Source = fmt.Sprintf("learned from %d windows of %s in a recording, beginning at %s; block size and tokens per step are its", len(s.windows), s.revision, prior.Name)
	if !s.limited() {
		p.Source += ", and so is max_num_seqs, which was never reached"
	}
	if _, ok := overhead(s.windows, p); !ok {
		p.Source += "; the API server's time is that of servers on GPUs, for too few first tokens came without a queue"
	}
	return p
}

// judge compares the mean step time and, where windows have it, the mean time
// to the first token, in seconds, and the median window of each.
func judge(run string, windows []window, p engine.Profile) []Error {
	step, first := Error{Run: run, Metric: "step"}, Error{Run: run, Metric: "ttft"}
	var steps, firsts []float64
	for _, w := range windows {
		steps = append(steps, step.note(w.step, predict(w, p)))
		if w.ttft > 0 {
			firsts = append(firsts, first.note(w.ttft, firstToken(w, p)+float64(p.RequestOverhead.Microseconds())))
		}
	}
	step.average(steps)
	if len(firsts) == 0 {
		return []Error{step}
	}
	first.average(firsts)
	return []Error{step, first}
}

// note adds one window, in microseconds, and returns its error.
func (e *Error) note(measured, simulated float64) float64 {
	e.Measured += 1e-6 * measured
	e.Simulated += 1e-6 * simulated
	return math.Abs(simulated/measured - 1)
}

// average turns the sums of errors over windows into means.
func (e *Error) average(off []float64) {
	n := float64(len(off))
	slices.Sort(off)
	e.Measured, e.Simulated, e.Median = e.Measured/n, e.Simulated/n, off[len(off)/2]
}
