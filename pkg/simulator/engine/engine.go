package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Request is one call of the engine. Prompt and Output are in tokens; less
// than one of either counts as one.
type Request struct {
	// ID is the caller's; it comes back in the Completion.
	ID int32
	// HangsUp is true if the client leaves with the last token of Output, which is then not the whole answer:
	// the engine has done the work and counts no completion.
	HangsUp bool
	// Arrival is when the API server receives it, at least 0 and not before that of the last request submitted.
	Arrival        time.Duration
	Prompt, Output int
	// Prefix is what of the prompt may be found in the engine's prefix cache; nil is nothing.
	Prefix *Prefix
}

// Completion is a request that has had its last token. Times are since the
// start of the simulation, cut to nanoseconds.
type Completion struct {
	Request
	// FirstToken and LastToken are when the client has them.
	FirstToken, LastToken time.Duration
	// Preemptions is how often the request was thrown out to be computed again.
	Preemptions int
}

// TTFT is the time to the first token.
func (c Completion) TTFT() time.Duration { return c.FirstToken - c.Arrival }

// TPOT is the mean time per output token after the first, 0 for a single token.
func (c Completion) TPOT() time.Duration {
	return (c.LastToken - c.FirstToken) / time.Duration(max(c.Output-1, 1))
}

// E2E is the time to the last token.
func (c Completion) E2E() time.Duration { return c.LastToken - c.Arrival }

// Engine is one replica. Make it with New. It is not safe for concurrent use.
type Engine struct {
	profile Profile
	cost    cost
	done    func(Completion)

	// steps counts the steps that ended, the last of them at now.
	steps int64
	now   picos
	// next is when Advance has something to do again; with nothing submitted, nothing changes before.
	next picos
	// stepping is set within a step that began at now and ends at next.
	stepping bool
	// planned is set while plannedSteps and plannedTimes are what plan would return.
	planned      bool
	plannedSteps int64
	plannedTimes series

	slots []slot
	free  []int32
	// queue holds preempted requests, then waiting ones, then those still in the API server.
	queue ring
	// newest is the last admitted request; slots link to the one before.
	newest int32
	// running is the number of admitted requests, decoding or not.
	running int
	// filling lists the requests whose prompt the present step computes; the last may need more steps.
	filling []int32
	// partial is the one request whose prompt is not complete, or none.
	partial int32
	// admissions is how many there were; ending is a list used again.
	admissions int64
	ending     []int32
	expired    []Request

	decoding finishes
	blocks   blocks
	// capacity is the KV cache and promptBlocks what requests without a first token hold of it, in blocks.
	capacity, promptBlocks int64
	// cache is nil until a request with a Prefix comes. shared is the blocks
	// that are counted by more requests than one.
	cache  *prefixCache
	shared int64

	lastArrival  time.Duration
	counters     Counters
	gapBounds    bounds
	ttftBounds   bounds
	e2eBounds    bounds
	promptBounds []int
	outputs      outputs
	// gapRest is the part of counters.TokenGap below a nanosecond.
	gapRest picos
}

const none = int32(-1)

// ErrTooLong is wrapped by Submit's error for a request that the KV cache could never hold.
var ErrTooLong = errors.New("it is refused, as vLLM refuses a prompt above its max_model_len")

// slot is one request inside the engine.
type slot struct {
	request Request
	// queued is when it reaches the engine's queue, first and last when it made its first and newest token.
	// and admitted when it first left the queue.
	queued, admitted, first, last picos
	// base + steps is the tokens it holds while decoding; finish is the step of its last token.
	base, finish int64
	// computed of target prompt tokens are in the KV cache; generated tokens count as prompt after a preemption.
	computed, target, generated int64
	preemptions                 int
	older, newer                int32
	// serial counts admissions.
	serial int64
	// reuse is nil without a Prefix that fills a block.
	reuse *reuse
}

// New returns an idle engine at time 0, which calls done for every request
// that ends, in the order of time; done must not call the engine. It returns Profile.Validate's error.
func New(p Profile, done func(Completion)) (*Engine, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Engine{
		profile: p, cost: newCost(p), done: done, next: never, newest: none, partial: none,
		gapBounds: newBounds(TokenGapBounds()), ttftBounds: newBounds(TTFTBounds()), e2eBounds: newBounds(E2EBounds()),
		promptBounds: PromptBounds(),
		blocks:       newBlocks(p.BlockSize), capacity: int64(p.KVTokens / p.BlockSize), outputs: newOutputs(p.TokensPerStep),
	}, nil
}

