package playground

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// Shape is how the load changes over time. At is a factor of the base rate,
// as a function of the time since the shape was chosen.
type Shape struct {
	Name, Says string
	At         func(since time.Duration) float64
}

// Shapes are the loads that can be chosen; the first is the default.
func Shapes() []Shape {
	return []Shape{
		{"day", "a day in ten minutes: quiet nights, a morning ramp, a noon peak", func(t time.Duration) float64 {
			return 1 - 0.75*math.Cos(2*math.Pi*t.Seconds()/600)
		}},
		{"steady", "the same rate all the time", func(time.Duration) float64 { return 1 }},
		{"burst", "four times the rate for 40 s, every 3 min", func(t time.Duration) float64 {
			if t%(3*time.Minute) > 2*time.Minute && t%(3*time.Minute) < 160*time.Second {
				return 4
			}
			return 1
		}},
		{"step", "three times the rate from the second minute on", func(t time.Duration) float64 {
			if t > time.Minute {
				return 3
			}
			return 1
		}},
		{"ramp", "from nothing to four times the rate in five minutes", func(t time.Duration) float64 { return min(4*t.Seconds()/300, 4) }},
		{"silence", "no requests at all", func(time.Duration) float64 { return 0 }},
	}
}

func shapeNamed(name string) (Shape, error) {
	all := Shapes()
	if i := slices.IndexFunc(all, func(s Shape) bool { return s.Name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return Shape{}, fmt.Errorf("load: no shape %q; one of %s", name, strings.Join(names, ", "))
}

// load makes requests: a Poisson process whose rate follows a shape.
type load struct {
	rng   *rand.Rand
	shape Shape
	// rate is requests per second at factor 1; since is when the shape began.
	rate  float64
	since time.Duration
	// input and output are mean tokens, drawn lognormal with a coefficient of variation of 1.
	input, output float64
	// next is when the next request comes, or, while due is false, when the rate is asked for again.
	next time.Duration
	due  bool
}

// maxGap is the longest time for which a rate counts: a quiet shape that rises, or a viewer who
// asks for more, is not answered only when the next request of the quiet time would have come.
const maxGap = time.Second

// perSecond is the rate at a time.
func (l *load) perSecond(at time.Duration) float64 {
	return max(l.rate*l.shape.At(at-l.since), 0)
}

// until returns the requests up to a time, in order.
func (l *load) until(to time.Duration) (out []trace.Request) {
	for l.next <= to {
		if l.due {
			out = append(out, trace.Request{Arrival: l.next, Input: l.length(l.input), Output: l.length(l.output)})
		}
		gap := time.Duration(min(l.rng.ExpFloat64()/l.perSecond(l.next), 2*maxGap.Seconds()) * float64(time.Second))
		l.due = gap <= maxGap
		l.next += min(gap, maxGap)
	}
	return out
}

// from drops what was to come after a change of the rate.
func (l *load) from(now time.Duration) { l.next, l.due = now, false }

func (l *load) length(mean float64) int {
	x := mean * math.Exp(l.rng.NormFloat64()*math.Sqrt(math.Ln2)-math.Ln2/2)
	return int(min(max(x, 1), 20*mean))
}
