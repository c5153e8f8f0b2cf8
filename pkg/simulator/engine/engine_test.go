package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// anyProfile is a small engine, so that every limit is met.
func anyProfile(r *rand.Rand) Profile {
	seqs := 1 + r.IntN(12)
	size := []int{1, 2, 16, 48}[r.IntN(4)]
	return Profile{
		Name: "random", StepBase: 1 + 10*r.Float64(), PerSequence: r.Float64(), ComputeBase: 5 * r.Float64(),
		PerToken: r.Float64(), PerKVToken: 0.01 * r.Float64(), MixedKV: 3 * r.Float64() * float64(r.IntN(2)), PerTokenPair: 0.001 * r.Float64() * float64(r.IntN(2)),
		KVTokens: size * (4 + r.IntN(600/size+4)), BlockSize: size,
		MaxNumSeqs: seqs, MaxNumBatchedTokens: seqs + r.IntN(64), RequestOverhead: time.Duration(r.IntN(2)) * time.Microsecond,
	}
}

// anyRequests are about as many tokens as the engine can bear.
func anyRequests(r *rand.Rand, p Profile, n int) (requests []Request) {
	at := time.Duration(0)
	largest := p.KVTokens / p.BlockSize * p.BlockSize
	pause := 1 + r.IntN(400)
	for i := range n {
		if r.IntN(3) > 0 {
			at += time.Duration(r.IntN(pause*1000)) * time.Nanosecond
		}
		prompt := 1 + r.IntN(largest)
		if r.IntN(2) == 0 {
			prompt = 1 + prompt/8
		}
		requests = append(requests, Request{ID: int32(i), Arrival: at, Prompt: prompt, Output: 1 + r.IntN(largest-prompt+1)})
	}
	if r.IntN(2) == 0 {
		sharePrefixes(r, p, requests)
	}
	return requests
}

// sharePrefixes gives prompts common beginnings: hashes are of a small alphabet, so
// that they are equal for a while and then part. Some requests have none.
func sharePrefixes(r *rand.Rand, p Profile, requests []Request) {
	tokens := 1 + r.IntN(2*p.BlockSize)
	alphabet := int64(1 + r.IntN(3))
	for i := range requests {
		q := &requests[i]
		if r.IntN(8) == 0 {
			continue
		}
		q.Prefix = &Prefix{Tokens: tokens}
		for range (q.Prompt + tokens - 1) / tokens {
			q.Prefix.Hashes = append(q.Prefix.Hashes, r.Int64N(alphabet))
		}
	}
}

// TestEngine_reference is the proof of the short cut: over random engines and
// loads, every request's times and preemptions, and every counter, are those
// of an engine that makes every step.
func TestEngine_reference(t *testing.T) {
	preemptions, cached := int64(0), int64(0)
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := anyProfile(r)
		requests := anyRequests(r, p, 1+r.IntN(60))
		// Steps of this engine take microseconds, so its buckets do too.
		fine := bounds{1e7, 1.2e7, 1.4e7, 1.6e7, 2e7, 2.05e7, 2.1e7, 3e7, 5e7}
		want := &reference{t: t, p: p, cost: newCost(p), arrived: requests, bounds: fine}
		want.run()
		got, e := replay(t, p, requests, r, fine)
		byID := func(a, b Completion) int { return cmp.Compare(a.ID, b.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want.ended, byID)
		if !slices.Equal(got, want.ended) {
			for i := range min(len(got), len(want.ended)) {
				if got[i] != want.ended[i] {
					t.Fatalf("seed %d, %+v:\n got %+v\nwant %+v", seed, p, got[i], want.ended[i])
				}
			}
			t.Fatalf("seed %d: %d ended, want %d", seed, len(got), len(want.ended))
		}
		c := e.Counters(Latest)
		if c.Steps != want.steps || c.GenerationTokens != want.generated || c.Preemptions != want.preemptions || c.CachedTokens != want.cachedTokens || c.TokenGap != want.gaps.duration() {
			t.Fatalf("seed %d: %+v, want %d steps, %d tokens, %d preemptions, %d cached, gaps of %v", seed, c, want.steps, want.generated, want.preemptions, want.cachedTokens, want.gaps.duration())
		}
		if c.TokenGaps != want.histogram {
			t.Fatalf("seed %d: gaps %v, want %v", seed, c.TokenGaps, want.histogram)
		}
		preemptions, cached = preemptions+c.Preemptions, cached+c.CachedTokens
	}
	if preemptions < 1000 || cached < 10_000 {
		t.Errorf("only %d preemptions and %d cached tokens; the loads do not try the engine", preemptions, cached)
	}
}