// Submit adds a request. It must not arrive before the last one did, nor
// before the time of the last Advance. A request whose tokens do not fit in
// the KV cache is refused, as vLLM refuses a prompt above its max_model_len.
func (e *Engine) Submit(r Request) error {
	if r.Arrival < e.lastArrival || r.Arrival > Latest {
		return fmt.Errorf("request %d: Arrival %v; it must be between the last one's %v and %v", r.ID, r.Arrival, e.lastArrival, Latest)
	}
	r.Prompt, r.Output = max(r.Prompt, 1), max(r.Output, 1)
	if !e.profile.Holds(r.Prompt, r.Output) {
		return fmt.Errorf("request %d: %d prompt and %d output tokens do not fit in %d KV tokens; %w", r.ID, r.Prompt, r.Output, e.profile.KVTokens, ErrTooLong)
	}
	e.lastArrival = r.Arrival
	i := e.take()
	e.slots[i] = slot{request: r, queued: fromDuration(r.Arrival + e.profile.RequestOverhead), target: int64(r.Prompt)}
	if r.Prefix != nil {
		if e.slots[i].reuse = newReuse(r.Prefix, r.Prompt, e.blocks.size); e.cache == nil && e.slots[i].reuse != nil {
			e.startCache()
		}
	}
	e.queue.pushBack(i)
	e.planned = false
	if !e.stepping {
		e.next = min(e.next, e.slots[i].queued) // before that it changes nothing
	}
	return nil
}

// take returns the place of a new request.
func (e *Engine) take() int32 {
	if n := len(e.free); n > 0 {
		i := e.free[n-1]
		e.free = e.free[:n-1]
		return i
	}
	e.slots = append(e.slots, slot{})
	return int32(len(e.slots) - 1)
}

// Next is when a step with a change ends: a completion, an admission or a
// preemption. Advance to any time before it does nothing. It is Never when the
// engine is idle, and moves when a request is submitted.
func (e *Engine) Next() time.Duration {
	if e.next == never {
		return Never
	}
	return (e.next + perNano - 1).duration()
}

// InFlight is the number of requests submitted and not completed by the last Advance.
func (e *Engine) InFlight() int { return e.running + e.queue.size }

// Abort takes all requests out of the engine, as when its pod fails, and
// returns them in the order of arrival. The engine is idle afterwards; what
// its counters have counted stays.
func (e *Engine) Abort() []Request {
	var lost []Request
	for i := e.newest; i != none; i = e.slots[i].older {
		lost = append(lost, e.slots[i].request)
	}
	for i := range e.queue.size {
		lost = append(lost, e.slots[e.queue.at(i)].request)
	}
	slices.SortStableFunc(lost, func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID))
	})
	e.slots, e.free, e.queue, e.decoding, e.filling = nil, nil, ring{}, nil, nil
	e.blocks, e.promptBlocks = newBlocks(e.profile.BlockSize), 0
	e.cache, e.shared = nil, 0
	e.newest, e.partial, e.running = none, none, 0
	e.stepping, e.planned, e.next = false, false, never
	return lost
}

// Expire takes out, at a time not before the last Advance's, the requests that
// arrived before a limit and have waited ever since, as when their clients hang
// up. It returns them, in a list that the next call uses again. What stood behind
// them may then be admitted as of the step in progress.
func (e *Engine) Expire(at, limit time.Duration) []Request {
	e.expired = e.expired[:0]
	if !e.hasExpired(limit) {
		return nil
	}
	e.Advance(at)
	e.catchUp(fromDuration(at))
	e.planned = false
	for e.hasExpired(limit) {
		i := e.queue.popFront()
		e.expired = append(e.expired, e.slots[i].request)
		e.free = append(e.free, i)
	}
	if !e.stepping {
		e.next = e.now + 1 // plan again
	}
	return e.expired
}

// hasExpired reports whether the head of the queue waits since before a limit;
// one that was preempted after its first token does not.
func (e *Engine) hasExpired(limit time.Duration) bool {
	if e.queue.size == 0 {
		return false
	}
	s := &e.slots[e.queue.front()]
	return s.generated == 0 && s.request.Arrival < limit
}

// Advance moves the engine to a time and reports what has ended by then. The
// requests that arrive before that time must have been submitted.
func (e *Engine) Advance(to time.Duration) { e.advance(fromDuration(min(to, Latest))) }

// Drain runs until nothing is left.
func (e *Engine) Drain() { e.advance(never) }

func (e *Engine) advance(to picos) {
	for e.next <= to {
		if e.stepping {
			e.endStep()
		}
		if e.running == 0 && !e.wake() || e.now > lastStep {
			e.next = never // idle, or at the end of the picoseconds that fit
			return
		}
		if e.now >= to { // a request may still arrive at this very moment
			e.next = e.now + 1
			return
		}
		if !e.planned {
			e.plannedSteps, e.plannedTimes = e.plan()
		}
		steps, times := e.plannedSteps, e.plannedTimes
		e.planned = false
		switch {
		case steps == 0:
			e.beginStep()
		case times.span(steps) > to-e.now:
			e.next, e.planned = e.now+times.span(steps), true
		default:
			e.repeat(steps, times)
		}
	}
}

// wake moves an idle engine to the next request; false if there is none.
func (e *Engine) wake() bool {
	if e.queue.size == 0 {
		return false
	}
	e.now = max(e.now, e.slots[e.queue.front()].queued)
	return true
}
