package slo

import (
	"math"
	"testing"
	"time"
)

// served is a pod with these numbers of requests running and waiting. Its engine has served 10
// requests a second for this number of seconds.
func served(running, waiting, seconds float64) Pod {
	n := Reading(10 * seconds)
	none := Histogram{Count: Unknown(), Sum: Unknown()}
	return Pod{
		Name: "a", Running: Reading(running), Waiting: Reading(waiting), Deferred: 0, KVCache: 10,
		Totals: &Totals{
			Known: true, Steps: 50 * n, Preemptions: 0, Finished: n, PromptTokens: 100 * n, CachedTokens: 0, GenerationTokens: 50 * n,
			KVCapacity: 1e5, TTFT: Histogram{Count: n, Sum: n / 2}, ITL: Histogram{Count: 49 * n, Sum: n}, E2E: Histogram{Count: n, Sum: 4 * n},
			QueueTime: none, PrefillTime: none, PromptLengths: none,
		},
	}
}

// atEnd is a pod whose engine counts requests of a minute when they end.
func atEnd(running, ended float64) Pod {
	p := served(running, 0, ended/10)
	p.Totals.Steps, p.Totals.TTFT = Unknown(), Histogram{Count: Unknown(), Sum: Unknown()}
	p.Totals.E2E.Sum = 60 * p.Totals.E2E.Count
	return p
}

// slowPrompts is a pod whose first tokens take half a minute.
func slowPrompts(seconds float64) Pod {
	p := served(1, 0, seconds)
	p.Totals.TTFT.Sum = 30 * p.Totals.TTFT.Count
	return p
}

// TestSampler_frozen: a pod whose counters do not move while requests run gives no sample, and its bin is not
// calm. An engine without requests, a slow engine, and one that counts requests when they end give a sample.
func TestSampler_frozen(t *testing.T) {
	gaugesOnly := func(float64) Pod {
		p, none := served(8, 0, 0), Histogram{Count: Unknown(), Sum: Unknown()}
		p.Totals = &Totals{
			Known: true, Steps: Unknown(), Preemptions: Unknown(), Finished: Unknown(), PromptTokens: Unknown(), CachedTokens: Unknown(),
			GenerationTokens: Unknown(), KVCapacity: Unknown(), TTFT: none, ITL: none, E2E: none, QueueTime: none, PrefillTime: none, PromptLengths: none,
		}
		return p
	}
	for _, c := range []struct {
		name   string
		page   func(bin float64) Pod
		bins   int
		frozen bool
	}{
		{"an engine at work", func(i float64) Pod { return served(8, 0, 10*i) }, 10, false},
		{"counters stand still, gauges move", func(i float64) Pod { return served(4+math.Mod(i, 3), i, 600) }, 1, true},
		{"gauges, too", func(float64) Pod { return served(1, 5, 600) }, 1, true},
		{"gauges of hardly any load", func(i float64) Pod { return served(math.Mod(i, 2), 0, 600) }, 2, true},
		{"a request just came", func(i float64) Pod { return served(i, 0, 600) }, 1, false},
		{"nothing runs", func(float64) Pod { return served(0, 0, 600) }, 100, false},
		{"a long prompt of a slow engine", func(float64) Pod { return slowPrompts(600) }, 14, false},
		{"and no end", func(float64) Pod { return slowPrompts(600) }, 16, true},
		{"counts at the end", func(float64) Pod { return atEnd(2, 600) }, 14, false},
		{"and nothing ends", func(float64) Pod { return atEnd(2, 600) }, 16, true},
		{"the first request takes long", func(float64) Pod { return served(1, 0, 0) }, 29, false},
		{"it began anew", func(i float64) Pod { return served(8, 0, 600-600*math.Floor(i/4)) }, 4, false},
		{"it moves again", func(i float64) Pod { return served(8, 0, 600+10*math.Floor(i/4)) }, 4, false},
		{"no counter is known", gaugesOnly, 100, false},
	} {
		s, b, now := sampler{}, (*bin)(nil), time.Unix(0, 0)
		for i := range c.bins + 1 {
			b = newBin(Objective{}.WithDefaults(), Input{Time: now, Ready: 1}, []float32{100})
			b.ttft = 2
			s.read([]Pod{c.page(float64(i))}, 1, b)
			now = now.Add(BinWidth)
		}
		known := 1 // of a pod that began anew there is no gain
		if c.frozen || c.name == "it began anew" {
			known = 0
		}
		if (b.frozen == 1) != c.frozen || len(b.samples) != known {
			t.Errorf("%s: %d frozen and %d samples after %d bins, %+v", c.name, b.frozen, len(b.samples), c.bins, s.Pods)
		}
		if _, counted := b.engineRequests(); c.frozen && (counted || b.calm()) {
			t.Errorf("%s: the requests are known, or the bin is calm", c.name)
		}
	}
}

