package slo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func about(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*math.Abs(want)) {
		t.Errorf("%s is %v, want %v within %v", what, got, want, within)
	}
}

// TestCapacity_solvesTheSteadyState holds the worked values of the fluid model:
// an A100 with an 8B model and Azure's conversations.
func TestCapacity_solvesTheSteadyState(t *testing.T) {
	o := Objective{
		TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99,
		Prior: StepTime{Base: 0.011, Sequence: 24.5e-6, KVToken: 0.0869e-6, PromptToken: 67.1e-6},
	}.WithDefaults()
	for _, c := range []struct {
		name  string
		itl   time.Duration
		kv    float64
		seqs  int
		rate  float64
		limit string
	}{
		{"ITL", 100 * time.Millisecond, 0, 100_000, 8.41, "ITL"}, // (1-11/100)/s
		{"compute", time.Hour, 0, 100_000, 9.17, "compute"},      // 0.97/s
		{"sequences", time.Hour, 0, 256, 8.71, "sequences"},
		{"KV", time.Hour, 420_000, 100_000, 8.81, "KV"}, // with 0.9 of the cache
		{"out of reach", time.Millisecond, 0, 100_000, 9.17, "ITL out of reach"},
	} {
		o.ITL, o.MaxNumSeqs = c.itl, c.seqs
		m := replica{step: stepTime{o.Prior, [3]float64{1, 1, 1}}, itl: o.ITL.Seconds(), kvTokens: c.kv}
		got := m.capacity(request{Prompt: 1155, Output: 211, Computed: 1}, limits{Concurrency: o.MaxNumSeqs})
		about(t, "work", got.work, 0.1058, 0.002)
		if about(t, c.name, got.rate, c.rate, 0.005); got.limit != c.limit {
			t.Errorf("%s: limited by %s", c.name, got.limit)
		}
	}
}

// TestStepTime_learnsAnotherEngine gives samples of an engine with three times the
// base and half the prompt cost of the prior, at several loads.
func TestStepTime_learnsAnotherEngine(t *testing.T) {
	prior, context := defaultPrior(), 1100.0
	truth := StepTime{Base: 3 * prior.Base, Sequence: 2 * prior.Sequence, KVToken: 2 * prior.KVToken, PromptToken: prior.PromptToken / 2}
	var f regression
	for k := range 200 {
		rate := 1 + float64(k%7)
		work := 1000*truth.PromptToken + 200*(truth.Sequence+truth.KVToken*context)
		step := truth.Base / (1 - rate*work)
		d := sample{prompt: rate * 1000 * 10, gaps: rate * 200 * 10, firsts: rate * 10, seconds: 10}
		d.gapSum = d.gaps * step
		f.add(prior, d, context)
	}
	theta, clamped := f.estimate()
	if clamped {
		t.Error("clamped")
	}
	about(t, "base", theta[0], 3, 0.1)
	// The parts are collinear at one mix of lengths; their sum is what counts.
	got := theta[2]*prior.PromptToken*1000 + theta[1]*(prior.Sequence+prior.KVToken*context)*200
	want := 1000*truth.PromptToken + 200*(truth.Sequence+truth.KVToken*context)
	about(t, "work", got, want, 0.15)
}

func TestCurve_followsWhatWasMissed(t *testing.T) {
	var none missCurve
	before := none.estimate(1)
	var seen missCurve
	for range 50 {
		seen.Outcomes.add(0.62, 1000, 2)
		seen.Outcomes.add(0.82, 1000, 60)
	}
	after := seen.estimate(1)
	for i := 1; i < loadSteps; i++ {
		if after.miss[i] < after.miss[i-1] {
			t.Fatalf("misses fall with load: %v", after.miss)
		}
	}
	if target := after.sustained(0.01); target < 0.62 || target > 0.8 {
		t.Errorf("target %v, want between the two loads", target)
	}
	if b, a := before.at(0.62), after.at(0.62); a >= b {
		t.Errorf("at 0.62 %v after good missCurve, %v before", a, b)
	}
	var hopeless missCurve
	for load := 0.02; load < 1; load += 0.05 {
		hopeless.Outcomes.add(load, 10_000, 3000)
	}
	if c := hopeless.estimate(1); c.floor < 0.2 || c.sustained(c.allowed(0.99, 0)) < 0.4 {
		t.Errorf("misses that no load explains: floor %v, target %v", c.floor, c.sustained(c.allowed(0.99, 0)))
	}
}

// judged is what a curve makes of a bin on one engine that sustains 5 requests/s.
func (t *missCurve) judged(b bin) {
	b.objective = b.objective.WithDefaults()
	b.capacity = capacity{rate: 5, work: 0.1, base: 0.01, output: 100, ranks: 1, allRanks: 1}
	b.promised = 5
	b.followed = []float64{0}
	for i := range b.samples {
		b.samples[i].ranks = 1
	}
	t.observe(&b)
}

func TestMissCurve_putsAnEpisodeDownToItsBeginning(t *testing.T) {
	o := Objective{TTFT: time.Second, ITL: time.Second, Goal: 0.99}
	var m missCurve
	judge := func(arrived float64, waiting, firsts, inTime float64) {
		d := sample{
			firsts: firsts, firstTokensBelowLower: inTime, firstTokensBelowUpper: inTime, waitingBefore: waiting,
			gaps: firsts, gapSum: firsts * 0.02, seconds: 10,
		}
		m.judged(bin{objective: o, ready: 1, queued: Unknown(), ttft: 1, lastArrivals: arrived, samples: []sample{d}})
	}
	judge(70, 0, 50, 10)  // load 1.4
	judge(5, 20, 50, 0)   // the queue is worked off under a load of 0.5
	judge(5, 0, 10, 5)    // and its last requests under one of 0.1
	judge(5, 0, 5, 5)     // good again
	judge(20, 0, 20, 0.5) // a new episode, at 0.4
	for i, missed := range m.Outcomes.byLoad(1).missed {
		switch load := float64(i) * loadStep; {
		case load > 1.3 && load < 1.45, load > 0.35 && load < 0.45:
		case missed > 1e-9:
			t.Errorf("%v missed at a load of %v", missed, load)
		}
	}
	if seen, i := m.Outcomes.byLoad(1).seen, int(0.1/loadStep); seen[i] == 0 && seen[i+1] == 0 {
		t.Error("the good bin at 0.1 was not counted")
	}
}

