package engine

import (
	"cmp"
	"slices"
	"time"
)

// beginStep schedules the requests of one step, which begins now.
func (e *Engine) beginStep() {
	e.filling = e.filling[:0]
	budget := int64(e.profile.MaxNumBatchedTokens)
	preempted := e.makeRoom(budget)
	budget -= e.blocks.count
	var prompt, pairs int64
	fill := func(i int32) {
		s := &e.slots[i]
		chunk := min(s.target-s.computed, budget)
		e.promptBlocks += e.blocks.of(s.computed+chunk) - e.blocks.of(s.computed)
		prompt, pairs = prompt+chunk, pairs+chunk*(2*s.computed+chunk)
		s.computed += chunk
		budget -= chunk
		if s.reuse != nil {
			e.keepPrefix(s, e.steps+1)
		}
		e.filling = append(e.filling, i)
	}
	if e.partial != none {
		fill(e.partial)
	}
	for !preempted && budget > 0 && e.admissible() {
		fill(e.admit())
	}
	e.stepping = true
	e.next = e.now + e.cost.step(e.blocks.count, e.blocks.tokensAfter(e.steps+1), prompt, pairs)
}

// makeRoom preempts the newest requests until the tokens that this step adds
// to the running ones fit. A request never fails alone, because Submit refused
// those that need more than the cache.
func (e *Engine) makeRoom(budget int64) (preempted bool) {
	for e.usedBlocks(e.steps+1)+e.partialNeed(budget-e.blocks.count) > e.capacity {
		if e.cache != nil { // the requests before the newest have taken theirs
			e.cache.takeUntil(min(e.usedBlocks(e.steps+1), e.capacity))
		}
		e.preempt(e.newest)
		preempted = true
	}
	return preempted
}

// partialNeed is the blocks that the prompt in progress adds with its next chunk.
func (e *Engine) partialNeed(budget int64) int64 {
	if e.partial == none {
		return 0
	}
	s := &e.slots[e.partial]
	to := s.computed + min(s.target-s.computed, budget)
	return e.blocks.of(to) - e.blocks.of(s.computed)
}

// admissible reports whether the head of the queue may run, with the blocks of
// this step's tokens already taken.
func (e *Engine) admissible() bool {
	if e.queue.size == 0 || e.running >= e.profile.MaxNumSeqs {
		return false
	}
	s := &e.slots[e.queue.front()]
	if s.queued > e.now {
		return false
	}
	e.takeBlocks(e.steps + 1)
	return e.fits(s, e.steps+1)
}

// fits reports whether the whole prompt finds room at a step.
func (e *Engine) fits(s *slot, step int64) bool {
	return e.blocks.of(s.target)-e.sharable(s) <= e.capacity-e.usedBlocks(step)
}

func (e *Engine) admit() int32 {
	i := e.queue.popFront()
	s := &e.slots[i]
	s.older, s.newer = e.newest, none
	if e.newest != none {
		e.slots[e.newest].newer = i
	}
	e.newest = i
	e.running++
	e.admissions++
	s.serial = e.admissions
	if s.preemptions == 0 {
		s.admitted = e.now
	}
	if s.reuse != nil {
		e.reusePrefix(s)
	}
	return i
}

// preempt frees a running request's blocks and puts it back at the head of the queue.
func (e *Engine) preempt(i int32) {
	s := &e.slots[i]
	if i == e.partial {
		held := e.blocks.of(s.computed)
		e.promptBlocks -= held
		e.giveBlocks(s, held)
		e.partial = none
	} else {
		e.decoding.remove(s.finish, i)
		e.blocks.remove(s.base)
		e.giveBlocks(s, e.blocks.of(s.base+e.steps))
		s.generated = int64(s.request.Output) - (s.finish - e.steps)
		s.last = e.now
	}
	s.target, s.computed = int64(s.request.Prompt)+s.generated, 0
	s.preemptions++
	e.counters.Preemptions++
	e.unlink(i)
	e.queue.pushFront(i)
}

// unlink takes a request off the running ones.
func (e *Engine) unlink(i int32) {
	s := &e.slots[i]
	if s.older != none {
		e.slots[s.older].newer = s.newer
	}
	if s.newer != none {
		e.slots[s.newer].older = s.older
	} else {
		e.newest = s.older
	}
	e.running--
}

// endStep gives out the tokens of the step in progress.
func (e *Engine) endStep() {
	e.count(1, series{first: e.next - e.now})
	e.now, e.stepping = e.next, false
	e.steps++
	e.takeBlocks(e.steps)
	e.finish()
	e.partial = none
	for _, i := range e.filling {
		if s := &e.slots[i]; s.computed < s.target {
			e.partial = i
		} else {
			e.startDecoding(i)
		}
	}
}

// startDecoding follows a prompt's last chunk, which also makes a token.
func (e *Engine) startDecoding(i int32) {
	s := &e.slots[i]
	e.promptBlocks -= e.blocks.of(s.target)
	e.countToken(s)
	if s.generated == 0 {
		s.first = e.now
	}
	s.generated++
	s.base = s.target - e.steps
	s.finish = e.steps + int64(s.request.Output) - s.generated
	if s.finish == e.steps {
		e.giveBlocks(s, e.blocks.of(s.target))
		e.complete(i)
		return
	}
	e.blocks.add(s.base)
	e.decoding.push(s.finish, i)
}

// finish completes the decoding requests whose last token this step made.
func (e *Engine) finish() {
	if e.cache != nil {
		e.finishInOrder()
		return
	}
	for len(e.decoding) > 0 && e.decoding.first() == e.steps {
		e.finishOne(e.decoding.pop())
	}
}

// finishInOrder is finish in the order of admission, in which the blocks go
// back to the queue.
func (e *Engine) finishInOrder() {
	e.ending = e.ending[:0]
	for len(e.decoding) > 0 && e.decoding.first() == e.steps {
		e.ending = append(e.ending, e.decoding.pop())
	}
	if len(e.ending) > 1 {
		slices.SortFunc(e.ending, func(a, b int32) int { return cmp.Compare(e.slots[a].serial, e.slots[b].serial) })
	}
	for _, i := range e.ending {
		e.finishOne(i)
	}
}

func (e *Engine) finishOne(i int32) {
	s := &e.slots[i]
	e.blocks.remove(s.base)
	e.giveBlocks(s, e.blocks.of(s.base+e.steps))
	e.complete(i)
}

// countPhases counts what a request went through that has ended.
func (e *Engine) countPhases(s *slot) {
	c, queued, prefill := &e.counters, s.admitted-s.queued, s.first-s.admitted
	c.QueueTime += queued.duration()
	c.QueueTimes[e.e2eBounds.bucket(queued)]++
	c.PrefillTime += prefill.duration()
	c.PrefillTimes[e.e2eBounds.bucket(prefill)]++
	c.Prompts += int64(s.request.Prompt)
	c.Lengths.countPrompt(s.request.Prompt, e.promptBounds)
}

func (e *Engine) complete(i int32) {
	s := &e.slots[i]
	e.unlink(i)
	overhead := e.profile.TokenOverhead
	c := Completion{
		Request: s.request, Preemptions: s.preemptions,
		FirstToken: s.first.duration() + overhead,
		LastToken:  e.now.duration() + overhead*time.Duration(s.request.Output),
	}
	if !s.request.HangsUp {
		e.counters.Completed++
		e.counters.E2E += c.E2E()
		e.counters.E2Es[e.e2eBounds.bucket(fromDuration(c.E2E()))]++
		e.countPhases(s)
	}
	e.free = append(e.free, i)
	e.done(c)
}
