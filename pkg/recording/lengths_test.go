package recording

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// counters are what an engine counted: prompts with their tokens, and answers with theirs.
func counters(prompts, promptTokens, answers, generated decider.Reading) decider.Totals {
	return decider.Totals{
		Known: true, TTFT: decider.Histogram{Count: prompts}, PromptTokens: promptTokens,
		Finished: answers, GenerationTokens: generated,
	}
}

// Each minute has its own mean lengths; one in which nothing ended counts into the next.
func TestArranger_lengthsByMinute(t *testing.T) {
	nan := decider.Unknown()
	for _, c := range []struct {
		name          string
		totals        []decider.Totals // of pod a, every 30 s
		input, output float64
		finished      float64
	}{
		{"nothing is known", []decider.Totals{{}, {}, {}, {}, {}}, 512, 128, 0},
		{"one minute", []decider.Totals{counters(0, 0, 0, 0), counters(1, 300, 0, 10), counters(2, 800, 4, 200)}, 400, 50, 4},
		{"the minute goes on", []decider.Totals{counters(0, 0, 0, 0), counters(2, 800, 4, 200)}, 400, 50, 4},
		{"the newest minute counts", []decider.Totals{counters(0, 0, 0, 0), counters(2, 800, 4, 200), counters(2, 800, 4, 200),
			counters(4, 8800, 5, 300), counters(4, 8800, 5, 300)}, 4000, 100, 5},
		{"nothing ends in the second minute", []decider.Totals{counters(0, 0, 0, 0), counters(2, 800, 4, 200), counters(2, 800, 4, 200),
			counters(4, 8800, 4, 300), counters(4, 8800, 4, 300)}, 400, 50, 4},
		{"nor in the half of the third that follows: both count together", []decider.Totals{counters(0, 0, 0, 0), counters(2, 800, 4, 200),
			counters(2, 800, 4, 200), counters(4, 8800, 4, 300), counters(4, 8800, 4, 300), counters(5, 9800, 14, 400)}, 3000, 20, 14},
		{"one prompt and one answer are enough", []decider.Totals{counters(0, 0, 0, 0), counters(1, 700, 1, 30)}, 700, 30, 1},
		{"a restart loses the step", []decider.Totals{counters(50, 5000, 50, 500), counters(1, 100, 1, 10), counters(3, 500, 3, 110)}, 200, 50, 2},
		{"not known at first is not zero", []decider.Totals{{}, counters(500, 500, 500, 500), counters(502, 1300, 504, 700)}, 400, 50, 4},
		{"not known in between", []decider.Totals{counters(0, 0, 0, 0), {}, counters(2, 800, 4, 200)}, 400, 50, 4},
		{"a reading that is not known", []decider.Totals{counters(0, 0, 0, 0), counters(2, nan, nan, 200), counters(4, 800, 4, 200)}, 512, 128, 0},
	} {
		a := arranger{rng: rand.New(rand.NewPCG(1, 2)), pods: map[string]decider.Totals{}, input: 512, output: 128}
		for i, totals := range c.totals {
			pods := []decider.Pod{{Name: "a", Totals: totals}}
			a.add(decider.Observation{Time: began.Add(time.Duration(i) * 30 * time.Second), Arrivals: decider.Reading(10 * i), Pods: pods})
		}
		a.close()
		if a.input != c.input || a.output != c.output || a.out.Finished != c.finished || a.out.Lengths != (c.finished > 0) {
			t.Errorf("%s: %v in, %v out, %v finished, lengths %v; want %v, %v and %v", c.name, a.input, a.output,
				a.out.Finished, a.out.Lengths, c.input, c.output, c.finished)
		}
		for _, q := range a.out.Requests {
			if q.Input < 1 || q.Output < 1 {
				t.Errorf("%s: a request without a length: %+v", c.name, q)
				break
			}
		}
	}
}

// The requests of a minute keep its lengths when the next minute has others, and are spread over it.
func TestArranger_aMinuteKeepsItsLengths(t *testing.T) {
	a := arranger{rng: rand.New(rand.NewPCG(1, 2)), pods: map[string]decider.Totals{}, input: 512, output: 128}
	for i, totals := range []decider.Totals{counters(0, 0, 0, 0), counters(10, 1000, 10, 10_000), counters(20, 1_001_000, 20, 10_010)} {
		pods := []decider.Pod{{Name: "a", Totals: totals}}
		a.add(decider.Observation{Time: began.Add(time.Duration(i) * time.Minute), Arrivals: decider.Reading(1000 * i), Pods: pods})
	}
	a.close()
	if len(a.out.Requests) != 2000 {
		t.Fatalf("%d requests, want 2000", len(a.out.Requests))
	}
	for minute, want := range [][2]float64{{100, 1000}, {100_000, 1}} {
		in, out, at := 0.0, 0.0, 0.0
		for _, q := range a.out.Requests[1000*minute : 1000*(minute+1)] {
			in, out, at = in+float64(q.Input)/1000, out+float64(q.Output)/1000, at+q.Arrival.Minutes()/1000
		}
		if math.Abs(at-float64(minute)-.5) > .05 {
			t.Errorf("minute %d: requests come at %.2f min on average", minute, at)
		}
		if math.Abs(in/want[0]-1) > .15 || math.Abs(out/want[1]-1) > .5 {
			t.Errorf("minute %d: %.0f in and %.1f out on average, want %v", minute, in, out, want)
		}
	}
}

// An absurd mean gives long requests, and none that no reader takes.
func TestArranger_length(t *testing.T) {
	a := arranger{rng: rand.New(rand.NewPCG(1, 2))}
	for _, mean := range []float64{0, 1e-9, 1, 1e6, 1e15, 1e300, math.Inf(1)} {
		for range 100 {
			if n := a.length(mean); n < 1 || n > 1_000_000 {
				t.Fatalf("%d tokens of a mean of %v, want 1 to 1,000,000", n, mean)
			}
		}
	}
}

// Counters of averages grow by fractions: these add up to whole requests.
func TestArranger_fractions(t *testing.T) {
	a := arranger{rng: rand.New(rand.NewPCG(1, 2)), pods: map[string]decider.Totals{}, input: 512, output: 128}
	for i := range 41 {
		a.add(decider.Observation{Time: began.Add(time.Duration(i) * time.Second), Arrivals: decider.Reading(i) / 4})
	}
	a.close()
	if len(a.out.Requests) != 10 || a.out.Counted != 10 {
		t.Errorf("%d requests of %v counted, want 10", len(a.out.Requests), a.out.Counted)
	}
}
