package engine

// plan says how many steps from now differ from each other only by the KV
// cache they read: the same requests decode, and either nobody's prompt is
// computed or one long prompt fills the budget. It is 0 where the next step
// must be scheduled in full.
func (e *Engine) plan() (steps int64, times series) {
	if e.admits() {
		return 0, series{}
	}
	n := e.blocks.count
	if n > 0 {
		steps = e.decoding.first() - e.steps
	}
	var chunk, computed int64
	switch {
	case e.partial != none:
		s := &e.slots[e.partial]
		chunk, computed = int64(e.profile.MaxNumBatchedTokens)-n, s.computed
		if m := (s.target - computed - 1) / chunk; n == 0 || m < steps {
			steps = m // its last chunk leaves budget for others
		}
	case n == 0:
		return 0, series{}
	}
	times = series{
		first: e.cost.step(n, e.blocks.tokensAfter(e.steps+1), chunk, chunk*(2*computed+chunk)),
		grow:  e.cost.kv(chunk)*picos(n) + e.cost.halfPair*picos(2*chunk*chunk),
	}
	if e.partial == none {
		steps = e.untilAdmission(steps, times)
	}
	return e.untilFull(times.within(lastStep-e.now, steps), chunk, computed), times
}

// lastStep keeps sums of picoseconds from overflowing: a step lasts at most an hour.
const lastStep = never - 3600*1e12

// admits reports whether the next step admits the head of the queue.
func (e *Engine) admits() bool {
	if e.queue.size == 0 || e.partial != none || e.running >= e.profile.MaxNumSeqs {
		return false
	}
	head := &e.slots[e.queue.front()]
	return head.queued <= e.now && e.fits(head, e.steps)
}

// untilAdmission cuts the steps where the head of the queue, which is not
// admitted now, may be. One that is here and does not fit now does not fit
// later either: only a completion frees blocks.
func (e *Engine) untilAdmission(steps int64, times series) int64 {
	if e.queue.size == 0 || e.running >= e.profile.MaxNumSeqs {
		return steps
	}
	head := &e.slots[e.queue.front()]
	if head.queued <= e.now {
		return steps
	}
	// The first step that begins at its arrival or later admits it.
	return min(steps, times.within(head.queued-e.now-1, steps)+1)
}

// untilFull cuts the steps to those whose tokens find blocks.
func (e *Engine) untilFull(steps, chunk, computed int64) int64 {
	held := e.promptBlocks - e.blocks.of(computed)
	fit := func(m int64) bool {
		return e.blocks.used(e.steps+m)+held+e.blocks.of(computed+m*chunk)-e.shared <= e.capacity
	}
	if steps == 0 || fit(steps) {
		return steps
	}
	low, high := int64(0), steps // low steps fit, high do not
	for high-low > 1 {
		if mid := (low + high) / 2; fit(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// repeat makes that many planned steps at once.
func (e *Engine) repeat(steps int64, times series) {
	span := times.span(steps)
	e.count(steps, times)
	if e.partial != none {
		e.fillFor(steps)
	}
	e.steps += steps
	e.takeBlocks(e.steps)
	e.now += span
	e.next = e.now
	e.finish()
}

// fillFor computes the prompt in progress for a number of steps, and stops where the
// prompt fills a chunk: the queue of free blocks then decides who keeps the chunk.
func (e *Engine) fillFor(steps int64) {
	s := &e.slots[e.partial]
	chunk := int64(e.profile.MaxNumBatchedTokens) - e.blocks.count
	for done := int64(0); done < steps; {
		m := steps - done
		if s.reuse != nil {
			m = min(m, s.reuse.untilChunk(s.computed, chunk))
		}
		before := e.blocks.of(s.computed)
		s.computed += m * chunk
		e.promptBlocks += e.blocks.of(s.computed) - before
		done += m
		if s.reuse != nil {
			e.keepPrefix(s, e.steps+done)
		}
	}
}
