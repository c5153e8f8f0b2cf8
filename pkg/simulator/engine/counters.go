package engine

import "time"

// Counters is what the engine's metrics page would show. Counts and sums only grow.
type Counters struct {
	// Running, Waiting and KVUsage (0..1) are of this moment.
	Running, Waiting int
	KVUsage          float64
	// Fullest is the rank with the most prompt tokens, of a pod with several.
	Fullest FullestRank
	// Steps is scheduler steps, Preemptions and Completed are requests.
	Steps, Preemptions, Completed int64
	// PromptTokens are counted when the prompt is complete, GenerationTokens when made.
	PromptTokens, GenerationTokens int64
	// CachedTokens are those of PromptTokens that came from the prefix cache.
	CachedTokens int64
	// TTFT sums, per first token, the time since the request arrived; TokenGap, per later token, the time since
	// the one before. FirstTokens is the count of the former; the latter's is GenerationTokens - FirstTokens.
	TTFT, TokenGap time.Duration
	FirstTokens    int64
	// TTFTs and TokenGaps are the same as histograms, the latter of one gap per output
	// (Profile.TokensPerStep); see TTFTBounds and TokenGapBounds.
	TTFTs, TokenGaps Histogram
	// E2E sums, per completion, the time from arrival to the last token; E2Es is its histogram, see E2EBounds.
	E2E  time.Duration
	E2Es Histogram
	// QueueTime and PrefillTime sum, per completion, the time in the queue and from there to the
	// first token; Prompts sums the prompts' tokens. As vLLM does, all three are counted when
	// a request ends well. Their histograms have E2EBounds, those of prompts PromptBounds.
	QueueTime, PrefillTime            time.Duration
	Prompts                           int64
	QueueTimes, PrefillTimes, Lengths Histogram
}

// FullestRank is the engine of a pod that computed the most prompt tokens.
type FullestRank struct {
	// Number is its place among the engines, from 0.
	Number, Running, Waiting int
	PromptTokens             int64
}

// Counters returns the counters at a time that is not before the last
// Advance's, and advances to it. Within a step its requests run, and its
// tokens are not made yet.
func (e *Engine) Counters(at time.Duration) Counters {
	e.Advance(at)
	until := fromDuration(min(at, Latest))
	e.catchUp(until)
	c := e.counters
	c.Running, c.Steps = e.running, e.steps
	c.Waiting = e.queue.size
	for c.Waiting > 0 && e.slots[e.queue.at(c.Waiting-1)].queued > until {
		c.Waiting-- // still in the API server
	}
	c.KVUsage = float64(e.usedBlocks(e.steps)) / float64(e.capacity)
	if e.outputs.tokens > 0 {
		e.outputs.page(&c)
	}
	return c
}

// Add sums up the counters of the data-parallel ranks of a pod; KVUsage is summed, too.
func (c *Counters) Add(o Counters) {
	c.Running, c.Waiting, c.KVUsage = c.Running+o.Running, c.Waiting+o.Waiting, c.KVUsage+o.KVUsage
	c.Steps, c.Preemptions, c.Completed = c.Steps+o.Steps, c.Preemptions+o.Preemptions, c.Completed+o.Completed
	c.PromptTokens, c.GenerationTokens, c.CachedTokens = c.PromptTokens+o.PromptTokens,
		c.GenerationTokens+o.GenerationTokens, c.CachedTokens+o.CachedTokens
	c.TTFT, c.TokenGap, c.E2E, c.FirstTokens = c.TTFT+o.TTFT, c.TokenGap+o.TokenGap, c.E2E+o.E2E,
		c.FirstTokens+o.FirstTokens
	c.QueueTime, c.PrefillTime, c.Prompts = c.QueueTime+o.QueueTime, c.PrefillTime+o.PrefillTime, c.Prompts+o.Prompts
	for i := range c.TTFTs {
		c.TTFTs[i] += o.TTFTs[i]
		c.TokenGaps[i] += o.TokenGaps[i]
		c.E2Es[i] += o.E2Es[i]
		c.QueueTimes[i] += o.QueueTimes[i]
		c.PrefillTimes[i] += o.PrefillTimes[i]
		c.Lengths[i] += o.Lengths[i]
	}
}

// Load is the requests and tokens in the engine after the last Advance.
type Load struct {
	Running, Waiting int
	KVUsage          float64 // 0..1
}

// Load returns the engine's load when something last changed; unlike
// Counters it costs nothing, and counts requests still in the API server as waiting.
func (e *Engine) Load() Load {
	return Load{Running: e.running, Waiting: e.queue.size, KVUsage: float64(e.usedBlocks(e.steps)) / float64(e.capacity)}
}

// Work is what an engine has done.
type Work struct{ Preemptions, PromptTokens, CachedTokens, GenerationTokens int64 }

// Add sums up the work of several engines; by is 1, or -1 to take it off.
func (w *Work) Add(v Work, by int64) {
	w.Preemptions += by * v.Preemptions
	w.PromptTokens += by * v.PromptTokens
	w.CachedTokens += by * v.CachedTokens
	w.GenerationTokens += by * v.GenerationTokens
}

// Work returns what the engine had done when something last changed in it.
func (e *Engine) Work() Work {
	c := &e.counters
	return Work{c.Preemptions, c.PromptTokens, c.CachedTokens, c.GenerationTokens}
}

// catchUp makes those of the planned steps that have ended: Advance leaves
// them to be made together.
func (e *Engine) catchUp(to picos) {
	if e.stepping || e.running == 0 || e.now > to {
		return
	}
	steps, times := e.plan()
	if steps = times.within(to-e.now, steps); steps > 0 {
		next := e.next
		e.planned = false
		e.repeat(steps, times)
		e.next = max(next, e.now)
	}
}

// count adds the decoded tokens of steps.
func (e *Engine) count(steps int64, times series) {
	n := e.blocks.count
	if n == 0 {
		return
	}
	e.counters.GenerationTokens += steps * n
	e.countGap(times.span(steps), n)
	if e.outputs.tokens > 0 {
		e.addOutputs(steps, times, n)
		return
	}
	e.gapBounds.addSeries(&e.counters.TokenGaps, times, steps, n)
}

// countGap adds n gaps of a length. Nanoseconds are carried, so that a sum
// does not depend on how it was cut, and a week of 256 requests fits.
func (e *Engine) countGap(gap picos, n int64) {
	rest := e.gapRest + gap%perNano*picos(n)
	e.counters.TokenGap += time.Duration(gap/perNano*picos(n) + rest/perNano)
	e.gapRest = rest % perNano
}

// countToken adds a token made by the last chunk of a prompt.
func (e *Engine) countToken(s *slot) {
	e.counters.GenerationTokens++
	if s.generated > 0 {
		e.countGap(e.now-s.last, 1)
		e.counters.TokenGaps[e.gapBounds.bucket(e.now-s.last)] += e.outputs.gapWeight()
		return
	}
	ttft := e.now - fromDuration(s.request.Arrival)
	e.counters.TTFTs[e.ttftBounds.bucket(ttft)]++
	e.counters.PromptTokens += int64(s.request.Prompt)
	if s.reuse != nil {
		e.counters.CachedTokens += s.reuse.cached
	}
	e.counters.FirstTokens++
	e.counters.TTFT += ttft.duration()
}
