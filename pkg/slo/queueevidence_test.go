package slo

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
		gaps: 49 * n, gapSum: n,
	}}
}

// ten is the capacity of ten such requests a second.
func ten(lengths) capacity { return capacity{rate: 10, work: .09, prompt: .06, output: 50} }

// after is what so many like bins tell of that capacity.
func (t saturation) after(bins int, bin ...looked) saturation {
	l := lengths{Prompt: 100, Output: 50, Computed: 1}
	for range bins {
		t.learn(bin, l, 2, ten)
	}
	return t
}

// What most pods did under a queue for three bins is all that one can do, and
// nothing else is taken for that.
func TestSaturation_refutes(t *testing.T) {
	idle := looked{sample: sample{seconds: binSeconds}}
	late := underQueue(9, 90) // counts its tokens when a request ends
	late.running, late.generated, late.prompt = 45, 0, 9000
	slow, hangs, blind := underQueue(2, 20), underQueue(0, 20), underQueue(2, 20)
	blind.gaps, blind.gapSum = noCount, noCount
	for _, c := range []struct {
		name string
		bins int
		bin  []looked
		want float64
	}{
		{"a queue stands", 3, []looked{slow}, .8},
		{"and for longer", 10, []looked{slow}, .2},
		{"not for long", 2, []looked{slow}, 0},
		{"the capacity is right", 30, []looked{underQueue(9, 90)}, 0},
		{"it is more", 30, []looked{underQueue(15, 90)}, 0},
		{"a queue within the objective", 30, []looked{underQueue(2, 3.9)}, 0},
		{"nothing waits", 30, []looked{underQueue(2, 0)}, 0},
		{"a queue that goes in two seconds", 30, []looked{underQueue(2, 4)}, 0},
		{"a pod that hangs", 30, []looked{hangs}, 0},
		{"tokens that are counted at the end", 30, []looked{late}, 0},
		{"no gaps are told", 30, []looked{blind}, 0},
		{"one pod of three", 30, []looked{slow, idle, idle}, 0},
		{"two pods of three", 10, []looked{slow, slow, idle}, .2},
		{"a slow pod of two", 30, []looked{slow, underQueue(9, 0)}, 0},
		{"no pod", 30, nil, 0},
	} {
		if got := (saturation{}).after(c.bins, c.bin...); math.Abs(got.Share-c.want) > .01 || !got.sound() {
			t.Errorf("%s: a share of %.2f counts, want %.2f; %+v", c.name, got.Share, c.want, got)
		}
	}
	s := saturation{}
	for range 12 { // a queue now and then
		s = s.after(1, slow).after(4, idle)
	}
	if s.Share != 0 {
		t.Errorf("a queue in each fifth bin: a share of %.2f counts", s.Share)
	}
}

// The share goes up as soon as one pod does more, and not down because there are
// more of them.
func TestSaturation_recovers(t *testing.T) {
	idle := looked{sample: sample{seconds: binSeconds}}
	slow := saturation{}.after(20, underQueue(1, 20), underQueue(1, 20))
	if math.Abs(slow.Share-.1) > .01 {
		t.Fatalf("a share of %.2f counts, want 0.1", slow.Share)
	}
	if s := slow.after(1, underQueue(4, 20), idle, idle); math.Abs(s.Share-.4) > .01 {
		t.Errorf("one pod did four times as much: a share of %.2f counts", s.Share)
	}
	if s := slow.after(1, underQueue(9, 90), idle, idle); s.Share != 0 {
		t.Errorf("one pod did all: a share of %.2f counts", s.Share)
	}
	if s := (saturation{}).after(9, underQueue(6, 60)); s.after(20, underQueue(7, 70)).Share == 0 || s.after(40, underQueue(9, 90)).Share != 0 {
		t.Error("0.7 of the capacity upholds what 0.6 refuted, 0.9 does not")
	}
	// With more pods each does less, for what waits waits for something else.
	if s := slow.after(9, underQueue(.3, 20), underQueue(.3, 20), underQueue(.3, 20)); math.Abs(s.Share-.1) > .01 {
		t.Errorf("three pods did less than two: a share of %.2f counts", s.Share)
	}
	if s := slow.after(60, underQueue(.3, 20), underQueue(.3, 20)); math.Abs(s.Share-.03) > .01 {
		t.Errorf("both came to do less: a share of %.2f counts", s.Share)
	}
	broken := underQueue(1, 20)
	broken.running, broken.gapSum = 1e6, 1e-300
	if s := slow.after(3, broken); s != slow.after(3, idle) || !s.sound() {
		t.Errorf("a broken page makes %+v", s)
	}
	for _, bad := range []saturation{{Bins: math.NaN()}, {Output: -1}, {Seconds: math.Inf(1)}, {Share: 2}, {Left: 1}, {Memory: -1}, {Pods: -1}, {Share: 1e-300}, {Lengths: lengths{Prompt: -1, Computed: 1}}} {
		if bad.sound() {
			t.Errorf("%+v is sound", bad)
		}
	}
}

// It is forgotten in half an hour without a queue, and each time that a queue
// comes back in twice that time; in the end the model has the benefit of the doubt.
func TestSaturation_forgets(t *testing.T) {
	idle := looked{sample: sample{seconds: binSeconds}}
	s := saturation{}
	for _, want := range []int{180, 360, 720, 1440, 2880, 2880} {
		s = s.after(20, underQueue(1, 20))
		bins := 0
		for ; s.Share > 0; bins++ {
			s = s.after(1, idle)
		}
		if bins != want || !s.sound() {
			t.Errorf("forgotten after %d bins, want %d; %+v", bins, want, s)
		}
	}
	if s = s.after(3*mostMemory, idle); s.Memory != 0 || !s.sound() {
		t.Errorf("without a queue for a day the memory stays %d bins", s.Memory)
	}
}

// Requests of another kind have another capacity: what was done is told in the
// tokens of that time. What was seen under a load moves with the capacity.
func TestSaturation_otherRequests(t *testing.T) {
	s := newState(time.Unix(1e9, 0))
	o := Objective{TTFT: 1e9, ITL: 1e9, Goal: .99}.WithDefaults()
	s.Lengths = lengths{Prompt: 100, Output: 50, Computed: 1}
	s.Outcomes.add(.12, 100, 0)
	before := s.capacity(o).rate
	for range 12 {
		s.limits(o, []looked{underQueue(20, 200)})
	}
	about(t, "under a queue", s.capacity(o).rate, 20, 1)
	i := stepOf(.12 * before / 20) // moved in several steps, each rounded
	if seen := s.Outcomes.Seen; seen[i-2]+seen[i-1]+seen[i]+seen[i+1]+seen[i+2] != 100 || i < stepOf(.12)+5 {
		t.Errorf("what was seen at 0.12 of %.0f/s is not at %.2f: %v", before, .12*before/20, s.Outcomes.Seen)
	}
	s.Lengths.Output = 500
	if got := s.capacity(o); got.limit != "queue" || !(got.rate < 5 && got.rate > 1) {
		t.Errorf("with ten times the tokens %.2f requests/s (%s)", got.rate, got.limit)
	}
	if got := s.capacity(Objective{TTFT: 1e9, ITL: 1e9, Without: PartLearning}.WithDefaults()); got.limit == "queue" {
		t.Error("without learning a queue still counts")
	}
}
