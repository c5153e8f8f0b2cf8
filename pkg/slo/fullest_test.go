package slo

import (
	"math"
	"testing"
	"time"
)

// The share of the fullest rank counts where chance does not explain it.
func TestFullestRank_fair(t *testing.T) {
	for name, c := range map[string]struct {
		share    float64
		ranks    int
		requests float64
		want     float64
	}{
		"three quarters of many requests": {.75, 2, 1e6, .7491},
		"three quarters of 100":           {.75, 2, 100, .6617},
		"three of the first four":         {.75, 2, 4, .5},
		"the largest of many by chance":   {.13, 16, 100, 1. / 16},
		"all of one rank":                 {1, 4, 50, 1},
		"equal ranks":                     {.5, 2, 1e6, .5},
		"one rank":                        {1, 1, 1e6, 1},
		"unknown":                         {math.NaN(), 4, 1e6, .25},
		"below zero":                      {-3, 4, 1e6, .25},
		"above all":                       {7, 4, 1e6, .25},
	} {
		if got := (FullestRank{Share: Reading(c.share)}).fair(c.ranks, c.requests); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%s: share %v, want %v", name, got, c.want)
		}
	}
}

// podOfTwo is a pod with two ranks of which the first was given a share of its 1,000 requests, and what it ran at
// two readings.
func podOfTwo(share Reading, before, now float64) (Pod, podCounters, podCounters) {
	p := Pod{Totals: &Totals{Ranks: 2, TTFT: Histogram{Count: 1e6}, Fullest: FullestRank{Share: share}}}
	return p, podCounters{fullestRunning: before}, podCounters{fullestRunning: now}
}

func TestSample_withFullest(t *testing.T) {
	mean := sample{ranks: 2, runningBefore: 20, running: 30}
	for name, c := range map[string]struct {
		d            sample
		share        Reading
		before, now  float64
		want, within float64 // requests that run, as a share of the pod's
	}{
		"as many run as are given":  {mean, .75, 30, 45, .75, .01},
		"longer than the others":    {mean, .75, 38, 57, .92, .01},
		"more than the pod":         {mean, .75, 1e9, 1e9, .96, .01},
		"few run":                   {sample{ranks: 2, runningBefore: 1, running: 0}, .75, 0, 0, .67, .01},
		"equal ranks":               {mean, .52, 20, 30, 0, 0},
		"unknown share":             {mean, Unknown(), 30, 45, 0, 0},
		"unknown before":            {mean, .75, unknownCount, 45, 0, 0},
		"unknown now":               {mean, .75, 30, unknownCount, 0, 0},
		"what runs is not reported": {sample{ranks: 2, runningBefore: unknownCount, running: unknownCount}, .75, 30, 45, 0, 0},
	} {
		p, before, now := podOfTwo(c.share, c.before, c.now)
		if got := c.d.withFullest(p, before, now).fullest; math.Abs(got.running-c.want) > c.within || (got.share > 0) != (c.want > 0) {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
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

// TestRankSkew: what is learned follows the pods, and goes with them.
func TestRankSkew(t *testing.T) {
	var s rankSkew
	unequal, equal := sample{ranks: 2, fullest: fullest{share: .75}}, sample{ranks: 2}
	for range 100 {
		s.observe(&bin{objective: Objective{}.WithDefaults(), samples: []sample{unequal}})
	}
	if got := s.estimate(); math.Abs(got-1.5) > .01 {
		t.Errorf("after unequal ranks %v, want 1.5", got)
	}
	s.observe(&bin{objective: Objective{}.WithDefaults()})
	if got := s.estimate(); math.Abs(got-1.5) > .01 {
		t.Errorf("after a bin without pods %v, want 1.5", got)
	}
	for range 100 {
		s.observe(&bin{objective: Objective{}.WithDefaults(), samples: []sample{equal}})
	}
	if got := s.estimate(); math.Abs(got-1) > .01 {
		t.Errorf("after equal ranks %v, want 1", got)
	}
	for _, bad := range []float64{math.NaN(), -1, math.Inf(1), 2 * maxRanks} {
		if (&rankSkew{bad}).valid() {
			t.Errorf("an excess of %v is valid", bad)
		}
	}
}