// replay submits requests one by one, looking at the engine at random times in between.
func replay(t *testing.T, p Profile, requests []Request, r *rand.Rand, fine bounds) (ended []Completion, e *Engine) {
	t.Helper()
	now := time.Duration(0)
	e, err := New(p, func(c Completion) { ended = append(ended, c) })
	if err != nil {
		t.Fatal(err)
	}
	e.gapBounds = fine
	submitted := 0
	look := func(at time.Duration) {
		c := e.Counters(at)
		if err := invariants(e, c, submitted, now, at); err != nil {
			t.Fatalf("%+v at %v: %v", p, at, err)
		}
		now = at
	}
	for _, q := range requests {
		if at := now + time.Duration(r.Int64N(int64(q.Arrival-now)+1)); r.IntN(2) == 0 {
			look(at)
		}
		e.Advance(q.Arrival)
		now = q.Arrival
		if err := e.Submit(q); err != nil {
			t.Fatal(err)
		}
		submitted++
	}
	for e.Next() != Never {
		look(max(now, e.Next()))
	}
	e.Drain()
	return ended, e
}

// invariants hold at any time: requests are conserved, the clock does not run
// backwards, the KV cache is never over its capacity.
func invariants(e *Engine, c Counters, submitted int, before, at time.Duration) error {
	used := e.usedBlocks(e.steps)
	decoding := int64(len(e.decoding))
	switch {
	case int(c.Completed)+e.running+e.queue.size != submitted:
		return fmt.Errorf("%d completed + %d running + %d waiting, but %d submitted", c.Completed, e.running, e.queue.size, submitted)
	case used < 0 || used > e.capacity || c.KVUsage < 0 || c.KVUsage > 1:
		return fmt.Errorf("%d of %d KV blocks", used, e.capacity)
	case e.running > e.profile.MaxNumSeqs || decoding != e.blocks.count:
		return fmt.Errorf("%d running of at most %d, %d decoding, %d with blocks", e.running, e.profile.MaxNumSeqs, decoding, e.blocks.count)
	case e.cache != nil && e.cache.free() != e.capacity-e.cache.used:
		return fmt.Errorf("%d KV blocks free, but %d of %d in use", e.cache.free(), e.cache.used, e.capacity)
	case at < before || e.next < e.now:
		return fmt.Errorf("the clock ran from %v to %v, next at %v after %v", before, at, e.next, e.now)
	}
	return nil
}

func (c *prefixCache) free() (blocks int64) {
	for k := c.head; k != nil; k = k.next {
		blocks += k.blocks
	}
	return blocks
}

// TestEngine_lags: an engine that is advanced only when Next is due has the
// same requests in flight, at every moment, as one that is always advanced.
func TestEngine_lags(t *testing.T) {
	advanced, looks := 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := anyProfile(r)
		always, _ := New(p, func(Completion) {})
		lazy, _ := New(p, func(Completion) {})
		now := time.Duration(0)
		look := func(at time.Duration) {
			always.Counters(at) // which makes every step up to then
			if looks++; lazy.Next() <= at {
				advanced++
				lazy.Advance(at)
			}
			if always.InFlight() != lazy.InFlight() {
				t.Fatalf("seed %d at %v: %d in flight, and %d in the engine that lags", seed, at, always.InFlight(), lazy.InFlight())
			}
			now = at
		}
		for _, q := range anyRequests(r, p, 60) {
			for range 4 {
				look(now + time.Duration(r.Int64N(int64(q.Arrival-now)+1)))
			}
			look(q.Arrival)
			if always.Submit(q) != nil || lazy.Submit(q) != nil {
				t.Fatal("refused")
			}
		}
		for always.InFlight() > 0 {
			look(now + time.Duration(r.IntN(10_000)))
		}
	}
	if advanced > looks/2 {
		t.Errorf("advanced at %d of %d looks; nothing is saved", advanced, looks)
	}
}
