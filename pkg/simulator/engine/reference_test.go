package engine

import (
	"slices"
	"testing"
)

// reference is the scheduler as vLLM writes it down: lists, and a loop over
// every request in every step. The engine must agree with it in every picosecond.
type reference struct {
	t       *testing.T
	p       Profile
	cost    cost
	now     picos
	arrived []Request // not yet in the engine's queue
	waiting []*referenceRequest
	running []*referenceRequest

	steps, generated, preemptions int64
	gaps                          picos
	histogram                     Histogram
	bounds                        bounds
	ended                         []Completion
}

type referenceRequest struct {
	Request
	computed, tokens, preemptions int // tokens = prompt + generated
	admitted                      int // tokens that were to be computed when it was admitted; what follows is decoding
	scheduled, blocks             int
	first, last                   picos
}

func (r *reference) blocksFor(tokens int) int { return (tokens + r.p.BlockSize - 1) / r.p.BlockSize }

func (r *reference) freeBlocks() int {
	free := r.p.KVTokens / r.p.BlockSize
	for _, q := range r.running {
		free -= q.blocks
	}
	if free < 0 {
		r.t.Fatalf("step %d: KV cache over capacity by %d blocks", r.steps, -free)
	}
	return free
}

func (r *reference) run() {
	for len(r.arrived)+len(r.waiting)+len(r.running) > 0 {
		if len(r.waiting)+len(r.running) == 0 {
			r.now = max(r.now, r.queued(r.arrived[0]))
		}
		for len(r.arrived) > 0 && r.queued(r.arrived[0]) <= r.now {
			r.waiting = append(r.waiting, &referenceRequest{Request: r.arrived[0], tokens: r.arrived[0].Prompt})
			r.arrived = r.arrived[1:]
		}
		r.step()
	}
}

func (r *reference) queued(q Request) picos { return fromDuration(q.Arrival + r.p.RequestOverhead) }

func (r *reference) step() {
	budget, preempted := r.p.MaxNumBatchedTokens, false
	for i := 0; i < len(r.running); i++ {
		q := r.running[i]
		q.scheduled = min(q.tokens-q.computed, budget)
		for r.blocksFor(q.computed+q.scheduled)-q.blocks > r.freeBlocks() {
			preempted = true
			last := r.running[len(r.running)-1]
			r.running = r.running[:len(r.running)-1]
			last.computed, last.blocks, last.scheduled = 0, 0, 0
			last.preemptions++
			r.preemptions++
			r.waiting = slices.Insert(r.waiting, 0, last)
			if last == q {
				break
			}
		}
		if i < len(r.running) {
			q.blocks = r.blocksFor(q.computed + q.scheduled)
			budget -= q.scheduled
		}
	}
	for !preempted && budget > 0 && len(r.waiting) > 0 && len(r.running) < r.p.MaxNumSeqs {
		q := r.waiting[0]
		if r.blocksFor(q.tokens) > r.freeBlocks() {
			break
		}
		r.waiting = r.waiting[1:]
		q.admitted = q.tokens
		q.scheduled = min(q.tokens, budget)
		q.blocks = r.blocksFor(q.scheduled)
		budget -= q.scheduled
		r.running = append(r.running, q)
	}
	r.execute()
}

func (r *reference) execute() {
	var n, kv, prompt, pairs int64
	for _, q := range r.running {
		if q.computed >= q.admitted {
			n, kv = n+1, kv+int64(q.tokens)
		} else {
			prompt += int64(q.scheduled)
			pairs += int64(q.scheduled) * int64(2*q.computed+q.scheduled)
		}
	}
	r.steps++
	r.now += r.cost.step(n, kv, prompt, pairs)
	r.running = slices.DeleteFunc(r.running, r.output)
}

// output gives a request its token, and tells whether it was the last.
func (r *reference) output(q *referenceRequest) bool {
	q.computed += q.scheduled
	if q.computed < q.tokens {
		return false
	}
	if q.tokens == q.Prompt {
		q.first = r.now
	} else {
		r.gaps += r.now - q.last
		r.histogram[r.bounds.bucket(r.now-q.last)]++
	}
	q.last = r.now
	q.tokens++
	r.generated++
	if q.tokens < q.Prompt+q.Output {
		return false
	}
	r.ended = append(r.ended, Completion{Request: q.Request, FirstToken: q.first.duration(), LastToken: q.last.duration(), Preemptions: q.preemptions})
	return true
}
