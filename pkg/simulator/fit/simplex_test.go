package fit

import (
	"math"
	"slices"
	"testing"
)

func TestMinimize(t *testing.T) {
	// Rosenbrock's valley, whose bottom is at 1, 1.
	valley := func(x []float64) float64 {
		return math.Pow(1-x[0], 2) + 100*math.Pow(x[1]-x[0]*x[0], 2)
	}
	if c := minimize(valley, []float64{-1.2, 1}, .5, 1000); math.Abs(c.at[0]-1) > .01 || math.Abs(c.at[1]-1) > .02 {
		t.Errorf("bottom at %v", c.at)
	}
	calls := 0
	minimize(func([]float64) float64 { calls++; return float64(-calls) }, []float64{0}, 1, 50)
	if calls > 60 {
		t.Errorf("%d evaluations of 50", calls)
	}
}

// Each move by hand. The worst corner goes to the other side of the others, or further, or half the way, or all shrink.
func TestSimplex_move(t *testing.T) {
	off := func(from float64) func([]float64) float64 {
		return func(x []float64) float64 { return math.Abs(x[0] - from) }
	}
	for _, c := range []struct {
		name    string
		cost    func([]float64) float64
		corners [][]float64 // the best first
		want    []float64   // the last corner afterwards
	}{
		{"further", func(x []float64) float64 { return x[0] }, [][]float64{{1}, {2}}, []float64{-1}},
		{"to the other side", off(.1), [][]float64{{1}, {2}}, []float64{0}},
		{"to the other side, better than the second", func(x []float64) float64 {
			return map[[2]float64]float64{{1, 0}: 2, {0, 1}: 3, {1, -1}: 1}[[2]float64(x)]
		}, [][]float64{{0, 0}, {1, 0}, {0, 1}}, []float64{1, -1}},
		{"half the way beyond", off(.9), [][]float64{{1}, {2}}, []float64{.5}},
		{"half the way before", off(1.1), [][]float64{{1}, {2}}, []float64{1.5}},
		{"all shrink", func(x []float64) float64 { return map[float64]float64{1: 0, 2: 5, 0: 5, 1.5: 9}[x[0]] }, [][]float64{{1}, {2}}, []float64{1.5}},
	} {
		s := simplex{cost: c.cost}
		for _, at := range c.corners {
			s.corners = append(s.corners, s.corner(at))
		}
		s.move()
		last := s.corners[len(s.corners)-1]
		if !slices.Equal(last.at, c.want) || last.cost != c.cost(c.want) || !slices.Equal(s.corners[0].at, c.corners[0]) {
			t.Errorf("%s: %+v, want the last at %v", c.name, s.corners, c.want)
		}
	}
}

// A search ends where the corners are as good as one, long before its limit, and not while they are apart.
func TestMinimize_settles(t *testing.T) {
	calls := 0
	bowl := func(x []float64) float64 { calls++; return x[0]*x[0] + 10*x[1]*x[1] }
	if c := minimize(bowl, []float64{3, -4}, 1, 10_000); !(math.Hypot(c.at[0], c.at[1]) < 1e-3) || calls > 200 {
		t.Errorf("at %v after %d evaluations", c.at, calls)
	}
	for _, c := range []struct {
		name    string
		corners []corner
		want    bool
	}{
		{"as good as one", []corner{{[]float64{0, 1}, 5}, {[]float64{0, 1.0009}, 5 + 9e-8}}, true},
		{"apart in the second coordinate", []corner{{[]float64{0, 1}, 5}, {[]float64{0, 1.002}, 5}}, false},
		{"apart in the first", []corner{{[]float64{0, 1}, 5}, {[]float64{-.002, 1}, 5}}, false},
		{"apart in cost", []corner{{[]float64{0, 1}, 5.1}, {[]float64{0, 1}, 5}}, false},
	} {
		if got := (&simplex{corners: c.corners}).settled(); got != c.want {
			t.Errorf("%s: settled %v", c.name, got)
		}
	}
}
