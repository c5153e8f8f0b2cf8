package trace

import (
	"math"
	"math/rand/v2"
	"time"
)

// generate draws requests along a curve whose rate is multiplied by scale. A
// gap is drawn in units of the mean and then spent on the area under the
// curve, so that the process follows any rate without thinning.
func generate(points curve, lengths lengths, scale float64, seed uint64) Requests {
	return func(yield func(Request, error) bool) {
		gaps, sizes := Stream(seed, "arrivals"), Stream(seed, "lengths")
		var from point
		first, need, zero := true, 0.0, 0.0
		for to, err := range points {
			if err != nil {
				yield(Request{}, err)
				return
			}
			if to.rate *= scale; first {
				first, zero, from, need = false, to.at, to, gap(gaps, to.cv)
				continue
			}
			s := segment{at: from.at - zero, rate: from.rate, slope: (to.rate - from.rate) / (to.at - from.at),
				end: to.at - zero}
			for s.spend(&need) {
				q := lengths.draw(sizes, from)
				q.Arrival = time.Duration(s.at * float64(time.Second))
				if !yield(q, nil) {
					return
				}
				need = gap(gaps, from.cv)
			}
			from = to
		}
	}
}

// segment is what is left of the line between two points.
type segment struct{ at, rate, slope, end float64 }

// spend moves to where the area since at is need, or to the end with the rest
// of need; it returns which.
func (s *segment) spend(need *float64) bool {
	left := s.end - s.at
	if area := left * (s.rate + s.slope*left/2); area <= *need {
		*need -= max(area, 0)
		return false
	}
	// rate*x + slope*x*x/2 = need, in the form that does not cancel for a small slope.
	x := 2 * *need / (s.rate + math.Sqrt(max(s.rate*s.rate+2*s.slope**need, 0)))
	if !(x > 0) { // 0/0 where the rate is still 0, and gaps of 0
		x = 0
	}
	x = min(x, left)
	s.at += x
	s.rate += s.slope * x
	return true
}

// gap draws from a gamma distribution with mean 1.
func gap(r *rand.Rand, cv float64) float64 {
	switch cv {
	case 0:
		return 1
	case 1:
		return r.ExpFloat64()
	}
	shape := 1 / (cv * cv)
	return gamma(r, shape) / shape
}

// gamma is Marsaglia and Tsang's method, "A simple method for generating gamma
// variables", 2000, with their step for shapes below 1.
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