// An engine's time to the first token begins when the request reaches it.
func TestMissCurve_requestsQueuedOutsideAreLate(t *testing.T) {
	for _, tt := range []struct {
		before, queued, missed float64
		ttft                   float64
	}{
		// A pod does 5/s, and TTFT may be 1 s: of two pods 10.
		{0, math.NaN(), 0, 1}, {0, 0, 0, 1}, {9, 9, 0, 1}, {0, 9, 0, 1}, {11, 11, 50, 1}, {0, 20, 25, 1}, {20, 0, 25, 1},
		{0, math.NaN(), 0, 2}, {-5, -5, 0, 1}, {19, 19, 0, 2}, {21, 21, 50, 2}, {30, 1e300, 50, 1}, {10, math.Inf(1), 0, 1},
	} {
		var m missCurve
		d := sample{firsts: 50, firstTokensBelowLower: 50, firstTokensBelowUpper: 50, gaps: 5000, gapSum: 100, seconds: 10, ranks: 1}
		o := Objective{TTFT: time.Second, ITL: time.Second, Goal: 0.99}
		m.judged(bin{objective: o, ready: 2, queued: Reading(tt.queued), queuedBefore: tt.before, ttft: tt.ttft, lastArrivals: 100, samples: []sample{d, d}})
		if math.Abs(m.Late-2*tt.missed) > 1 {
			t.Errorf("%v late with %v and %v queued, want %v", m.Late, tt.before, tt.queued, 2*tt.missed)
		}
		if counted := len(m.Outcomes) > 0; counted != (tt.missed == 0) {
			t.Errorf("with %v queued the load was counted: %v", tt.queued, counted)
		}
	}
}

// TestBin_throughput: what the pods begin, if that is not more than the model of a step promises, nor so little
// that the model would be refuted.
func TestBin_throughput(t *testing.T) {
	for _, tt := range []struct{ begun, want float64 }{{40, 8}, {60, 10}, {10, 6.7}, {unknownCount, 6.7}} {
		pods := []sample{{firsts: tt.begun, finished: unknownCount, seconds: 10, ranks: 1}}
		b := bin{ready: 2, capacity: capacity{rate: 5}, samples: pods}
		about(t, fmt.Sprint(tt.begun, " begun in one of two"), b.throughput(), tt.want, 1e-9)
	}
}

// TestCapacity_maxAdmitted: where queue-proxies hold requests back, the rate is at most that of full slots whose steps
// take the sum of their parts. The rate does not jump from one number of slots to the next, nor when a lower limit is
// learned.
func TestCapacity_maxAdmitted(t *testing.T) {
	for _, itl := range []float64{.05, .1} {
		m := replica{step: stepTime{defaultPrior(), [3]float64{1, 1, 1}}, itl: itl}
		r := request{Prompt: 4000, Output: 200, Computed: 1}
		free := m.capacity(r, limits{Concurrency: defaultConcurrency})
		if sum, _ := m.limited(r, free, limits{Concurrency: defaultConcurrency}, free.work); free.rate <= sum {
			t.Errorf("%v requests/s without a limit, want more than %v, for prompts may hide", free.rate, sum)
		}
		for n := 1; n < defaultConcurrency; n++ {
			m.maxAdmitted = n
			got, full := m.capacity(r, limits{Concurrency: n}), free.rateOfFullSlots(n, free.work)
			sum, _ := m.limited(r, got, limits{Concurrency: n}, got.work)
			if got.rate > max(sum, full)*(1+1e-9) || got.rate < min(sum, full) || got.rate > free.rate {
				t.Fatalf("%d let in: %v requests/s; full slots do %v, an endless engine %v", n, got.rate, full, free.rate)
			}
			if learned := m.capacity(r, limits{Concurrency: max(n-1, 1)}); learned.rate > got.rate*(1+1e-9) {
				t.Fatalf("%d let in: %v requests/s, and %v when one less was learned", n, got.rate, learned.rate)
			}
		}
	}
}

func TestHistogram_around(t *testing.T) {
	h := Histogram{Bounds: []float64{1, 2.5, math.Inf(1)}, Counts: []float64{60, 90, 100}, Count: 100}
	low, high, far := h.around(2)
	if low != 60 || high != 90 || math.Abs(far-2./3) > 1e-9 {
		t.Errorf("around(2) = %v %v %v", low, high, far)
	}
	about(t, "late", sample{firsts: 100, firstTokensBelowLower: low, firstTokensBelowUpper: high, bucketPosition: far}.lateFirstTokens(2), 0.4*math.Pow(0.25, 2./3), 1e-9)
	for _, bad := range []Histogram{
		{}, {Count: Unknown(), Bounds: []float64{1}, Counts: []float64{1}},
		{Count: 5, Bounds: []float64{0.2, 0.3, 1}, Counts: []float64{5, 4, 5}}, {Count: 5, Bounds: []float64{0.2, 0.2, 1}, Counts: []float64{3, 4, 5}},
		{Count: 5, Bounds: []float64{1}, Counts: []float64{math.NaN()}},
	} {
		if low, _, _ := bad.around(0.5); low != unknownCount {
			t.Errorf("%+v is believed: %v", bad, low)
		}
	}
}

func TestHistory_growth(t *testing.T) {
	flat, ramp := arrivals{}, arrivals{}
	for i := range 120 {
		flat.Bins = append(flat.Bins, 100)
		ramp.Bins = append(ramp.Bins, float32(100*math.Pow(1.01, float64(i))))
	}
	for _, c := range []struct {
		name  string
		of    arrivals
		least float64
		most  float64
	}{{"flat", flat, 1, 1}, {"ramp", ramp, 1.08, 1.2}} {
		h := c.of.estimate()
		var factors [growthBins]float64
		n := h.growth(12, &factors)
		for _, f := range factors[:n] {
			if f < c.least-1e-6 || f > c.most+1e-6 {
				t.Fatalf("%s grew by %v within 12 bins, want %v to %v", c.name, f, c.least, c.most)
			}
		}
		if u := h.unseenPeaks(); c.name == "flat" && u != 1 || u < 1 || u > maxUnseenPeaks {
			t.Errorf("%s: unseen peaks of %v", c.name, u)
		}
	}
}

func TestMissed_queuesWhatABinCannotDo(t *testing.T) {
	var c curve
	for i := range c.miss {
		if float64(i)*loadStep >= 1 {
			c.miss[i] = 1
		}
	}
	// 300 into 100 a bin: the burst and what waits behind it in the next bin miss.
	loads := []float64{10, 300, 10, 10, 10, 10}
	about(t, "missed", missed(loads, 100, &c, true), 320./350, 0.05)
	about(t, "missed without a queue", missed(loads, 100, &c, false), 300./350, 0.05)
	if n := fewest(loads, 100, &c, 0.01, true); n < 2.9 || n > 3.6 {
		t.Errorf("%v replicas for a burst of three", n)
	}
	if n := fewest([]float64{0, 0}, 100, &c, 0.01, true); n != 0 {
		t.Errorf("%v replicas for nothing", n)
	}
}

