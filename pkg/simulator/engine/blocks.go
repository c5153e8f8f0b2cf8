package engine

// blocks counts the KV blocks of all decoding requests at any step without
// visiting them. Each of them grows by one token per step, so a request's
// tokens are base + step, with a base that stays. Cut base and step into whole
// blocks and a rest: base = size*q + r, step = size*u + v. The request then
// holds q + u blocks, one more if r + v > 0 and one more if r + v > size.
type blocks struct {
	size, count, whole int64
	// atLeast[r] is how many requests have a rest of at least r.
	atLeast []int64
	// tokens is the sum of bases.
	tokens int64
}

func newBlocks(size int) blocks { return blocks{size: int64(size), atLeast: make([]int64, size+1)} }

func (b *blocks) add(base int64)    { b.change(base, 1) }
func (b *blocks) remove(base int64) { b.change(base, -1) }

func (b *blocks) change(base, by int64) {
	q, r := floorDiv(base, b.size)
	b.count += by
	b.whole += by * q
	b.tokens += by * base
	for i := range b.atLeast[:r+1] {
		b.atLeast[i] += by
	}
}

// used is the number of blocks once step is done.
func (b *blocks) used(step int64) int64 {
	u, v := floorDiv(step, b.size)
	// r + v > 0 holds for all but r = 0 at v = 0; r + v > size means r >= size-v+1.
	some := b.count
	if v == 0 {
		some = b.atLeast[1]
	}
	more := int64(0)
	if v > 0 {
		more = b.atLeast[b.size-v+1]
	}
	return b.whole + b.count*u + some + more
}

// held is the number of tokens once step is done.
func (b *blocks) held(step int64) int64 { return b.tokens + b.count*step }

// floorDiv rounds down, so that the rest is never negative: a request that
// starts late has a negative base.
func floorDiv(x, by int64) (quotient, rest int64) {
	quotient, rest = x/by, x%by
	if rest < 0 {
		quotient, rest = quotient-1, rest+by
	}
	return quotient, rest
}

// blocksOf is the number of blocks that hold tokens.
func blocksOf(tokens, size int64) int64 { return (tokens + size - 1) / size }
