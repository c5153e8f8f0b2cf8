package slo

import (
	"math"
	"testing"
)

// underQueue is a pod that does rate requests a second of 100 prompt and 50
// further tokens, with a queue of waiting requests all the time.
func underQueue(rate, waiting float64) sample {
	n := rate * binSeconds
	return sample{
		prompt: 100 * n, generated: 50 * n, firsts: n, finished: n, seconds: binSeconds, waitingThroughout: waiting,
		gaps: 49 * n, gapSum: n,
	}
}

// ten is an engine that computes ten such requests a second: work of 0.0603 s for the
// prompt and 0.036704 s for the answer, at a load of 0.97.
func ten() replica {
	prior := StepTime{Base: 1e-6, Sequence: 733.4e-6, PromptToken: 603e-6}
	return replica{step: stepTime{prior, [3]float64{1, 1, 1}}, itl: 1e9}
}

// after is what these bins with these samples show of that engine.
func (t queueEvidence) after(bins int, samples ...sample) queueEvidence {
	b := &bin{
		objective: Objective{}.WithDefaults(), samples: samples, ttft: 2, request: request{Prompt: 100, Output: 50, Computed: 1},
		replica: ten(), limits: limits{Concurrency: MaxRequests},
	}
	for range bins {
		t.observe(b)
	}
	return t
}

// What most pods did under a queue for three bins is all that one can do, and
// nothing else is taken for that.
func TestQueueEvidence_refutes(t *testing.T) {
	idle := sample{seconds: binSeconds}
	late := underQueue(9, 90) // counts its tokens when a request ends
	late.running, late.generated, late.prompt = 45, 0, 9000
	slow, hangs, blind := underQueue(2, 20), underQueue(0, 20), underQueue(2, 20)
	blind.gaps, blind.gapSum = unknownCount, unknownCount
	for _, c := range []struct {
		name string
		bins int
		bin  []sample
		want float64
	}{
		{"a queue stands", 3, []sample{slow}, .8},
		{"and for longer", 10, []sample{slow}, .2},
		{"not for long", 2, []sample{slow}, 0},
		{"the capacity is right", 30, []sample{underQueue(9, 90)}, 0},
		{"it is more", 30, []sample{underQueue(15, 90)}, 0},
		{"a queue within the objective", 30, []sample{underQueue(2, 3.9)}, 0},
		{"nothing waits", 30, []sample{underQueue(2, 0)}, 0},
		{"a queue that goes in two seconds", 30, []sample{underQueue(2, 4)}, 0},
		{"a pod that hangs", 30, []sample{hangs}, 0},
		{"tokens that are counted at the end", 30, []sample{late}, 0},
		{"no gaps are told", 30, []sample{blind}, 0},
		{"one pod of three", 30, []sample{slow, idle, idle}, 0},
		{"two pods of three", 10, []sample{slow, slow, idle}, .2},
		{"a slow pod of two", 30, []sample{slow, underQueue(9, 0)}, 0},
		{"no pod", 30, nil, 0},
	} {
		if got := (queueEvidence{}).after(c.bins, c.bin...); math.Abs(got.Share-c.want) > .01 || !got.valid() {
			t.Errorf("%s: a share of %.2f counts, want %.2f; %+v", c.name, got.Share, c.want, got)
		}
	}
	s := queueEvidence{}
	for range 12 { // a queue now and then
		s = s.after(1, slow).after(4, idle)
	}
	if s.Share != 0 {
		t.Errorf("a queue in each fifth bin: a share of %.2f counts", s.Share)
	}
}

// The share goes up as soon as one pod does more, and not down because there are
// more of them.
func TestQueueEvidence_recovers(t *testing.T) {
	idle := sample{seconds: binSeconds}
	slow := queueEvidence{}.after(20, underQueue(1, 20), underQueue(1, 20))
	if math.Abs(slow.Share-.1) > .01 {
		t.Fatalf("a share of %.2f counts, want 0.1", slow.Share)
	}
	if s := slow.after(1, underQueue(4, 20), idle, idle); math.Abs(s.Share-.4) > .01 {
		t.Errorf("one pod did four times as much: a share of %.2f counts", s.Share)
	}
	if s := slow.after(1, underQueue(9, 90), idle, idle); s.Share != 0 {
		t.Errorf("one pod did all: a share of %.2f counts", s.Share)
	}
	if s := (queueEvidence{}).after(9, underQueue(6, 60)); s.after(20, underQueue(7, 70)).Share == 0 || s.after(40, underQueue(9, 90)).Share != 0 {
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
	if s := slow.after(3, broken); s != slow.after(3, idle) || !s.valid() {
		t.Errorf("a broken page makes %+v", s)
	}
	for _, bad := range []queueEvidence{{Bins: math.NaN()}, {Output: -1}, {Seconds: math.Inf(1)}, {Share: 2}, {ExpiresIn: 1}, {Memory: -1}, {Pods: -1}, {Share: 1e-300}, {Request: request{Prompt: -1, Computed: 1}}} {
		if bad.valid() {
			t.Errorf("%+v is sound", bad)
		}
	}
}

// It is forgotten in half an hour without a queue, and each time that a queue
// comes back in twice that time; in the end the model has the benefit of the doubt.
func TestQueueEvidence_forgets(t *testing.T) {
	idle := sample{seconds: binSeconds}
	s := queueEvidence{}
	for _, want := range []int{180, 360, 720, 1440, 2880, 2880} {
		s = s.after(20, underQueue(1, 20))
		bins := 0
		for ; s.Share > 0; bins++ {
			s = s.after(1, idle)
		}
		if bins != want || !s.valid() {
			t.Errorf("forgotten after %d bins, want %d; %+v", bins, want, s)
		}
	}
	if s = s.after(3*maxMemory, idle); s.Memory != 0 || !s.valid() {
		t.Errorf("without a queue for a day the memory stays %d bins", s.Memory)
	}
}

// Requests of another kind have another capacity: what was done is expressed in the
// tokens of that time. What was seen under a load moves with the capacity.
func TestQueueEvidence_otherRequests(t *testing.T) {
	o := Objective{TTFT: 1e9, ITL: 1e9, Goal: .99}.WithDefaults()
	b := &bin{
		objective: o, request: request{Prompt: 100, Output: 50, Computed: 1}, ttft: 1, limits: limits{Concurrency: 256},
		replica: replica{step: stepTime{o.Prior, [3]float64{1, 1, 1}}, itl: 1},
	}
	var q queueEvidence
	var m missCurve
	observe := func() {
		q.observe(b)
		b.limits.QueueShare = q.estimate()
		b.capacity = b.replica.capacity(b.request, b.limits)
		b.promised = b.replica.capacity(b.request, limits{Concurrency: 256}).rate
		m.observe(b)
	}
	observe()
	m.Outcomes.add(.12, 100, 0)
	before := b.capacity.rate
	b.samples = []sample{underQueue(20, 200)}
	for range 12 {
		observe()
	}
	about(t, "under a queue", b.capacity.rate, 20, 1)
	i, seen := stepOf(.12*before/b.capacity.rate), m.Outcomes.byLoad(b.promised/b.capacity.rate).seen
	if seen[i] < 99 || seen[i] > 100 || i < stepOf(.12)+5 {
		t.Errorf("what was seen at 0.12 of %.0f/s is not at %.2f: %v", before, .12*before/20, seen)
	}
	b.request.Output = 500
	if got := b.replica.capacity(b.request, b.limits); got.limit != "queue" || !(got.rate < 5 && got.rate > 1) {
		t.Errorf("with ten times the tokens %.2f requests/s (%s)", got.rate, got.limit)
	}
}
