package slo

import (
	"math"
	"testing"
	"time"
)

// The share of the fullest rank counts where chance does not explain it.
func TestRankCounters_share(t *testing.T) {
	for name, c := range map[string]struct {
		given    float64 // of 100
		ranks    int
		requests float64
		want     float64
	}{
		"three quarters of many requests": {75, 2, 1e6, .7493},
		"three quarters of 100":           {75, 2, 100, .6779},
		"three of the first four":         {75, 2, 4, .5},
		"the largest of many by chance":   {13, 16, 100, 1. / 16},
		"all of one rank":                 {100, 4, 50, 1},
		"equal ranks":                     {50, 2, 1e6, .5},
		"less than the others":            {10, 2, 1e6, .5},
		"one rank":                        {100, 1, 1e6, 1},
		"no requests":                     {75, 2, 0, .5},
	} {
		if got := (rankCounters{given: c.given, all: 100, requests: c.requests}).share(c.ranks); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%s: share %v, want %v", name, got, c.want)
		}
	}
	if got := (rankCounters{requests: 9}).share(4); got != .25 {
		t.Errorf("without prompt tokens the share is %v, want 0.25", got)
	}
}

// What a rank is given counts from bin to bin while the rank is busy, and not from another rank's.
func TestRankCounters_since(t *testing.T) {
	before := rankCounters{id: 7, tokens: 1000, running: 10, given: 100, all: 200, requests: 10}
	now := rankCounters{id: 7, tokens: 1300, running: 6}
	added := now
	added.given, added.all, added.requests = 100*shareFade+300, 200*shareFade+400, 10*shareFade+8
	kept := func(r rankCounters) rankCounters {
		r.given, r.all, r.requests = 100, 200, 10
		return r
	}
	for name, c := range map[string]struct {
		change           func(now, before *rankCounters)
		prompt, requests float64
		want             func(now rankCounters) rankCounters
	}{
		"a busy bin":            {nil, 400, 8, func(rankCounters) rankCounters { return added }},
		"little ran":            {func(n, b *rankCounters) { n.running, b.running = 3, 4 }, 400, 8, kept},
		"unknown what ran":      {func(n, _ *rankCounters) { n.running = unknownCount }, 400, 8, kept},
		"another rank":          {func(n, _ *rankCounters) { n.id = 8 }, 400, 8, nil},
		"the rank is unknown":   {func(n, _ *rankCounters) { *n = unknownRank() }, 400, 8, nil},
		"the rank was unknown":  {func(_, b *rankCounters) { *b = unknownRank() }, 400, 8, nil},
		"a restart":             {func(n, _ *rankCounters) { n.tokens = 20 }, 400, 8, nil},
		"more than the pod's":   {nil, 200, 8, nil},
		"an absurd gain":        {nil, 2 * maxGain, 8, nil},
		"requests are unknown":  {nil, 400, math.NaN(), nil},
		"requests were counted": {nil, 400, -1, nil},
	} {
		n, b := now, before
		if c.change != nil {
			c.change(&n, &b)
		}
		want := n
		if c.want != nil {
			want = c.want(n)
		}
		if got := n.since(b, c.prompt, c.requests); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// A rank that is not known is unknown in each of its numbers.
func TestFullestRank_rankCounters(t *testing.T) {
	for name, f := range map[string]FullestRank{
		"none": {}, "no tokens": {ID: 3, Running: 5}, "NaN": {PromptTokens: Unknown()}, "a negative ID": {ID: -1, PromptTokens: 5},
		"no ID": {ID: math.NaN(), PromptTokens: 5},
	} {
		if got := f.rankCounters(); got != unknownRank() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got := FullestRank{ID: 3, PromptTokens: 5, Running: 2, Waiting: Unknown()}.rankCounters()
	if want := (rankCounters{id: 3, tokens: 5, running: 2, waiting: unknownCount}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSample_withFullest(t *testing.T) {
	mean := sample{ranks: 2, runningBefore: 20, running: 30}
	for name, c := range map[string]struct {
		d             sample
		given         float64 // of 100
		before, now   float64
		running, skew float64 // the share of what runs, 0 for equal ranks; skew 0 for not known
	}{
		"as many run as are given":  {mean, 75, 30, 45, .75, 1.5},
		"longer than the others":    {mean, 75, 38, 57, .92, 1.5},
		"more than the pod":         {mean, 75, 1e9, 1e9, .96, 1.5},
		"little runs":               {sample{ranks: 2, runningBefore: 4, running: 4}, 75, 3, 4, 0, 0},
		"nearly equal ranks":        {mean, 52, 20, 30, 0, 1.04},
		"unknown before":            {mean, 75, unknownCount, 45, 0, 0},
		"what runs is not reported": {sample{ranks: 2, runningBefore: unknownCount, running: unknownCount}, 75, 30, 45, 0, 0},
		"one rank":                  {sample{ranks: 1, runningBefore: 20, running: 30}, 100, 20, 30, 0, 0},
	} {
		got := c.d.withFullest(rankCounters{tokens: 1, running: c.before}, rankCounters{tokens: 2, running: c.now, given: c.given, all: 100, requests: 1e6})
		if math.Abs(got.fullest.running-c.running) > .01 || (got.fullest.share > 0) != (c.running > 0) || math.Abs(got.skew-c.skew) > .01 || (got.skewWeight > 0) != (c.skew > 0) {
			t.Errorf("%s: %+v, skew %v of weight %v; want running %v and skew %v", name, got.fullest, got.skew, got.skewWeight, c.running, c.skew)
		}
		if got.fullest.requests > max(2*c.d.running, 0) {
			t.Errorf("%s: the rank runs %v requests, more than its pod", name, got.fullest.requests)
		}
	}
}

// The groups' requests are those of the pod, their loads that of the mean rank, and their gaps the measured one.
func TestSample_groups(t *testing.T) {
	for _, d := range []sample{
		{ranks: 1}, {ranks: 4}, {ranks: 2, fullest: fullest{share: .75, running: .9}},
		{ranks: 8, fullest: fullest{share: .3, running: .5}}, {ranks: 3, fullest: fullest{share: 1, running: 1}},
	} {
		requests, gap, load := 0.0, 0.0, 0.0
		for _, g := range d.groups() {
			requests, gap = requests+g.requests, gap+g.requests*g.gap
			load += g.requests / g.load // ranks, as a share of all
		}
		if math.Abs(requests-1) > 1e-9 || math.Abs(gap-1) > 1e-9 || math.Abs(load-1) > 1e-9 && d.fullest.share < 1 {
			t.Errorf("%+v: requests %v, gap %v, ranks %v; want 1 each", d, requests, gap, load)
		}
	}
}

// TestRegression_unequalRanks: from what a pod reports of two unequal ranks the time of one rank's steps is learned.
func TestRegression_unequalRanks(t *testing.T) {
	prior, want := defaultPrior(), [3]float64{1.5, 2, .6}
	const output, context = 200.0, 1000.0
	var f regression
	for i := range 60 {
		all, prompt := 4+float64(i%20)/2, 200+float64(i%7)*200 // requests per second of the pod, tokens
		d := sample{ranks: 2, seconds: 10, fullest: fullest{share: .7}}
		runs := [2]float64{}
		for i, rate := range []float64{.7 * all, .3 * all} {
			perRequest := want[2]*prior.PromptToken*prompt + output*want[1]*(prior.Sequence+prior.KVToken*context)
			gap := (want[0]*prior.Base + want[1]*(prior.Sequence+prior.KVToken*context)) / (1 - rate*perRequest)
			runs[i] = rate * output * gap
			d.gaps, d.gapSum = d.gaps+10*rate*output/2, d.gapSum+10*runs[i]/2
			d.prompt += 10 * rate * prompt / 2
		}
		d.fullest.running = runs[0] / (runs[0] + runs[1])
		f.fade()
		f.add(prior, d, context)
	}
	got, clamped := f.estimate()
	for i := range want {
		if clamped || math.Abs(got[i]/want[i]-1) > .1 {
			t.Errorf("factors %.2f, want %.2f", got, want)
		}
	}
}

// TestSlow_unequalRanks: the mean of a pod may be within the objective while most requests wait for a full rank.
func TestSlow_unequalRanks(t *testing.T) {
	const bound = .1
	b := &bin{objective: Objective{ITL: 100 * time.Millisecond}, capacity: capacity{base: .01, output: 200, prompt: .05, work: .1}}
	d := sample{ranks: 2, gaps: 1000, gapSum: 1000 * .9 * bound, firsts: 5, seconds: 1}
	if share := d.slow(b); share > .2 {
		t.Errorf("%.2f of the requests of equal ranks are slow at 0.9 times the bound", share)
	}
	d.fullest = fullest{share: .7, running: .9}
	if share := d.slow(b); math.Abs(share-.7) > .05 {
		t.Errorf("%.2f of the requests are slow, want the fullest rank's 0.7", share)
	}
}

// TestConcurrencyLimit_fullestRank: the limit is that of a rank, and the fullest one reaches it.
func TestConcurrencyLimit_fullestRank(t *testing.T) {
	var l concurrencyLimit
	for range limitBins + 1 {
		l.observe(&bin{objective: Objective{}.WithDefaults(), samples: []sample{{
			ranks: 2, running: 20, fullest: fullest{requests: 32}, steadyWithQueue: true, steps: 100, firsts: 5, prompt: 0,
		}}})
	}
	if got := l.estimate(256); got != 32 {
		t.Errorf("a rank runs %d requests at once, want 32", got)
	}
}

// TestRankSkew: what is learned is the mean of the pods that show it, by their requests, and stays without them.
func TestRankSkew(t *testing.T) {
	var s rankSkew
	observe := func(samples ...sample) float64 {
		s.observe(&bin{objective: Objective{}.WithDefaults(), samples: samples})
		return s.estimate()
	}
	unknown := sample{ranks: 2}
	for _, c := range []struct {
		name    string
		samples []sample
		want    float64
	}{
		{"at first", nil, 1},
		{"three pods of four are new", []sample{{skew: 1.5, skewWeight: 1000}, unknown, unknown, unknown}, 1.5},
		{"nothing is known", []sample{unknown}, 1.5},
		{"no pods", nil, 1.5},
		{"a pod with a third of the requests is equal", []sample{{skew: 1.6, skewWeight: 2000}, {skew: 1, skewWeight: 1000}}, 1.4},
		{"less than the mean rank", []sample{{skew: .8, skewWeight: 1000}}, 1},
	} {
		if got := observe(c.samples...); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, bad := range []float64{math.NaN(), -1, math.Inf(1), 2 * maxRanks} {
		if (&rankSkew{bad}).valid() {
			t.Errorf("an excess of %v is valid", bad)
		}
	}
}

// TestEffectiveRanks: two ranks are worth 1.33 where one is given three quarters of the requests. Another engine, and
// another number of ranks, begin with equal ranks.
func TestEffectiveRanks(t *testing.T) {
	s := &State{Ranks: 2, Skew: rankSkew{.5}}
	if got := s.effectiveRanks(); math.Abs(got-4./3) > 1e-9 {
		t.Errorf("%v effective ranks, want 1.33", got)
	}
	o := Objective{}.WithDefaults()
	if o.LimitConcurrency(24); o.rankConcurrency(s.effectiveRanks(), 1) != 18 {
		t.Errorf("the fullest rank runs %d of the 24 requests that its pod takes, want three quarters", o.rankConcurrency(s.effectiveRanks(), 1))
	}
	if s.forgetEngine(1); s.Skew.estimate() != 1 {
		t.Error("another engine begins with the skew of the one before")
	}
	s.Skew, s.KV = rankSkew{.5}, 1000
	in := Input{Pods: []Pod{{Totals: &Totals{Known: true, Ranks: 4, KVCapacity: 4000}}}}
	if s.startOverOnAnotherEngine(in, newBin(o, in, nil)); s.Skew.estimate() != 1 || s.effectiveRanks() != 4 {
		t.Errorf("four ranks in place of two: %v effective ranks, want 4", s.effectiveRanks())
	}
}

// TestQueueEvidence_fullestRank: a pod whose fullest rank does all that it can does all that a pod can.
func TestQueueEvidence_fullestRank(t *testing.T) {
	d := sample{ranks: 2, gaps: 100, gapSum: 1, seconds: 10, prompt: 1000, generated: 100}
	equal := workOf(d, request{})
	d.fullest.share = .75
	if unequal := workOf(d, request{}); unequal.Prompt != 1.5*equal.Prompt || unequal.Output != 1.5*equal.Output {
		t.Errorf("%+v, want 1.5 times %+v", unequal, equal)
	}
}

// TestSample_elapsedOfUnequalRanks: their steps have different lengths, so the time is that between the readings.
func TestSample_elapsedOfUnequalRanks(t *testing.T) {
	d := sample{ranks: 2, outputs: 1000, steps: 400, gapSum: 50, gaps: 1000}
	if got := d.elapsed(10); got != 20 {
		t.Errorf("equal ranks: %v s, want 20 of 400 steps of 50 ms", got)
	}
	d.fullest.share = .75
	if got := d.elapsed(10); got != 10 {
		t.Errorf("unequal ranks: %v s, want 10", got)
	}
}

// TestSteadyWithQueue_fullestRank: the fullest rank is at its limit although the others come and go.
func TestSteadyWithQueue_fullestRank(t *testing.T) {
	before := podCounters{running: 38, waiting: 9, rank: rankCounters{id: 1, tokens: 5, running: 32, waiting: 9}}
	now := podCounters{running: 41, waiting: 8, rank: rankCounters{id: 1, tokens: 5, running: 32, waiting: 8}}
	if !now.steadyWithQueue(before, 50) {
		t.Error("the fullest rank ran 32 requests twice, with a queue")
	}
	if now.rank.waiting = 0; now.steadyWithQueue(before, 50) {
		t.Error("nothing waits in the fullest rank")
	}
	if now.rank.id = 2; now.steadyWithQueue(before, 50) {
		t.Error("another rank is the fullest, and the pod's count changed")
	}
}
