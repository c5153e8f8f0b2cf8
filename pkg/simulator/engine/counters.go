package engine

import "time"

// Counters is what the engine's metrics page would show. Counts and sums only grow.
type Counters struct {
	// Running, Waiting and KVUsage (0..1) are of this moment.
	Running, Waiting int
	KVUsage          float64
	// Steps is scheduler steps, Preemptions and Completed are requests.
	Steps, Preemptions, Completed int64
	// PromptTokens are counted when the prompt is complete, GenerationTokens when made.
	PromptTokens, GenerationTokens int64
	// TTFT sums, per first token, the time since the request arrived; TokenGap, per later token, the time since
	// the one before. FirstTokens is the count of the former; the latter's is GenerationTokens - FirstTokens.
	TTFT, TokenGap time.Duration
	FirstTokens    int64
}

// Counters returns the counters at a time that is not before the last
// Advance's, and advances to it. Within a step its requests run, and its
// tokens are not made yet.
func (e *Engine) Counters(at time.Duration) Counters {
	e.Advance(at)
	until := fromDuration(min(at, latest))
	e.catchUp(until)
	c := e.counters
	c.Running, c.Steps = e.running, e.steps
	c.Waiting = e.queue.size
	for c.Waiting > 0 && e.slots[e.queue.at(c.Waiting-1)].queued > until {
		c.Waiting-- // still in the API server
	}
	c.KVUsage = float64(e.blocks.used(e.steps)+e.promptBlocks) / float64(e.capacity)
	return c
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
		e.repeat(steps, times)
		e.next = max(next, e.now)
	}
}

// count adds the decoded tokens of steps that took span together.
func (e *Engine) count(steps int64, span picos) {
	e.counters.GenerationTokens += steps * e.blocks.count
	e.countGap(span, e.blocks.count)
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
		return
	}
	e.counters.PromptTokens += int64(s.request.Prompt)
	e.counters.FirstTokens++
	e.counters.TTFT += e.now.duration() - s.request.Arrival
}
