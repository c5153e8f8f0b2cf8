package oracle

import (
	"math"
	"slices"
)

// program is the dynamic program over bins: how many replicas in each, so that
// what is due is done. Work is in whole units; a replica does perBin of them
// in a bin; costs are whole seconds.
type program struct {
	// came is the units that arrive in a bin, spare those that may be left at its end.
	came, spare []int
	perBin      int
	// bin and start are the seconds that a replica costs per bin, and to be started.
	bin, start int64
	// least and most bound the replicas of every bin.
	least int
	most  []int
	// climbed is the storage of a layer that nobody keeps.
	climbed []int64
}

// never is the cost of what cannot be.
const never = math.MaxInt64 / 4

// newProgram makes units of a ledger: a replica works bin seconds per bin.
// Both sums over time are rounded down, so the rounding is never more than a
// unit, and what a real schedule can do this one can.
func newProgram(l ledger, perBin int, bin float64) program {
	p := program{perBin: perBin, bin: int64(bin)}
	unit := bin / float64(perBin)
	var came, due float64
	arrived := 0
	for k := range l.came {
		came += l.came[k]
		if k < len(l.due) {
			due += l.due[k]
		}
		all := max(int(came/unit), arrived)
		p.came = append(p.came, all-arrived)
		p.spare = append(p.spare, max(all-int(due/unit-1e-6), 0)) // less what adding may have erred
		arrived = all
	}
	return p
}

// bounded sets most: more replicas than could be busy within a start's length
// are never worth their cost, nor are more than the peak of the work nearby.
func (p *program) bounded() {
	busy, peak := make([]int, len(p.came)), make([]int, len(p.came))
	left := 0
	for k, came := range p.came {
		busy[k] = ceilDiv(left+came, p.perBin)
		peak[k] = ceilDiv(came, p.perBin) + 1
		left = p.spare[k]
	}
	held := int(p.start / p.bin)
	busy, peak = widest(busy, held), widest(peak, held+nearby/int(p.bin))
	p.most = make([]int, len(busy))
	for k := range busy {
		p.most[k] = max(min(busy[k], peak[k]), p.least)
	}
}

// nearby is how many seconds off a peak can still be the reason for replicas, besides a start's length.
const nearby = 1800

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// widest is, for every place, the largest value at most reach places away.
func widest(values []int, reach int) []int {
	out := make([]int, len(values))
	var window []int // places whose values fall
	next := 0
	for k := range values {
		for ; next < len(values) && next <= k+reach; next++ {
			for len(window) > 0 && values[window[len(window)-1]] <= values[next] {
				window = window[:len(window)-1]
			}
			window = append(window, next)
		}
		for window[0] < k-reach {
			window = window[1:]
		}
		out[k] = values[window[0]]
	}
	return out
}

// layer is the least cost of all bins so far by replicas, from least on, and units left.
type layer struct {
	replicas, lefts int
	cost            []int64
}

func (l layer) row(n int) []int64 { return l.cost[n*l.lefts : (n+1)*l.lefts] }

// size is how many states a bin has.
func (p *program) size(k int) (replicas, lefts int) { return p.most[k] - p.least + 1, p.spare[k] + 1 }

// states is how many there are in all, as a measure of the time it takes.
func (p *program) states() (sum float64) {
	for k := range p.came {
		n, b := p.size(k)
		sum += float64(n) * float64(b)
	}
	return sum
}

// first is the layer before the first bin: any number of replicas for nothing.
func (p *program) first() layer {
	return layer{replicas: 1, lefts: 1, cost: []int64{0}}
}

// climb returns the costs of a layer after replicas were started or stopped,
// for as many as the next bin can have. Before the first bin that is free.
func (p *program) climb(from layer, replicas int, begin bool) layer {
	p.climbed = storage(p.climbed, replicas*from.lefts)
	to := layer{replicas: replicas, lefts: from.lefts, cost: p.climbed}
	if begin {
		fill(to.cost, 0)
		return to
	}
	for n := range replicas {
		row := to.row(n)
		switch {
		case n < from.replicas:
			copy(row, from.row(n))
		default:
			fill(row, never)
		}
		if n > 0 {
			lower(row, to.row(n-1), p.start)
		}
	}
	// Stopping is free: a row is also as cheap as any with more replicas.
	for n := replicas; n < from.replicas; n++ {
		lower(to.row(replicas-1), from.row(n), 0)
	}
	for n := replicas - 2; n >= 0; n-- {
		lower(to.row(n), to.row(n+1), 0)
	}
	return to
}

