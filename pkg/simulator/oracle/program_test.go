package oracle

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// cheapestByTrying tries every number of replicas from least to most in every bin.
func cheapestByTrying(p program, most int) int64 {
	best := int64(never)
	replicas := make([]int, len(p.came))
	var try func(k, left, last int, cost int64)
	try = func(k, left, last int, cost int64) {
		if cost >= best {
			return
		}
		if k == len(p.came) {
			best = cost
			return
		}
		for n := p.least; n <= most; n++ {
			rest := max(0, left+p.came[k]-n*p.perBin)
			if rest > p.spare[k] {
				continue
			}
			c := cost + int64(n)*p.bin
			if k > 0 && n > last {
				c += int64(n-last) * p.start
			}
			replicas[k] = n
			try(k+1, rest, n, c)
		}
	}
	try(0, 0, 0, 0)
	return best
}

// costOf is what a schedule costs; not ok when it leaves too much work.
func (p *program) costOf(replicas []int) (cost int64, ok bool) {
	left := 0
	for k, n := range replicas {
		left = max(0, left+p.came[k]-n*p.perBin)
		if left > p.spare[k] {
			return 0, false
		}
		cost += int64(n) * p.bin
		if k > 0 {
			cost += int64(max(n-replicas[k-1], 0)) * p.start
		}
	}
	return cost, true
}

func TestProgram_isTheCheapestOfAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		p := program{perBin: 1 + r.IntN(3), bin: 10, start: int64(r.IntN(60)), least: r.IntN(2)}
		peak := 0
		for range 1 + r.IntN(8) {
			came := r.IntN(9)
			if r.IntN(3) == 0 {
				came = 0
			}
			spare := r.IntN(5)
			if n := len(p.spare); n > 0 { // what is left and not due cannot exceed what there is
				spare = min(spare, p.spare[n-1]+came)
			} else {
				spare = min(spare, came)
			}
			p.came, p.spare = append(p.came, came), append(p.spare, spare)
			peak = max(peak, ceilDiv(came, p.perBin))
		}
		p.bounded()
		replicas, cost := p.solve()
		if want := cheapestByTrying(p, peak+2); cost != want {
			t.Fatalf("%+v: cost %d with %v, the cheapest of all is %d", p, cost, replicas, want)
		}
		if again, ok := p.costOf(replicas); !ok || again != cost {
			t.Fatalf("%+v: the schedule %v costs %d (%v), not %d", p, replicas, again, ok, cost)
		}
	}
}

// TestProgram_boundsLoseNothing compares with a program that may use many more replicas.
func TestProgram_boundsLoseNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		p := program{perBin: 1 + r.IntN(4), bin: 10, start: int64(r.IntN(300))}
		for range 150 {
			came := r.IntN(12) * r.IntN(3)
			spare := r.IntN(20)
			if n := len(p.spare); n > 0 {
				spare = min(spare, p.spare[n-1]+came)
			} else {
				spare = min(spare, came)
			}
			p.came, p.spare = append(p.came, came), append(p.spare, spare)
		}
		p.bounded()
		_, cost := p.solve()
		p.most = slices.Repeat([]int{40}, len(p.came))
		if _, want := p.solve(); cost != want {
			t.Fatalf("perBin %d, start %d: %d, without bounds %d", p.perBin, p.start, cost, want)
		}
	}
}

func TestWidest(t *testing.T) {
	got := widest([]int{1, 5, 2, 0, 0, 3, 1}, 1)
	if want := []int{5, 5, 5, 2, 3, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
