package engine

import (
	"fmt"
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

	steps, generated, preemptions, cachedTokens int64
	gaps                                        picos
	histogram                                   Histogram
	bounds                                      bounds
	ended                                       []Completion

	// free is the queue of blocks that nobody uses; users and content are by block.
	free    []int
	users   []int
	content []string
	cached  map[string][]int
}

type referenceRequest struct {
	Request
	computed, tokens, preemptions int // tokens = prompt + generated
	admitted                      int // tokens that were to be computed when it was admitted; what follows is decoding
	scheduled, reused             int
	blocks                        []int
	prefix                        []string // the contents of its prompt's whole chunks
	chunk, named                  int      // tokens of each, and how many of them were compared
	first, last                   picos
}

func (r *reference) blocksFor(tokens int) int { return (tokens + r.p.BlockSize - 1) / r.p.BlockSize }

// allocate takes blocks from the queue until a request has n; their content is lost.
func (r *reference) allocate(q *referenceRequest, n int) {
	for len(q.blocks) < n {
		if len(r.free) == 0 {
			r.t.Fatalf("step %d: KV cache over capacity", r.steps)
		}
		id := r.free[0]
		r.free = r.free[1:]
		content := r.content[id]
		for _, of := range r.cached[content] {
			r.content[of] = ""
		}
		delete(r.cached, content)
		r.users[id] = 1
		q.blocks = append(q.blocks, id)
	}
}

// release gives a request's blocks back, the last first.
func (r *reference) release(q *referenceRequest) {
	for _, id := range slices.Backward(q.blocks) {
		if r.users[id]--; r.users[id] == 0 {
			r.free = append(r.free, id)
		}
	}
	q.blocks = nil
}

// hit is the cached blocks of a request's prompt; at least one token is always computed.
func (r *reference) hit(q *referenceRequest) (blocks []int, idle int) {
	for i, content := range q.prefix {
		chunk, ok := r.cached[content]
		if !ok || (i+1)*q.chunk >= q.tokens {
			break
		}
		for _, id := range chunk {
			if blocks = append(blocks, id); r.users[id] == 0 {
				idle++
			}
		}
	}
	return blocks, idle
}

// share gives a request blocks that are cached.
func (r *reference) share(q *referenceRequest, blocks []int) {
	for _, id := range blocks {
		if r.users[id]++; r.users[id] == 1 {
			r.free = slices.DeleteFunc(r.free, func(f int) bool { return f == id })
		}
	}
	q.blocks = slices.Clone(blocks)
	q.computed = len(blocks) * r.p.BlockSize
	q.reused = q.computed
	if q.chunk > 0 {
		q.named = q.computed / q.chunk
	}
}

// keep names the blocks of the chunks that a request's scheduled tokens fill.
func (r *reference) keep(q *referenceRequest) {
	for ; q.named < len(q.prefix) && (q.named+1)*q.chunk <= q.computed+q.scheduled; q.named++ {
		i, n, content := q.named, q.chunk/r.p.BlockSize, q.prefix[q.named]
		if _, ok := r.cached[content]; ok {
			continue // somebody else's copy is kept
		}
		r.cached[content] = slices.Clone(q.blocks[i*n : (i+1)*n])
		for _, id := range r.cached[content] {
			r.content[id] = content
		}
	}
}

// contents are the chunks of whole KV blocks in a prompt, each with all before it.
func (r *reference) contents(q Request) (prefix []string, chunk int) {
	if q.Prefix == nil {
		return nil, 0
	}
	for chunk = q.Prefix.Tokens; chunk%r.p.BlockSize != 0; {
		chunk += q.Prefix.Tokens
	}
	for n := chunk; n <= q.Prompt && n/q.Prefix.Tokens <= len(q.Prefix.Hashes); n += chunk {
		prefix = append(prefix, fmt.Sprint(q.Prefix.Hashes[:n/q.Prefix.Tokens]))
	}
	return prefix, chunk
}

func (r *reference) run() {
	n := r.p.KVTokens / r.p.BlockSize
	r.users, r.content, r.cached = make([]int, n), make([]string, n), map[string][]int{}
	for id := range n {
		r.free = append(r.free, id)
	}
	for len(r.arrived)+len(r.waiting)+len(r.running) > 0 {
		if len(r.waiting)+len(r.running) == 0 {
			r.now = max(r.now, r.queued(r.arrived[0]))
		}
		for len(r.arrived) > 0 && r.queued(r.arrived[0]) <= r.now {
			q := &referenceRequest{Request: r.arrived[0], tokens: r.arrived[0].Prompt}
			q.prefix, q.chunk = r.contents(q.Request)
			r.waiting = append(r.waiting, q)
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
		for r.blocksFor(q.computed+q.scheduled)-len(q.blocks) > len(r.free) {
			preempted = true
			last := r.running[len(r.running)-1]
			r.running = r.running[:len(r.running)-1]
			r.release(last)
			last.computed, last.scheduled = 0, 0
			last.preemptions++
			r.preemptions++
			r.waiting = slices.Insert(r.waiting, 0, last)
			if last == q {
				break
			}
		}
		if i < len(r.running) {
			r.allocate(q, r.blocksFor(q.computed+q.scheduled))
			r.keep(q)
			budget -= q.scheduled
		}
	}
	for !preempted && budget > 0 && len(r.waiting) > 0 && len(r.running) < r.p.MaxNumSeqs {
		q := r.waiting[0]
		found, idle := r.hit(q)
		if r.blocksFor(q.tokens)-len(found) > len(r.free)-idle {
			break
		}
		r.waiting = r.waiting[1:]
		r.share(q, found)
		q.admitted = q.tokens
		q.scheduled = min(q.tokens-q.computed, budget)
		r.allocate(q, r.blocksFor(q.computed+q.scheduled))
		r.keep(q)
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

// output gives a request its token, and reports whether it was the last.
func (r *reference) output(q *referenceRequest) bool {
	q.computed += q.scheduled
	if q.computed < q.tokens {
		return false
	}
	if q.tokens == q.Prompt {
		q.first = r.now
		r.cachedTokens += int64(q.reused)
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
	r.release(q)
	r.ended = append(r.ended, Completion{Request: q.Request, FirstToken: q.first.duration(), LastToken: q.last.duration(), Preemptions: q.preemptions})
	return true
}