// startups reads pods, each at another time, into the startup times.
func (t *startupTimes) read(pods ...Pod) {
	var s sampler
	for i, p := range pods {
		b := &bin{end: time.Unix(int64(10*i), 0), ttft: 2}
		s.read([]Pod{p}, 1, b)
		t.observe(b)
	}
}

func TestStartupTimes(t *testing.T) {
	var st startupTimes
	about(t, "startup", st.estimate(120), 120, 0)
	var pods []Pod
	for i := range 40 {
		p := Pod{Name: fmt.Sprint(i), ReadyAfter: time.Duration(60+i) * time.Second, Totals: &Totals{Known: true}}
		pods = append(pods, p, p) // counted once
	}
	if st.read(pods...); len(st.Seconds) != keptStartups || st.estimate(120) != 98 {
		t.Errorf("startup %v of %v", st.estimate(120), st.Seconds)
	}
}

// TestStartupTimes_ofFew: one pod that waited for a node, or was Ready again
// days later, does not make all the others slow.
func TestStartupTimes_ofFew(t *testing.T) {
	for _, c := range []struct {
		name  string
		after []time.Duration
		want  float64
	}{
		{"none", nil, 120},
		{"one", []time.Duration{time.Minute}, 60},
		{"one was Ready again after days", []time.Duration{72 * time.Hour}, 120},
		{"another of two", []time.Duration{time.Minute, 1000 * time.Hour}, 60},
		{"one of two waited for a node", []time.Duration{50 * time.Minute, time.Minute}, 120},
		{"one of ten", []time.Duration{50 * time.Minute, 60e9, 61e9, 62e9, 63e9, 64e9, 65e9, 66e9, 67e9, 68e9}, 130},
		{"half of four", []time.Duration{10 * time.Minute, 10 * time.Minute, time.Minute, time.Minute}, 600},
	} {
		var st startupTimes
		for i, after := range c.after {
			st.read(Pod{Name: fmt.Sprint(i), ReadyAfter: after, Totals: &Totals{Known: true}})
		}
		if got := st.estimate(120); got != c.want || !st.valid() {
			t.Errorf("%s: startup %v of %v, want %v", c.name, got, st.Seconds, c.want)
		}
	}
}

// TestSameEngine: pods of one model differ a little in what memory they found.
func TestSameEngine(t *testing.T) {
	for kv, same := range map[Reading]bool{420_000: true, 430_000: true, 380_000: true, 300_000: false, 840_000: false} {
		s := newState(time.Unix(0, 0))
		s.KV = 420_000
		got := s.sameEngine(Input{Ready: 1, Pods: []Pod{{Totals: &Totals{Known: true, KVCapacity: kv}}}})
		if got != same || s.KV != float64(kv) {
			t.Errorf("KV cache of %v: the same engine %v, cache %v", kv, got, s.KV)
		}
	}
}

// Another engine begins anew; the users' requests and what they met stay, and a little of
// what was seen by load.
func TestForgetEngine(t *testing.T) {
	s := newState(time.Unix(0, 0))
	fresh := s
	s.StepTime.Samples, s.Concurrency.Highest, s.Queue.Share, s.KVBackoff.Share = 50, 3, .5, .7
	if s.forgetEngine(1); !reflect.DeepEqual(s, fresh) {
		t.Errorf("left: %+v", s)
	}
	s.Lengths.Prompt, s.Misses.All, s.Arrivals.Bins = 7, 9, []float32{1}
	s.Misses.Outcomes.add(.26, 10, 1)
	if s.forgetEngine(2); s.Lengths.Prompt != 7 || s.Misses.All != 9 || s.Arrivals.Bins == nil || s.Misses.Outcomes.byLoad(1).seen[10] != 1 {
		t.Errorf("lost: %+v", s)
	}
}

