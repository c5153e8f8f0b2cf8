package playground

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func newLoad(t *testing.T, shape string, rate float64) *load {
	t.Helper()
	s, err := shapeNamed(shape)
	if err != nil {
		t.Fatal(err)
	}
	return &load{rng: rand.New(rand.NewPCG(1, 2)), shape: s, rate: rate, input: 1000, output: 200}
}

// The requests of each shape are as many as its rate says, from any step of time, and in order.
func TestLoad_asManyAsTheShapeSays(t *testing.T) {
	const span = 10 * time.Minute
	for _, s := range Shapes() {
		for _, rate := range []float64{0.05, 20} {
			want := 0.0
			for at := time.Duration(0); at < span; at += 100 * time.Millisecond {
				want += 0.1 * rate * s.At(at)
			}
			for _, step := range []time.Duration{10 * time.Millisecond, time.Second, time.Minute, span} {
				l, got, last := newLoad(t, s.Name, rate), 0, time.Duration(0)
				for at := step; at <= span; at += step {
					for _, q := range l.until(at) {
						if got++; q.Arrival < last || q.Arrival > at || q.Arrival < at-step {
							t.Fatalf("%s: a request at %v between %v and %v, after one at %v", s.Name, q.Arrival, at-step, at, last)
						}
						last = q.Arrival
					}
				}
				if math.Abs(float64(got)-want) > 4*math.Sqrt(want) { // Poisson
					t.Errorf("%s at %v, steps of %v: %d requests, want about %.0f", s.Name, rate, step, got, want)
				}
			}
		}
	}
}

// Somebody who raises a rate that is nearly nothing sees requests within a second.
func TestLoad_aRaisedRateCountsAtOnce(t *testing.T) {
	l := newLoad(t, "steady", 0.001)
	if n := len(l.until(10 * time.Second)); n > 1 {
		t.Errorf("%d requests in 10 s at one in 1,000 s", n)
	}
	l.rate = 30
	l.from(10 * time.Second)
	if n := len(l.until(11 * time.Second)); n < 15 || n > 50 {
		t.Errorf("%d requests in the first second at 30 a second", n)
	}
}

// Lengths have the mean that was asked for, are at least one token and at most 20 times the mean.
func TestLoad_lengths(t *testing.T) {
	for _, mean := range []float64{1, 200, 30000} {
		l, sum, n := newLoad(t, "steady", 1), 0, 20000
		for range n {
			x := l.length(mean)
			if x < 1 || float64(x) > 20*mean {
				t.Fatalf("a length of %d of mean %v", x, mean)
			}
			sum += x
		}
		if got := float64(sum) / float64(n); mean > 1 && math.Abs(got/mean-1) > 0.05 {
			t.Errorf("mean %v, want %v", got, mean)
		}
	}
}