// TestBin_someFrozen: while at least half of the pods have samples, frozen pods count as their mean.
func TestBin_someFrozen(t *testing.T) {
	b := closed(200, 100, 0)
	b.ready, b.frozen = 4, 2
	if n, known := b.engineRequests(); n != 400 || !known {
		t.Errorf("%v requests reach four pods, %v", n, known)
	}
	b.ready, b.frozen = 5, 3
	if n, known := b.engineRequests(); known {
		t.Errorf("%v requests reach five pods by two of them", n)
	}
}

// TestSample_believed: a counter that did not move is unknown if another counter shows that it must have moved.
func TestSample_believed(t *testing.T) {
	whole := sample{firsts: 100, finished: 90, prompt: 1000, generated: 5000, gaps: 4900, runningBefore: 20, running: 30}
	for name, change := range map[string]func(*sample){
		"all move":                             func(*sample) {},
		"nothing moves":                        func(d *sample) { *d = sample{runningBefore: 20, running: 30} },
		"prompts stand still":                  func(d *sample) { d.prompt = 0 },
		"tokens stand still":                   func(d *sample) { d.generated = 0 },
		"first tokens stand still":             func(d *sample) { d.firsts = 0 },
		"what ran ends":                        func(d *sample) { d.firsts, d.finished, d.prompt = 0, 20, 0 },
		"tokens that are counted at the end":   func(d *sample) { d.finished, d.generated = 0, 0 },
		"first tokens are not known":           func(d *sample) { d.firsts = unknownCount },
		"how many ran is not known":            func(d *sample) { d.firsts, d.runningBefore = 0, unknownCount },
		"tokens and prompts are not reported":  func(d *sample) { d.prompt, d.generated = unknownCount, unknownCount },
		"requests that finish are not counted": func(d *sample) { d.finished, d.prompt = unknownCount, 0 },
	} {
		d := whole
		change(&d)
		want := d
		switch name {
		case "prompts stand still":
			want.prompt = unknownCount
		case "tokens stand still":
			want.generated = unknownCount
		case "first tokens stand still":
			want.firsts = unknownCount
		}
		if got := d.believed(); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	d := whole
	d.prompt, d.generated = 0, 0
	if d = d.believed().completed(request{Prompt: 10, Output: 50}); d.prompt != 1000 || d.generated != 5000 {
		t.Errorf("completed as %+v", d)
	}
}

// TestState_believed: in a frozen pod no more requests wait than the queue-proxies have open.
func TestState_believed(t *testing.T) {
	s := State{Sampler: sampler{Pods: []podCounters{{pod: PodHash("a"), uncounted: minUncounted}, {pod: PodHash("b"), uncounted: 4}}}}
	for _, c := range []struct {
		open, waiting, a, b Reading
	}{
		{0, 5, 0, 5}, {3, 5, 3, 5}, {7, 5, 5, 5}, {Unknown(), 5, 5, 5}, {0, Unknown(), Unknown(), Unknown()},
	} {
		in := Input{InFlight: c.open, Pods: []Pod{{Name: "a", Waiting: c.waiting}, {Name: "b", Waiting: c.waiting}}}
		got := s.believed(in)
		for i, want := range []Reading{c.a, c.b} {
			if w := got.Pods[i].Waiting; w != want && (w.Known() || want.Known()) {
				t.Errorf("%v open: %v wait in pod %d, want %v", c.open, w, i, want)
			}
			if w := in.Pods[i].Waiting; w != c.waiting && w.Known() {
				t.Errorf("the input was changed to %v", w)
			}
		}
	}
}