func TestObjective_validate(t *testing.T) {
	good := Objective{TTFT: time.Second, ITL: time.Second, Goal: 0.99}
	for name, spoil := range map[string]func(*Objective){
		"TTFT": func(o *Objective) { o.TTFT = 0 }, "ITL": func(o *Objective) { o.ITL = 2 * time.Hour },
		"Goal": func(o *Objective) { o.Goal = math.NaN() }, "TTFTPerToken": func(o *Objective) { o.TTFTPerToken = -1 },
		"StartupTime": func(o *Objective) { o.StartupTime = -1 }, "MaxNumSeqs": func(o *Objective) { o.MaxNumSeqs = -1 },
		"Margin": func(o *Objective) { o.Margin = 99 }, "FallbackConcurrency": func(o *Objective) { o.FallbackConcurrency = math.NaN() }, "Prior": func(o *Objective) { o.Prior.Base = math.NaN() },
	} {
		o := good
		if spoil(&o); o.Validate() == nil || !strings.Contains(o.Validate().Error(), name) {
			t.Errorf("%s: %v", name, o.Validate())
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDilution(t *testing.T) {
	e := estimates{request: request{Computed: 0.5}, capacity: capacity{work: 0.1, prompt: 0.06}, ready: 4}
	about(t, "twice the replicas", e.dilution(8), 1+0.06*(0.5-0.5/math.Sqrt2)/0.5/0.1, 1e-9)
	if e.dilution(2) != 1 {
		t.Error("fewer replicas dilute nothing")
	}
	if e.ready = 0; e.dilution(4) != 1 {
		t.Error("without replicas there is no cache")
	}
}

func TestSample_elapsed(t *testing.T) {
	for _, c := range []struct {
		name string
		d    sample
		want float64
	}{
		{"busy, a page of 14 s", sample{steps: 280, outputs: 2800, gapSum: 140}, 14},
		{"busy, absurd", sample{steps: 1e6, outputs: 2800, gapSum: 140}, 25},
		{"often idle", sample{steps: 100, outputs: 200, gapSum: 10}, 10},
		{"steps unknown", sample{steps: unknownCount, outputs: 2800, gapSum: 140}, 10},
		{"nothing", sample{}, 10},
	} {
		if got := c.d.elapsed(10); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v seconds, want %v", c.name, got, c.want)
		}
	}
}

// Requests that met the objective at loads well above 1 do not flatten the curve below.
func TestCurve_isNotFlattenedFromAbove(t *testing.T) {
	var seen missCurve
	for load := 0.025; load < 1; load += loadStep {
		seen.Outcomes.add(load, 1000, 0)
	}
	without := seen.estimate(1)
	seen.Outcomes.add(1.3, 1000, 300)
	with := seen.estimate(1)
	if a, b := without.sustained(.007), with.sustained(.007); a != b || a < .85 {
		t.Errorf("a load of %.2f is sustained, and %.2f after 70 %% were met at 1.3", a, b)
	}
}

// A pod that stays at the most requests that any ran, with a queue and room for
// more, is at its engine's limit.
func TestConcurrencyLimit(t *testing.T) {
	at := func(running, waiting float64) podCounters { return podCounters{running: running, waiting: waiting} }
	observe := func(s *concurrencyLimit, d sample) { s.observe(&bin{samples: []sample{d}}) }
	for _, c := range []struct {
		name           string
		before, then   podCounters
		kv             Reading
		firsts, prompt float64
		want           int
	}{
		{"at the limit", at(32, 3), at(32, 9), 40, 5, 500, 32},
		{"nothing waits", at(32, 0), at(32, 9), 40, 5, 500, 256},
		{"more run than before", at(30, 3), at(32, 9), 40, 5, 500, 256},
		{"the KV cache is full", at(32, 3), at(32, 9), 95, 5, 500, 256},
		{"no further one fits into the KV cache", at(2, 3), at(2, 9), 70, 5, 500, 256},
		{"the KV cache is unknown", at(32, 3), at(32, 9), Unknown(), 5, 500, 256},
		{"steps are full of prompts", at(32, 3), at(32, 9), 40, 5, 50_000, 256},
		{"no prompt ends", at(32, 3), at(32, 9), 40, 0, 0, 256},
		{"running is unknown", at(unknownCount, 3), at(unknownCount, 9), 40, 5, 500, 256},
		{"half a request", at(.5, 3), at(.5, 9), 40, 5, 500, 256},
		{"absurd", at(1e9, 3), at(1e9, 9), 40, 5, 500, 256},
	} {
		var s concurrencyLimit
		d := sample{steps: 10, firsts: c.firsts, prompt: c.prompt, running: c.then.running, steadyWithQueue: c.then.steadyWithQueue(c.before, c.kv)}
		for range limitBins {
			observe(&s, d)
		}
		if got := s.estimate(256); got != c.want || !s.valid() {
			t.Errorf("%s: a limit of %d, want %d", c.name, got, c.want)
		}
	}
	s := concurrencyLimit{Highest: 32, AtLimit: limitBins}
	if observe(&s, sample{running: 33}); s.estimate(256) != 256 {
		t.Errorf("33 ran, and the limit stays %d", s.estimate(256))
	}
	s = concurrencyLimit{Highest: 32, AtLimit: limitBins - 1}
	if observe(&s, sample{running: 20}); s.AtLimit != 0 {
		t.Errorf("a bin without a pod at the limit leaves %d in a row", s.AtLimit)
	}
	if (&concurrencyLimit{AtLimit: limitBins}).valid() {
		t.Error("a limit of 0 is valid")
	}
}

// The same outcomes, read with another limit, are those of other loads; nothing is lost
// when the limit is dropped again.
func TestOutcomes_byLoad(t *testing.T) {
	var seen missCurve
	for load := 0.025; load < 1; load += loadStep {
		seen.Outcomes.add(load, 1000, 0)
	}
	before, _ := seen.estimate(1), seen.estimate(2)
	if after := seen.estimate(1); after != before {
		t.Errorf("a load of %.2f is sustained, and %.2f after the loads were doubled and halved", before.sustained(.007), after.sustained(.007))
	}
	if l := seen.Outcomes.byLoad(2); l.seen[stepOf(.35)] != 1000 || l.seen[stepOf(.125)] != 0 {
		t.Errorf("twice the load: %v", l.seen)
	}
	if again := seen.Outcomes; !seen.Outcomes.add(.5, 10, 20) || !again.valid() {
		t.Errorf("not valid: %v", again)
	}
	for i := range 400 {
		seen.Outcomes.add(math.Pow(1.06, float64(i-200)), 1, 2)
	}
	if len(seen.Outcomes) > maxOutcomes || !seen.Outcomes.valid() || seen.Outcomes.add(math.NaN(), 1, 0) || seen.Outcomes.add(1, 0, 0) {
		t.Errorf("%d outcomes: %v", len(seen.Outcomes), seen.Outcomes)
	}
	for _, load := range []float64{1e300, math.Inf(1)} {
		if got := stepOf(load); got != loadSteps-1 {
			t.Errorf("a load of %g is in step %d", load, got)
		}
	}
}

// Attainment is that of late, however long what went well is remembered.
func TestMissCurve_attainment(t *testing.T) {
	var o missCurve
	for _, load := range []float64{.3, .9} {
		o.Outcomes.add(load, 1000, 1000*(load-.3)/1.2)
		o.countAll(1000, 1000*(load-.3)/1.2)
	}
	for range 360 {
		o.fade(&[loadSteps]bool{}, 1)
	}
	if got := o.attainment(); math.Abs(float64(got)-.75) > 1e-9 {
		t.Errorf("750 of 1000 met, an hour ago: %v", got)
	}
}

// What a page leaves out is estimated from what it reports; what nothing reports stays unknown.
func TestSample_completed(t *testing.T) {
	none := sample{steps: unknownCount, prompt: unknownCount, generated: unknownCount, finished: unknownCount, firsts: unknownCount, gaps: unknownCount, gapSum: unknownCount, seconds: 10}
	if got := none.completed(newLengths().request); got != none {
		t.Errorf("out of nothing: %+v", got)
	}
	d := none
	d.firsts, d.gaps, d.outputs, d.gapSum = 7, 400, 400, 8
	if got := d.completed(request{Prompt: 30}); got.finished != 7 || got.prompt != 210 || got.generated != 407 || got.steps != 500 {
		t.Errorf("out of first tokens and gaps: %+v", got)
	}
	d.steps, d.prompt, d.generated, d.finished = 1, 2, 3, 4
	if got := d.completed(request{Prompt: 30}); got != d {
		t.Errorf("what was told is kept: %+v", got)
	}
}

// First tokens that came in time although more waited all along than could begin
// in time do not have the queue in them.
func TestSample_queueTooLong(t *testing.T) {
	for _, c := range []struct {
		waited, firsts float64
		want           bool
	}{{20, 32, true}, {5, 32, false}, {20, 320, false}, {0, 0, false}, {20, 0, false}, {20, unknownCount, false}} {
		if got := (sample{waitingThroughout: c.waited, firsts: c.firsts, seconds: 10}).queueTooLong(1); got != c.want {
			t.Errorf("%v waited, %v began in 10 s: %v", c.waited, c.firsts, got)
		}
	}
}

// An engine that observes one mean per request, or one gap for several tokens, shows the
// same of its steps as one that observes every gap.
func TestSample_perToken(t *testing.T) {
	for _, c := range []struct {
		name     string
		d        sample
		tokens   float64
		gaps, of float64
	}{
		{"a gap per token", sample{generated: 2000, gaps: 1990, gapSum: 40}, 1, 1990, 40},
		{"drafts of four accepted", sample{generated: 2000, gaps: 500, gapSum: 10}, 4, 2000, 10},
		{"a mean per request", sample{generated: 2000, gaps: 10, gapSum: .2}, 4, 2000, 40},
		{"a mean per short answer", sample{generated: 50, firsts: 10, finished: 10, gaps: 10, gapSum: .2}, 1, 40, .8},
		{"a mean per request, and what began", sample{generated: 2010, firsts: 10, finished: 10, gaps: 10, gapSum: .2}, 1, 2000, 40},
		{"answers of one token", sample{generated: 2100, firsts: 2005, gaps: 95, gapSum: 1.9}, 1, 95, 1.9},
		{"tokens unknown", sample{generated: unknownCount, gaps: 10, gapSum: .2}, 1, 10, .2},
		{"drafts are accepted since a moment", sample{steps: 100, generated: 2010, firsts: 10, gaps: 500, gapSum: 10}, 1, 2000, 10},
		{"drafts are not accepted any more", sample{steps: 100, generated: 2010, firsts: 10, gaps: 2000, gapSum: 40}, 4, 2000, 40},
		{"tokens that are counted when requests end", sample{steps: unknownCount, generated: 2010, firsts: 10, gaps: 1000, gapSum: 20}, 1, 1000, 20},
		{"first tokens unknown", sample{steps: 100, generated: 2010, firsts: unknownCount, gaps: 1000, gapSum: 20}, 1, 1000, 20},
		{"too few to show", sample{steps: 100, generated: 40, firsts: 10, gaps: 15, gapSum: .3}, 4, 60, .3},
		{"nothing ended", sample{generated: 2000}, 1, 0, 0},
	} {
		if got := c.d.perToken(c.tokens); got.gaps != c.gaps || math.Abs(got.gapSum-c.of) > 1e-9 {
			t.Errorf("%s: %g gaps of %g s, want %g of %g s", c.name, got.gaps, got.gapSum, c.gaps, c.of)
		}
	}
}

// TestMissingReplicas counts pods that are missing for long, and not those just ordered
// or without a node.
func TestMissingReplicas(t *testing.T) {
	var m missingReplicas
	at := time.Unix(1000, 0)
	look := func(replicas, ready, unschedulable int32) {
		for range 180 {
			at = at.Add(10 * time.Second)
			m.observe(&bin{end: at, replicas: replicas, ready: ready, unschedulable: unschedulable, startupTime: 60})
		}
	}
	// spare is what is added to a need.
	spare := func(need float64) float64 {
		e := estimates{missing: m.estimate(), request: request{Computed: 1}}
		return e.needed(planned{neededNext: need}) - need
	}
	look(8, 8, 0)
	if spare(8) != 0 {
		t.Errorf("%v spares of a whole fleet", spare(8))
	}
	look(8, 7, 1)
	if spare(8) != 0 {
		t.Errorf("%v spares for a pod without a node", spare(8))
	}
	look(8, 7, 0)
	if n := spare(8); n < 0.5 || n > 1.5 {
		t.Errorf("%v spares for one pod that is always missing", n)
	}
	look(40, 8, 0)
	for need, want := range map[float64]float64{40: 10, 8: 2, 1: 1, 0: 0} {
		if n := spare(need); n != want {
			t.Errorf("%v spares for pods that can never be Ready and a need of %v, want %v", n, need, want)
		}
	}
}

// TestTokensPerOutput: the tokens of an output show over many samples, also where an engine
// counts them when a request ends.
func TestTokensPerOutput(t *testing.T) {
	for _, c := range []struct {
		name string
		d    sample
		want float64
	}{
		{"one", sample{generated: 200, firsts: 1, finished: 1, gaps: 199, gapSum: 2}, 1},
		{"three", sample{generated: 200, firsts: 2, finished: 2, gaps: 66, gapSum: 2}, 3},
		{"a mean per request", sample{generated: 200, firsts: 2, finished: 2, gaps: 2, gapSum: .02}, 1},
		{"tokens unknown", sample{generated: unknownCount, gaps: 66, gapSum: 2}, 1},
		{"too few", sample{generated: 2, gaps: .1, gapSum: .02}, 1},
	} {
		var k tokensPerOutput
		for range 20 {
			k.observe(&bin{samples: []sample{c.d}})
		}
		if got := k.estimate(); math.Abs(got-c.want) > .01 || !k.valid() {
			t.Errorf("%s: %v tokens, want %v", c.name, got, c.want)
		}
	}
	var late tokensPerOutput
	for i := range 200 {
		late.observe(&bin{samples: []sample{{generated: float64(1000 * (i / 10 % 2)), gaps: 500, gapSum: 5}}})
	}
	if got := late.estimate(); got != 1 {
		t.Errorf("%v tokens of an engine that counts them late", got)
	}
}

// TestRanks: a pod of four engines is a replica with four times the capacity of one.
func TestRanks(t *testing.T) {
	one := sample{steps: 100, gaps: 900, outputs: 900, gapSum: 9, waiting: 3, running: 32, firsts: 5, cached: unknownCount}
	pod := one
	for _, f := range []*float64{&pod.steps, &pod.gaps, &pod.outputs, &pod.gapSum, &pod.waiting, &pod.running, &pod.firsts} {
		*f *= 4
	}
	one.ranks = 4
	if got := pod.perRank(4); got != one {
		t.Errorf("%+v, want %+v", got, one)
	}
	if got := pod.perRank(0); got.ranks != 1 || got.gaps != pod.gaps {
		t.Errorf("one rank: %+v", got)
	}
	m := replica{step: stepTime{defaultPrior(), [3]float64{1, 1, 1}}, itl: .1}
	c := m.capacity(newLengths().request, limits{Concurrency: 256})
	if four := c.times(4, 4); four.rate != 4*c.rate || math.Abs(four.running(4)-4*c.running(1)) > 1e-9 {
		t.Errorf("%+v of %+v", four, c)
	}
	pods := []Pod{{Totals: &Totals{Known: true, KVCapacity: 4000, Ranks: 4}}, {Totals: &Totals{}}}
	if ranksOf(Input{Pods: pods}, 0) != 4 || ranksOf(Input{Pods: pods[1:]}, 2) != 2 || kvTokens(Input{Pods: pods}, 0) != 1000 {
		t.Error("ranks or their KV cache are not those of the pod")
	}
	o := Objective{}.WithDefaults()
	if o.rankConcurrency(4, 1) != 256 {
		t.Errorf("%d requests in a rank", o.rankConcurrency(4, 1))
	}
	if o.LimitConcurrency(10); o.rankConcurrency(4, 1) != 3 {
		t.Errorf("%d requests in a rank of a pod that takes 10", o.rankConcurrency(4, 1))
	}
	if o.maxAdmitted(o.rankConcurrency(4, 1000)) != 0 || o.maxAdmitted(o.rankConcurrency(4, 1)) != 3 {
		t.Errorf("%d and %d admitted to a rank, want no limit but the engine's, and 3",
			o.maxAdmitted(o.rankConcurrency(4, 1000)), o.maxAdmitted(o.rankConcurrency(4, 1)))
	}
	for perHTTP, want := range map[float64]int{3.98: 10, .2: 3, 1000: defaultConcurrency} {
		if got := o.rankConcurrency(4, perHTTP); got != want {
			t.Errorf("%d requests in a rank of a pod that takes 10 HTTP requests of %v, want %d", got, perHTTP, want)
		}
	}
}

// closed is a bin of 10 s in which so many HTTP requests came to two pods that began so many
// requests each, and whose queues grew.
func closed(http float32, begun, queueGrowth float64) *bin {
	d := sample{firsts: begun, waitingBefore: 3, waiting: 3 + queueGrowth, seconds: 10, interval: 10, ranks: 1}
	return &bin{ready: 2, arrivals: []float32{http}, samples: []sample{d, d}}
}

// TestRequestRatio: what the engines begin for an HTTP request, and what is not taken for that.
func TestRequestRatio(t *testing.T) {
	unready := closed(50, 400, 0)
	unready.ready = 5
	unread := closed(50, 400, 0)
	unread.samples[1].firsts, unread.samples[1].finished = unknownCount, unknownCount
	unheard := closed(unknownCount, 400, 0)
	held := closed(60, 400, 0)
	held.queuedGain = 10
	woken := closed(50, 400, 0)
	woken.wakes = true
	half := closed(50, 200, 0)
	half.samples[0].ranks, half.samples[1].ranks = 2, 2
	for _, c := range []struct {
		name string
		b    *bin
		bins int
		want float64
	}{
		{"sixteen prompts", closed(50, 400, 0), 20, 16},
		{"half of the requests wait", closed(50, 200, 200), 20, 16},
		{"ten HTTP requests are held outside", held, 20, 16},
		{"two ranks", half, 20, 16},
		{"others", closed(1000, 20, 0), 20, .04},
		{"nearly the same", closed(50, 26, 0), 20, 1},
		{"nothing but the engines' requests", closed(0, 400, 0), 20, maxRatio},
		{"too few bins", closed(50, 400, 0), 4, math.NaN()},
		{"too few requests", closed(1, 1, 0), 20, math.NaN()},
		{"most pods were not read", unready, 20, math.NaN()},
		{"no pod counts what began", unread, 20, math.NaN()},
		{"arrivals are not known", unheard, 20, math.NaN()},
		{"what waited reaches the first pod", woken, 20, math.NaN()},
	} {
		var r requestRatio
		for range c.bins {
			r.observe(c.b)
		}
		if got := min(r.estimate(), maxRatio); math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-min(c.want, got+1e9)) > .01 && c.want != maxRatio || !r.valid() {
			t.Errorf("%s: %v engine requests, want %v", c.name, got, c.want)
		}
	}
}

// TestRequestRatio_bursts: HTTP requests that come to no engine and in bursts are others for an
// hour, though few in all; a queue that comes and goes is none.
func TestRequestRatio_bursts(t *testing.T) {
	var others, queue requestRatio
	for i := range 120 {
		b, q := closed(400, 200, 0), closed(400, 200, 0)
		if i%30 == 20 || i%30 == 21 {
			b.arrivals[0] += 500
			q.arrivals[0] += 500
			q.queuedGain = 500
		}
		if i%30 == 22 {
			q.queuedGain = -1000
			q.samples[0].firsts, q.samples[1].firsts = 700, 700
		}
		others.observe(b)
		queue.observe(q)
	}
	about(t, "with others", others.estimate(), .93, .02)
	about(t, "with a queue", queue.estimate(), 1, 0)
	for i := range keptBins + 100 {
		if others.observe(closed(400, 200, 0)); i == keptBins-200 {
			about(t, "within an hour", others.estimate(), .99, .005)
		}
	}
	about(t, "later", others.estimate(), 1, 0)
}

// TestArrivals_burstsOfOthers: the bins of before others were known are corrected by the
// engines' count, where there is one.
func TestArrivals_burstsOfOthers(t *testing.T) {
	var a arrivals
	observe := func(http float32, ratio float64, read bool) {
		b := closed(http, 200, 0)
		b.requestRatio, b.others = ratio, ratio < 1
		if !read {
			b.samples = nil
		}
		a.observe(b)
	}
	for range keptEngineBins {
		observe(900, 1, true)
	}
	observe(300, 1, false)
	stored := a.Bins
	observe(900, .95, true)
	bins := a.Bins[len(a.Bins)-4:]
	if got, want := fmt.Sprint(a.Bins[0], bins), "900 [400 400 300 400]"; got != want || stored[5] != 900 || a.Engine != nil || !a.valid() {
		t.Errorf("%v arrived, want %v; the state before has %v", got, want, stored[5])
	}
}

// TestCounter_wakes: two bins with Ready pods have what waited while none was.
func TestCounter_wakes(t *testing.T) {
	c, got := newCounter(time.Unix(0, 0)), ""
	for _, ready := range []int32{1, 1, 0, 0, 1, 3, 3, 0, 1, 0, 2, 2, 2} {
		got += map[bool]string{true: "w", false: "-"}[c.wakes(ready)]
		if !c.valid() {
			t.Fatalf("not valid: %+v", c)
		}
	}
	if want := "----ww--w-ww-"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestArrivals_inEngineRequests: bins of before the ratio was known are converted once, bins
// of another ratio are the engines' own count.
func TestArrivals_inEngineRequests(t *testing.T) {
	var a arrivals
	observe := func(b *bin, ratio float64) {
		b.requestRatio = ratio
		a.observe(b)
	}
	observe(closed(50, 400, 0), math.NaN())
	stored := a.Bins
	observe(closed(60, 400, 10), 16)
	observe(closed(70, 40, 0), 1)
	unread := closed(10, 0, 0)
	unread.samples = nil
	observe(unread, 16)
	if got, want := fmt.Sprint(a.Bins), "[800 820 70 160]"; got != want || stored[0] != 50 {
		t.Errorf("%v arrived, want %v; the state before has %v", got, want, stored)
	}
}

// TestBin_arrivedLast: the load of outcomes is in engine requests from the first bin on.
func TestBin_arrivedLast(t *testing.T) {
	unread := closed(50, 400, 0)
	unread.samples = nil
	for _, c := range []struct {
		name              string
		b                 *bin
		ratio, last, want float64
	}{
		{"the ratio is not known yet", closed(400, 50, 0), math.NaN(), 400, 100},
		{"nor what the engines began", unread, math.NaN(), 50, 50},
		{"the engines began more", closed(50, 400, 0), math.NaN(), 50, 50},
		{"the ratio is known", closed(400, 50, 0), 1, 400, 400},
		{"arrivals are not known", closed(400, 50, 0), math.NaN(), unknownCount, unknownCount},
	} {
		c.b.requestRatio = c.ratio
		if got := c.b.arrivedLast(c.last); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSample_slow: against an engine that computes one prompt after the other, for which all answers wait.
func TestSample_slow(t *testing.T) {
	const base, prompt, rate, output, bound = 0.012, 0.074, 7.0, 200, 0.1
	draw := rand.New(rand.NewPCG(1, 1))
	come := func(seconds float64) (work float64) { // the prompts that come meanwhile
		for at := draw.ExpFloat64() / rate; at < seconds; at += draw.ExpFloat64() / rate {
			work += draw.ExpFloat64() * prompt
		}
		return work
	}
	took := func(tokens float64) float64 { // the mean time of a token
		queue := draw.ExpFloat64() * prompt // its own prompt, and what was before it
		if draw.Float64() < rate*prompt {
			queue += draw.ExpFloat64() * prompt / (1 - rate*prompt)
		}
		now := 0.0
		for left := tokens*base + come(queue); left > 1e-9; {
			now += left
			left = come(left)
		}
		return now / tokens
	}
	for _, hangUps := range []float64{0, 0.5, 0.9} {
		slow, n := 0.0, 20_000
		for range n {
			tokens := float64(output)
			if draw.Float64() < hangUps {
				tokens = max(math.Ceil(draw.Float64()*output), 1)
			}
			if took(tokens) > bound {
				slow++
			}
		}
		want := slow / float64(n)
		d := sample{firsts: 10 * rate, gaps: 1000, gapSum: 1000 * base / (1 - rate*prompt), seconds: 10}
		b := &bin{objective: Objective{ITL: 100 * time.Millisecond}, hangUps: evenly(hangUps, output),
			capacity: capacity{base: base, prompt: prompt, output: output * (1 - hangUps/2)}}
		if got := d.slow(b); math.Abs(got-want) > 0.02 || hangUps > 0 && (got > 2*want || got < want/2) {
			t.Errorf("%v hang up: %.4f are slow, want %.4f", hangUps, got, want)
		}
	}
}

// evenly is a share of clients that hang up anywhere in an answer.
func evenly(share, whole float64) hangUps {
	if share == 0 {
		return hangUps{}
	}
	return hangUps{share, whole, whole / 2}
}

// TestSample_slowShort: answers of a token have no gap, and short ones are not slow more often than single gaps are.
func TestSample_slowShort(t *testing.T) {
	d := sample{firsts: 70, gaps: 1000, gapSum: 25, seconds: 10, outputs: 1000, judgedTokens: 1, gapsBelowLower: 990, gapsBelowUpper: 1000}
	b := &bin{objective: Objective{ITL: 100 * time.Millisecond}, capacity: capacity{base: .012, prompt: .074, output: 20}}
	slow := func(h hangUps) float64 {
		b.hangUps = h
		return d.slow(b)
	}
	if got := slow(hangUps{.9, 200, 1}); got > 1e-9 {
		t.Errorf("%.3f are slow that hang up at the first token, want none", got)
	}
	about(t, "within ten tokens", slow(hangUps{.9, 200, 5.5}), .9*.01*.75, .002)
	d.gaps, d.judgedTokens = 3000, 3
	about(t, "within six tokens, three at once", slow(hangUps{.9, 200, 3}), .9*.01*(0+3/1.25+3/2.75+1)/4, .002)
	d.gapsBelowLower = unknownCount
	if got := slow(hangUps{.9, 200, 5.5}); got < .05 {
		t.Errorf("%.3f are slow where gaps are not known by length, want more", got)
	}
}

// TestSampler_gapsOfSeveralTokens: gaps are counted against the time that the objective gives their tokens, while these
// are nearly as many as those that the bound is for.
func TestSampler_gapsOfSeveralTokens(t *testing.T) {
	for _, c := range []struct {
		name               string
		first, then, own   float64
		bound, judged, all float64
	}{
		{"one", 1, 1, 1, .1, 1, .5},
		{"three", 3, 3, 3, .3, 3, .1},
		{"hardly more", 3, 3.3, 3.3, .3, 3, .1},
		{"more", 3, 4, 4, .4, 4, 1},
		{"others than was learned", 3, 3, 2, .3, 0, 1},
		{"back to one", 3, 1, 1, .1, 1, 1},
	} {
		bounds, counts := []float64{.05, .1, .15, .3, .4}, []float64{0, 50, 80, 90, 100}
		page := func(i float64) []Pod {
			h := Histogram{Bounds: bounds, Counts: make([]float64, len(counts)), Count: Reading(100 * i), Sum: Reading(i)}
			for j := range counts {
				h.Counts[j] = counts[j] * i
			}
			return []Pod{{Name: "a", Totals: &Totals{Known: true, ITL: h, TTFT: Histogram{Count: Reading(i)}, Steps: Reading(100 * i),
				GenerationTokens: Reading(i + 100*i*c.own), Finished: Reading(i)}}}
		}
		var s sampler
		var b *bin
		for i, tokens := range []float64{c.first, c.then} {
			b = newBin(Objective{ITL: 100 * time.Millisecond}, Input{Time: time.Unix(int64(10*i), 0)}, nil)
			b.ttft = 2
			s.read(page(float64(i+1)), tokens, b)
		}
		if len(b.samples) != 1 {
			t.Fatalf("%s: %d samples", c.name, len(b.samples))
		}
		d := b.samples[0].perToken(c.then)
		about(t, c.name+": bound", s.ITL, c.bound, 1e-9)
		about(t, c.name+": slow outputs", d.slowGaps(), c.all, 1e-9)
		if math.Abs(d.judgedTokens-c.judged) > 1e-9 {
			t.Errorf("%s: judged for %v tokens, want %v", c.name, d.judgedTokens, c.judged)
		}
	}
}

// TestLengths_hangUps: the seconds of whole answers say where in an answer others are cut.
func TestLengths_hangUps(t *testing.T) {
	for _, c := range []struct {
		name                 string
		generated, endedSum  float64
		ended, whole, cut, d float64
	}{
		{"at the first token", 20*200 + 80, 20 * (1 + 199*.03), 20, 200, 1, 2},
		{"evenly", 20*200 + 80*100, 20 * (1 + 199*.03), 20, 200, 100, 2},
		{"near the end", 20*200 + 80*190, 20 * (1 + 199*.03), 20, 200, 190, 2},
		{"whole answers are not known", 60 * 200, unknownCount, unknownCount, 200, 100, 2},
		{"cut answers are among those that end", 60 * 200, 100 * (1 + 119*.03), 100, 200, 100, 2},
	} {
		l := newLengths()
		for range 50 {
			l.observe(&bin{samples: []sample{{
				firsts: 100, finished: 20, firstSum: 100, prompt: 30_000, generated: c.generated, running: 40, runningBefore: 40,
				gaps: c.generated - 100, gapSum: (c.generated - 100) * .03, ended: c.ended, endedSum: c.endedSum,
			}}})
		}
		h := l.hangUps()
		about(t, c.name+": share", h.share, .8, .01)
		about(t, c.name+": whole", h.whole, c.whole, c.d)
		about(t, c.name+": cut", h.cut, c.cut, c.d)
		if !l.valid() {
			t.Errorf("%s: not valid: %+v", c.name, l)
		}
	}
}

// TestLengths_hostile: a page whose gaps took no time, and one whose tokens stand still, leave
// lengths that are numbers.
func TestLengths_hostile(t *testing.T) {
	for name, d := range map[string]sample{
		"gaps in no time": {firsts: 100, finished: 20, firstSum: 100, prompt: 30_000, generated: 12_000, running: 40, runningBefore: 40,
			gaps: 11_900, gapSum: 1e-305, ended: 20, endedSum: 140},
		"no tokens": {firsts: 100, finished: 20, firstSum: 100, prompt: 30_000, generated: 0, running: 40, runningBefore: 40,
			gaps: 11_900, gapSum: 350, ended: unknownCount, endedSum: unknownCount},
	} {
		l := newLengths()
		for range 50 {
			l.observe(&bin{samples: []sample{d}})
		}
		if h := l.hangUps(); !l.valid() || !(h.whole >= 1 && h.whole <= maxTokens && h.cut >= 0 && h.cut <= h.whole) {
			t.Errorf("%s: %+v, valid %t: %+v", name, h, l.valid(), l)
		}
	}
}

// TestBin_demandOfAQueue: requests that give up in a queue never begin, and are demand all the same. A request
// that waits for a moment does not show that others gave up: a burst of other requests would be demand for an hour.
func TestBin_demandOfAQueue(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*bin)
		want   float64
	}{
		{"calm", func(*bin) {}, 400},
		{"one waits in an engine", func(b *bin) { b.samples[0].waitingThroughout = 1 }, 400},
		{"many wait in an engine", func(b *bin) { b.samples[0].waitingThroughout = 400 }, 950},
		{"some wait outside", func(b *bin) { b.queued, b.queuedBefore = 9, 9 }, 400},
		{"a queue outside that was empty before", func(b *bin) { b.queued = 400 }, 400},
		{"many wait outside", func(b *bin) { b.queued, b.queuedBefore = 400, 400 }, 950},
		{"the queue outside is not known", func(b *bin) { b.queued, b.queuedBefore = Unknown(), math.NaN() }, 400},
		{"a pod is frozen", func(b *bin) { b.frozen = 1 }, 950},
	} {
		b := closed(1000, 200, 0)
		b.requestRatio, b.others, b.ttft = .95, true, 2
		c.change(b)
		if got := b.demand()[0]; math.Abs(float64(got)-c.want) > 1 {
			t.Errorf("%s: %v engine requests, want %v", c.name, got, c.want)
		}
	}
}

// TestLengths_ofRequestsThatBegan: the tokens of clients that hang up belong to requests, too.
func TestLengths_ofRequestsThatBegan(t *testing.T) {
	l := newLengths()
	for range 50 {
		l.add(sample{firsts: 100, finished: 20, prompt: 30_000, generated: 5000, running: 40, runningBefore: 40})
	}
	about(t, "output", l.estimate().Output, 50, 0.01)
	about(t, "hang-ups", l.hangUps().share, 0.8, 0.01)
	whole := newLengths()
	for range 50 {
		whole.add(sample{firsts: 100, finished: 95, prompt: 30_000, generated: 5000, running: 45, runningBefore: 40})
	}
	if whole.hangUps() != (hangUps{}) || whole.estimate() != whole.request {
		t.Errorf("all finish: %+v, want %+v", whole.estimate(), whole.request)
	}
}

// TestSample_withoutHistograms: gaps come from how long requests took, misses from the queue.
func TestSample_withoutHistograms(t *testing.T) {
	d := sample{
		firsts: unknownCount, gaps: unknownCount, gapSum: unknownCount, finished: 20, prompt: 20_000, generated: 4020, endedSum: 90,
		waitingBefore: 0, waiting: 2, runningBefore: unknownCount, running: unknownCount, seconds: 10, ranks: 1,
	}
	got := d.perToken(1).completed(request{})
	if got.gaps != 4000 || math.Abs(got.gapSum-80) > 1e-9 {
		t.Errorf("%v gaps in %v s, want 4000 in 80 s", got.gaps, got.gapSum)
	}
	d.endedSum, d.runningBefore, d.running = unknownCount, 6, 10
	if got := d.perToken(1).completed(request{}); math.Abs(got.gapSum-80) > 1e-9 {
		t.Errorf("eight ran for 10 s: %v s", got.gapSum)
	}
	about(t, "late", got.lateFirstTokens(2), math.Exp(-4), 1e-9) // one waits, two begin a second: half a second each
	b := &bin{objective: Objective{ITL: time.Second}, ttft: 2, capacity: capacity{base: .01, output: 200}}
	if seen, missed := got.misses(b); seen != 20 || math.Abs(missed-20*math.Exp(-4)) > .01 {
		t.Errorf("%v of %v missed", missed, seen)
	}
	got.waiting = unknownCount
	if seen, _ := got.misses(b); seen != 0 {
		t.Errorf("%v requests judged without any sign of their first tokens", seen)
	}
}
