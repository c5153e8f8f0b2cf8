package decider

import (
	"math"
	"testing"
	"time"
)

// underQueue is a pod that does so many requests a second of 100 prompt and 50
// further tokens, with a queue of waited all the time.
func underQueue(rate, waited float64) looked {
	n := rate * binSeconds
	return looked{sample: sample{
		prompt: 100 * n, generated: 50 * n, firsts: n, finished: n, seconds: binSeconds, waited: waited,
	}}
}

// What most pods did under a queue for three bins is all that one can do, and
// nothing else is taken for that.
func TestSaturation_refutes(t *testing.T) {
	idle := looked{sample: sample{seconds: binSeconds}}
	for _, c := range []struct {
		name string
		bin  []looked
		bins int
		want bool
	}{
		{"a queue stands", []looked{underQueue(2, 20)}, 3, true},
		{"not for long", []looked{underQueue(2, 20)}, 2, false},
		{"the capacity is right", []looked{underQueue(9, 90)}, 30, false},
		{"it is more", []looked{underQueue(15, 90)}, 30, false},
		{"nothing waits", []looked{underQueue(2, 0)}, 30, false},
		{"a queue that goes in two seconds", []looked{underQueue(2, 4)}, 30, false},
		{"a pod that hangs", []looked{underQueue(0, 20)}, 30, false},
		{"one pod of three", []looked{underQueue(2, 20), idle, idle}, 30, false},
		{"two pods of three", []looked{underQueue(2, 20), underQueue(2, 20), idle}, 3, true},
		{"no pod", nil, 30, false},
	} {
		c10 := capacity{rate: 10, work: .09, prompt: .06, output: 50}
		var s saturation
		for range c.bins {
			s.add(c.bin, lengths{Prompt: 100, Output: 50, Computed: 1})
		}
		done := s.done(c10)
		if got := s.holds(done); got != c.want || !s.sound() {
			t.Errorf("%s: refuted %v with %.2f done", c.name, got, done)
		}
		if c.want && math.Abs(done*c10.rate-2) > 1e-9 {
			t.Errorf("%s: %.2f requests/s were done under a queue, want 2", c.name, done*c10.rate)
		}
	}
}

// It is upheld a little above what refutes it, and forgotten in an hour or two
// without a queue, of which the next one begins to tell anew.
func TestSaturation_forgets(t *testing.T) {
	s := saturation{Bins: 9, Refuted: true}
	if !s.holds(.75) || s.holds(.85) {
		t.Error("0.75 of the capacity upholds what 0.66 refuted, 0.85 does not")
	}
	bins := 0
	for ; s.holds(.2); bins++ {
		s.add([]looked{underQueue(2, 0)}, newLengths())
	}
	if hours := float64(bins) * binSeconds / 3600; hours < 1 || hours > 3 {
		t.Errorf("forgotten in %.1f h", hours)
	}
	for _, bad := range []saturation{{Bins: math.NaN()}, {Output: -1}, {Seconds: math.Inf(1)}, {Lengths: lengths{Prompt: -1, Computed: 1}}} {
		if bad.sound() {
			t.Errorf("%+v is sound", bad)
		}
	}
}

// Requests of another kind have another capacity: what was done is told in the
// tokens of that time.
func TestSaturation_otherRequests(t *testing.T) {
	s := newSLOState(time.Unix(1e9, 0))
	o := Objective{TTFT: 1e9, ITL: 1e9, Goal: .99}.withDefaults()
	s.Lengths = lengths{Prompt: 100, Output: 50, Computed: 1}
	for range 3 {
		s.limits(o, []looked{underQueue(2, 20)})
	}
	about(t, "under a queue", s.capacity(o).rate, 2, 1e-9)
	s.Lengths.Output = 500
	if got := s.capacity(o); got.limit != "queue" || !(got.rate < .5 && got.rate > .1) {
		t.Errorf("with ten times the tokens %.2f requests/s (%s)", got.rate, got.limit)
	}
}
