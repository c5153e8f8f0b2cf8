package engine

import "math/bits"

// blocks counts the KV blocks of all decoding requests at any step without
// visiting them. Each of them grows by one token per step, so a request's
// tokens are base + step, with a base that stays. Cut base and step into whole
// blocks and a rest: base = size*q + r, step = size*u + v. The request then
// holds q + u blocks, one more if r + v > 0 and one more if r + v > size.
type blocks struct {
	size, count, whole int64
	// shift is the logarithm of a size that is a power of two, as nearly all are, and else -1.
	shift int8
	// atLeast[r] is how many requests have a rest of at least r.
	atLeast []int64
	// tokens is the sum of bases.
	tokens int64
}

func newBlocks(size int) blocks {
	b := blocks{size: int64(size), shift: -1, atLeast: make([]int64, size+1)}
	if bits.OnesCount(uint(size)) == 1 {
		b.shift = int8(bits.TrailingZeros(uint(size)))
	}
	return b
}

func (b *blocks) add(base int64)    { b.change(base, 1) }
func (b *blocks) remove(base int64) { b.change(base, -1) }

func (b *blocks) change(base, by int64) {
	q, r := b.divide(base)
	b.count += by
	b.whole += by * q
	b.tokens += by * base
	for i := range b.atLeast[:r+1] {
		b.atLeast[i] += by
	}
}

// used is the number of blocks once step is done.
func (b *blocks) used(step int64) int64 {
	u, v := b.divide(step)
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

// tokensAfter is the number of tokens once step is done.
func (b *blocks) tokensAfter(step int64) int64 { return b.tokens + b.count*step }

// divide cuts tokens into whole blocks and a rest. It rounds down, so that the
// rest is never negative: a request that starts late has a negative base.
func (b *blocks) divide(tokens int64) (whole, rest int64) {
	if b.shift >= 0 {
		return tokens >> (b.shift & 63), tokens & (b.size - 1)
	}
	whole, rest = tokens/b.size, tokens%b.size
	if rest < 0 {
		whole, rest = whole-1, rest+b.size
	}
	return whole, rest
}

// of is the number of blocks that hold tokens, 0 or more.
func (b *blocks) of(tokens int64) int64 {
	if b.shift >= 0 {
		return (tokens + b.size - 1) >> (b.shift & 63)
	}
	return blocksOf(tokens, b.size)
}

// blocksOf is the number of blocks of a size that hold tokens.
func blocksOf(tokens, size int64) int64 { return (tokens + size - 1) / size }
