package fit

import (
	"cmp"
	"math"
	"slices"
)

// corner is a point of the search with its cost.
type corner struct {
	at   []float64
	cost float64
}

// minimize is Nelder and Mead's simplex, "A simplex method for function
// minimization", 1965, from start with first steps of the given size, for at
// most a number of evaluations.
func minimize(cost func([]float64) float64, start []float64, step float64, evaluations int) corner {
	s := simplex{cost: cost, left: evaluations}
	s.corners = append(s.corners, s.corner(slices.Clone(start)))
	for i := range start {
		at := slices.Clone(start)
		at[i] += step
		s.corners = append(s.corners, s.corner(at))
	}
	for s.left > 0 && !s.settled() {
		s.move()
	}
	s.sort()
	return s.corners[0]
}

type simplex struct {
	cost    func([]float64) float64
	corners []corner
	left    int
}

func (s *simplex) corner(at []float64) corner {
	s.left--
	return corner{at, s.cost(at)}
}

func (s *simplex) sort() {
	slices.SortStableFunc(s.corners, func(a, b corner) int { return cmp.Compare(a.cost, b.cost) })
}

// settled is when the corners are as good as one.
func (s *simplex) settled() bool {
	s.sort()
	best, worst := s.corners[0], s.corners[len(s.corners)-1]
	apart := 0.0
	for i := range best.at {
		apart = max(apart, math.Abs(best.at[i]-worst.at[i]))
	}
	return worst.cost-best.cost < 1e-7 && apart < 1e-3
}

// move replaces the worst corner, or shrinks all towards the best.
func (s *simplex) move() {
	last := len(s.corners) - 1
	worst, second := s.corners[last], s.corners[last-1]
	reflected := s.along(-1)
	switch {
	case reflected.cost < s.corners[0].cost:
		if further := s.along(-2); further.cost < reflected.cost {
			reflected = further
		}
		s.corners[last] = reflected
	case reflected.cost < second.cost:
		s.corners[last] = reflected
	default:
		inside := 0.5
		if reflected.cost < worst.cost {
			inside = -0.5
		}
		if c := s.along(inside); c.cost < min(worst.cost, reflected.cost) {
			s.corners[last] = c
			return
		}
		s.shrink()
	}
}

// along is the point on the line from the middle of the others to the worst.
func (s *simplex) along(by float64) corner {
	last := len(s.corners) - 1
	at := make([]float64, len(s.corners[last].at))
	for i := range at {
		middle := 0.0
		for _, c := range s.corners[:last] {
			middle += c.at[i] / float64(last)
		}
		at[i] = middle + by*(s.corners[last].at[i]-middle)
	}
	return s.corner(at)
}

func (s *simplex) shrink() {
	best := s.corners[0].at
	for k := 1; k < len(s.corners); k++ {
		at := slices.Clone(s.corners[k].at)
		for i := range at {
			at[i] = best[i] + (at[i]-best[i])/2
		}
		s.corners[k] = s.corner(at)
	}
}
