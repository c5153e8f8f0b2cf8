package engine

import (
	"cmp"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// FullestRank is the data-parallel rank that computed the most prompt tokens since the engine began. It is the zero
// value where there is one rank, or where the page does not report the ranks apart.
type FullestRank struct {
	// ID is a hash of the labels of the rank, the same for each page until the process ends.
	ID uint32
	// PromptTokens is those tokens, above 0.
	PromptTokens float64
	// Running and Waiting are requests of this moment, NaN where they are not reported for this rank.
	Running, Waiting float64
}

// byRank reports whether a field is also wanted of each rank.
func byRank(f engines.Field) bool {
	return f == engines.Running || f == engines.Waiting || f == engines.PromptTokens
}

// compare orders ranks by what they are given, and where that is equal by what they do.
func (f FullestRank) compare(g FullestRank) int {
	return cmp.Or(cmp.Compare(f.PromptTokens, g.PromptTokens), cmp.Compare(f.Running, g.Running),
		cmp.Compare(f.Waiting, g.Waiting), cmp.Compare(f.ID, g.ID))
}

// fullest returns the fullest rank of a page. ranks is the number of ranks on the page; rows has, for each field, the
// row that its number is from, counted from 1. A rank is the fullest when it is given the most to do: what runs at
// this moment says less, because it changes whenever an answer ends.
func (p *Parser) fullest(ranks int, rows *[engines.Fields]int) FullestRank {
	prompts := p.totalOf(rows[engines.PromptTokens])
	if ranks == 0 || len(prompts.rankIndex) != ranks {
		return FullestRank{}
	}
	most := FullestRank{}
	for id, i := range prompts.rankIndex {
		f := FullestRank{
			ID: uint32(id >> 32), PromptTokens: prompts.ranks[i],
			Running: p.totalOf(rows[engines.Running]).of(id), Waiting: p.waitingOf(id, rows),
		}
		if !(f.PromptTokens >= 0) {
			return FullestRank{}
		}
		if f.PromptTokens > 0 && f.compare(most) > 0 {
			most = f
		}
	}
	return most
}

// waitingOf is the requests in a rank's queues.
func (p *Parser) waitingOf(rank uint64, rows *[engines.Fields]int) float64 {
	waiting := p.totalOf(rows[engines.Waiting]).of(rank)
	for i := range p.totals {
		r, t := &p.current.rows[i], &p.totals[i]
		if r.Field == engines.Waiting && r.Plus && t.n > 0 && i+1 != rows[engines.Waiting] {
			waiting += t.of(rank)
		}
	}
	return waiting
}

// totalOf is a row's total, an empty one for row 0.
func (p *Parser) totalOf(row int) *total {
	if row == 0 {
		return &total{}
	}
	return &p.totals[row-1]
}
