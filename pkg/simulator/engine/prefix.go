package engine

import "math"

// Prefix is the hashes of a prompt's whole blocks of equal size; an
// equal beginning of hashes is an equal beginning of prompts.
type Prefix struct {
	Hashes []int64
	Tokens int
}

// prefixCache is vLLM's prefix cache. Blocks that nobody uses stand in a queue
// from which new blocks are taken, and keep their content until then. Blocks
// that are hashed together are a chunk: they come and go together.
type prefixCache struct {
	chunks map[uint64]*chunk
	// head is taken first, tail was given back last.
	head, tail *chunk
	// used is the blocks in use when the queue was last handled; until blocks
	// are given back they only grow, so that takings can be made up for later.
	used int64
}

// chunk is blocks that are in use together or stand together in the queue;
// those without a content worth keeping have no holder and are not cached.
type chunk struct {
	key            uint64
	cached         bool
	blocks         int64
	holders        int
	previous, next *chunk
}

// reuse is a request's side of the cache.
type reuse struct {
	// keys name the whole chunks of its prompt, each with all that precedes it.
	keys []uint64
	// tokens and blocks are of one chunk.
	tokens, blocks int64
	// chunks are those that its computed tokens fill, nil for one that
	// another request had computed meanwhile: of two copies one is kept.
	chunks []*chunk
	// cached is the tokens that it found at its last admission.
	cached int64
}

// newReuse groups hashed blocks so that they fill whole KV blocks.
func newReuse(p *Prefix, prompt int, size int64) *reuse {
	if p == nil || p.Tokens < 1 {
		return nil
	}
	each := int64(p.Tokens)
	group := size / gcd(each, size)
	r := &reuse{tokens: group * each, blocks: group * each / size}
	whole := int(min(int64(prompt)/r.tokens, int64(len(p.Hashes))/group))
	if whole == 0 {
		return nil
	}
	all := p.Keys(make([]uint64, 0, len(p.Hashes)))
	for i := range whole {
		all[i] = all[int64(i+1)*group-1]
	}
	r.keys = all[:whole:whole]
	return r
}

// Keys appends a name for every block of the prefix, of it and all before it.
func (p *Prefix) Keys(to []uint64) []uint64 {
	key := uint64(14695981039346656037) // FNV's, a word at a time
	for _, h := range p.Hashes {
		key = (key ^ uint64(h)) * 1099511628211
		key ^= key >> 29
		to = append(to, key)
	}
	return to
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// startCache begins with a queue of empty blocks, when the first request with a prefix comes.
func (e *Engine) startCache() {
	c := &prefixCache{chunks: map[uint64]*chunk{}}
	step := e.steps
	if e.stepping {
		step++
	}
	c.used = e.usedBlocks(step)
	c.give(&chunk{blocks: e.capacity - c.used})
	e.cache = c
}

// usedBlocks is the blocks in use at a step, shared ones once.
func (e *Engine) usedBlocks(step int64) int64 {
	return e.blocks.used(step) + e.promptBlocks - e.shared
}

// takeBlocks takes from the queue what has come into use by a step.
func (e *Engine) takeBlocks(step int64) {
	if e.cache != nil {
		e.cache.takeUntil(e.usedBlocks(step))
	}
}

func (c *prefixCache) takeUntil(used int64) {
	for n := used - c.used; n > 0 && c.head != nil; {
		h := c.head
		if h.cached {
			delete(c.chunks, h.key)
			h.cached = false
		}
		took := min(n, h.blocks)
		h.blocks -= took
		if n -= took; h.blocks == 0 {
			c.unlink(h)
		}
	}
	c.used = used
}

// give puts blocks at the end of the queue.
func (c *prefixCache) give(k *chunk) {
	if k.blocks == 0 {
		return
	}
	if !k.cached && c.tail != nil && !c.tail.cached {
		c.tail.blocks += k.blocks
		return
	}
	k.previous, k.next = c.tail, nil
	if c.tail != nil {
		c.tail.next = k
	} else {
		c.head = k
	}
	c.tail = k
}

func (c *prefixCache) unlink(k *chunk) {
	if k.previous != nil {
		k.previous.next = k.next
	} else {
		c.head = k.next
	}
	if k.next != nil {
		k.next.previous = k.previous
	} else {
		c.tail = k.previous
	}
	k.previous, k.next = nil, nil
}

// find returns the chunk of a request's prompt, nil if it is not cached. At
// least the last token has to be computed, for its output.
func (e *Engine) find(s *slot, i int) *chunk {
	r := s.reuse
	if i >= len(r.keys) || int64(i+1)*r.tokens >= s.target {
		return nil
	}
	if k := e.cache.chunks[r.keys[i]]; k != nil && k.blocks == r.blocks {
		return k
	}
	return nil
}

// sharable is the blocks of a waiting request that others hold now.
func (e *Engine) sharable(s *slot) (blocks int64) {
	if s.reuse == nil {
		return 0
	}
	for i := 0; ; i++ {
		k := e.find(s, i)
		if k == nil {
			return blocks
		}
		if k.holders > 0 {
			blocks += k.blocks
		}
	}
}

// reusePrefix gives an admitted request what the cache has of its prompt.
func (e *Engine) reusePrefix(s *slot) {
	r := s.reuse
	for i := 0; ; i++ {
		k := e.find(s, i)
		if k == nil {
			break
		}
		if k.holders == 0 {
			e.cache.unlink(k)
			e.cache.used += k.blocks
		} else {
			e.shared += k.blocks
		}
		k.holders++
		r.chunks = append(r.chunks, k)
	}
	r.cached = int64(len(r.chunks)) * r.tokens
	s.computed = r.cached
	e.promptBlocks += int64(len(r.chunks)) * r.blocks
}

// untilChunk is the steps of a number of tokens until the next chunk is full.
func (r *reuse) untilChunk(computed, tokens int64) int64 {
	if len(r.chunks) == len(r.keys) {
		return math.MaxInt64
	}
	return blocksOf(int64(len(r.chunks)+1)*r.tokens-computed, tokens)
}

// keepPrefix names the chunks that a request's computed tokens fill at a step.
func (e *Engine) keepPrefix(s *slot, step int64) {
	e.takeBlocks(step)
	r := s.reuse
	for i := len(r.chunks); i < len(r.keys) && int64(i+1)*r.tokens <= s.computed; i++ {
		var k *chunk
		if e.cache.chunks[r.keys[i]] == nil {
			k = &chunk{key: r.keys[i], cached: true, blocks: r.blocks, holders: 1}
			e.cache.chunks[k.key] = k
		}
		r.chunks = append(r.chunks, k)
	}
}

// giveBlocks gives a request's blocks back, its last ones first. The queue
// must have been brought up to date before they went out of use.
func (e *Engine) giveBlocks(s *slot, blocks int64) {
	c := e.cache
	if c == nil {
		return
	}
	r := s.reuse
	if r == nil {
		c.used -= blocks
		c.give(&chunk{blocks: blocks})
		return
	}
	tail := blocks - int64(len(r.chunks))*r.blocks
	c.used -= tail
	c.give(&chunk{blocks: tail})
	for i := len(r.chunks) - 1; i >= 0; i-- {
		k := r.chunks[i]
		switch {
		case k == nil:
			k = &chunk{blocks: r.blocks}
		case k.holders > 1:
			k.holders--
			e.shared -= k.blocks
			continue
		default:
			k.holders = 0
		}
		c.used -= k.blocks
		c.give(k)
	}
	r.chunks = r.chunks[:0]
}