// storage is room for n costs, in a buffer if that is large enough.
func storage(buffer []int64, n int) []int64 {
	if cap(buffer) < n {
		return make([]int64, n, n+n/4)
	}
	return buffer[:n]
}

func fill(row []int64, with int64) {
	for i := range row {
		row[i] = with
	}
}

// lower takes over what is cheaper in another row, at a cost.
func lower(row, other []int64, cost int64) {
	for i, c := range other[:len(row)] {
		row[i] = min(row[i], c+cost)
	}
}

// serve is a bin: its work comes, the replicas do theirs, and too much may not
// be left. The answer is in the buffer if that is large enough.
func (p *program) serve(k int, from layer, buffer []int64) layer {
	replicas, lefts := p.size(k)
	to := layer{replicas: replicas, lefts: lefts, cost: storage(buffer, replicas*lefts)}
	for n := range replicas {
		row, source := to.row(n), from.row(n)
		fill(row, never)
		done := (n+p.least)*p.perBin - p.came[k] // net; may be below 0
		cost := int64(n+p.least) * p.bin
		for b := 0; b < len(source) && b <= done; b++ {
			row[0] = min(row[0], source[b]+cost)
		}
		for left := max(1, -done); left < lefts && left+done < len(source); left++ {
			row[left] = source[left+done] + cost
		}
		if done <= 0 && -done < lefts { // nothing was left and all of this is
			row[-done] = min(row[-done], source[0]+cost)
		}
	}
	return to
}

// step is one bin, starts included.
func (p *program) step(k int, from layer, buffer []int64) layer {
	replicas, _ := p.size(k)
	return p.serve(k, p.climb(from, replicas, k == 0), buffer)
}

// solve returns the cheapest replicas of every bin and their cost in seconds.
// Layers are kept at regular bins and computed again in between, so that
// memory grows with the root of the bins.
func (p *program) solve() (replicas []int, cost int64) {
	bins := len(p.came)
	if bins == 0 {
		return nil, 0
	}
	stride := int(math.Sqrt(float64(bins))) + 1
	kept, last := p.forward(stride)
	replicas = make([]int, bins)
	at := last.cheapest()
	cost = at.cost
	for begin := (len(kept) - 1) * stride; begin >= 0; begin -= stride {
		layers := []layer{kept[begin/stride]}
		for k := begin; k < min(begin+stride, bins); k++ {
			layers = append(layers, p.step(k, layers[len(layers)-1], nil))
		}
		for k := begin + len(layers) - 2; k >= begin; k-- {
			replicas[k] = at.n + p.least
			at = p.before(k, layers[k-begin], at)
		}
	}
	return replicas, cost
}

// forward computes all layers, and keeps every stride-th and the last.
func (p *program) forward(stride int) (kept []layer, at layer) {
	at = p.first()
	var spare []int64
	for k := range p.came {
		if k%stride == 0 {
			kept = append(kept, layer{at.replicas, at.lefts, slices.Clone(at.cost)})
		}
		next := p.step(k, at, spare)
		spare, at = at.cost, next
	}
	return kept, at
}

// state is a place in a layer with its cost.
type state struct {
	n, left int
	cost    int64
}

// cheapest is the state of the least cost.
func (l layer) cheapest() state {
	best := state{cost: never}
	for i, c := range l.cost {
		if c < best.cost {
			best = state{i / l.lefts, i % l.lefts, c}
		}
	}
	return best
}

// before finds a state of the layer before bin k from which one of bin k was reached.
func (p *program) before(k int, from layer, to state) state {
	if k == 0 {
		return state{}
	}
	done := (to.n+p.least)*p.perBin - p.came[k]
	paid := to.cost - int64(to.n+p.least)*p.bin
	low := to.left + done
	if to.left == 0 {
		low = 0
	}
	for b := max(low, 0); b <= min(to.left+done, from.lefts-1); b++ {
		for n := range from.replicas {
			if c := from.row(n)[b]; c < never && c+p.start*int64(max(to.n-n, 0)) == paid {
				return state{n, b, c}
			}
		}
	}
	return state{} // there is always one
}
