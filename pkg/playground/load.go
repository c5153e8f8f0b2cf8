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
	next          time.Duration
}

// perSecond is the rate at a time.
func (l *load) perSecond(at time.Duration) float64 {
	return max(l.rate*l.shape.At(at-l.since), 0)
}

// until returns the requests up to a time, in order.
func (l *load) until(to time.Duration) (out []trace.Request) {
	for l.next <= to {
		rate := l.perSecond(l.next)
		if rate < 1e-3 {
			l.next = max(l.next, to) + 100*time.Millisecond
			return out
		}
		out = append(out, trace.Request{Arrival: l.next, Input: l.length(l.input), Output: l.length(l.output)})
		l.next += time.Duration(l.rng.ExpFloat64() / rate * float64(time.Second))
	}
	return out
}

func (l *load) length(mean float64) int {
	x := mean * math.Exp(l.rng.NormFloat64()*math.Sqrt(math.Ln2)-math.Ln2/2)
	return int(min(max(x, 1), 20*mean))
}
