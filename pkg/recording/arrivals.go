package recording

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// lengthPeriod is the time over which the mean lengths of prompts and answers are taken.
const lengthPeriod = time.Minute

// maxRate is requests per second, more than a counter gains: such a step is a counter that
// began anew or was misread, and millions of requests would be made of it.
const maxRate = 1e5

// Arrivals is the load of one revision, made from samples.
//
// What samples keep is the number of requests between two decisions and the
// tokens that engines counted; when each request came, how long it was, and
// which prompts share a prefix is lost. So requests are spread evenly at random
// over the time between two decisions (an error of up to that time, mostly 2 s,
// plus the second that a queue-proxy's report is old), and lengths are drawn
// around the mean of their minute with a coefficient of variation of 1.
type Arrivals struct {
	Requests []trace.Request
	// Counted is what the queue-proxies counted, Finished what the engines say they finished.
	Counted, Finished float64
	// Gaps is the part of the time in which arrivals were not known: it is replayed as silence.
	Gaps, Span time.Duration
	// Lengths is true if engines reported tokens; if not, every request is 512 in and 128 out.
	Lengths bool
}

// ArrivalsOf reconstructs the load of one revision, or of the only one in the
// recording when revision is empty.
func ArrivalsOf(entries iter.Seq2[Entry, error], revision string, rng *rand.Rand) (Arrivals, error) {
	a := arranger{rng: rng, pods: map[string]decider.Totals{}, input: 512, output: 128}
	seen := map[string]bool{}
	for e, err := range entries {
		if err != nil {
			return Arrivals{}, err
		}
		seen[e.Revision] = true
		if revision == "" || e.Revision == revision {
			a.add(e.Observation)
		}
		if revision == "" && len(seen) > 1 {
			return Arrivals{}, fmt.Errorf("the recording holds several revisions, at least %v: name one", names(seen))
		}
	}
	if a.last.IsZero() {
		return Arrivals{}, fmt.Errorf("the recording holds nothing of revision %q; it has %v", revision, names(seen))
	}
	a.close()
	return a.out, nil
}

func names(m map[string]bool) []string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// arranger turns observations into requests.
type arranger struct {
	rng         *rand.Rand
	out         Arrivals
	first, last time.Time
	arrivals    decider.Reading
	carry       float64
	pods        map[string]decider.Totals
	// minute began at minuteAt with the request of that index.
	minuteAt                                  time.Time
	minuteFrom                                int
	prompts, promptTokens, answers, generated float64
	// input and output are the newest mean lengths.
	input, output float64
}

func (a *arranger) add(o decider.Observation) {
	if a.first.IsZero() {
		a.first, a.minuteAt = o.Time, o.Time
	}
	if !a.last.IsZero() && !o.Time.After(a.last) {
		return // the clock was set back: what comes until it is as late again is counted then
	}
	if !a.last.IsZero() {
		a.spread(o)
	}
	a.arrivals, a.last = o.Arrivals, o.Time
	a.count(o.Pods)
	if o.Time.Sub(a.minuteAt) >= lengthPeriod {
		a.close()
		a.minuteAt = o.Time
	}
}

// spread places the requests that came since the last observation.
func (a *arranger) spread(o decider.Observation) {
	gap := o.Time.Sub(a.last)
	a.out.Span += gap
	n := float64(o.Arrivals - a.arrivals)
	if !(a.arrivals >= 0 && n >= 0 && n <= maxRate*gap.Seconds()) { // NaN fails too
		a.out.Gaps += gap
		return
	}
	a.out.Counted += n
	a.carry += n
	times := make([]time.Duration, int(a.carry))
	a.carry -= float64(len(times))
	for i := range times {
		times[i] = a.last.Sub(a.first) + time.Duration(a.rng.Float64()*float64(gap))
	}
	slices.Sort(times)
	for _, at := range times {
		a.out.Requests = append(a.out.Requests, trace.Request{Arrival: at})
	}
}

// count adds what the engines have counted since they were last seen.
func (a *arranger) count(pods []decider.Pod) {
	for _, p := range pods {
		if !p.Totals.Known {
			continue
		}
		now := p.Totals
		if old, ok := a.pods[p.Name]; ok {
			a.prompts += grown(old.TTFT.Count, now.TTFT.Count)
			a.promptTokens += grown(old.PromptTokens, now.PromptTokens)
			a.answers += grown(old.Finished, now.Finished)
			a.generated += grown(old.GenerationTokens, now.GenerationTokens)
			a.out.Finished += grown(old.Finished, now.Finished)
		}
		a.pods[p.Name] = now
	}
}

// grown is the growth of a counter, 0 over a restart or where it is not known.
func grown(old, now decider.Reading) float64 {
	if !old.Known() || !now.Known() || now < old {
		return 0
	}
	return float64(now - old)
}

// close gives the requests of the minute their lengths. A minute in which
// nothing ended keeps counting into the next.
func (a *arranger) close() {
	if a.prompts >= 1 && a.answers >= 1 {
		a.input, a.output = a.promptTokens/a.prompts, a.generated/a.answers
		a.out.Lengths = true
		a.prompts, a.promptTokens, a.answers, a.generated = 0, 0, 0, 0
	}
	for i := a.minuteFrom; i < len(a.out.Requests); i++ {
		a.out.Requests[i].Input, a.out.Requests[i].Output = a.length(a.input), a.length(a.output)
	}
	a.minuteFrom = len(a.out.Requests)
}

// length draws from the lognormal distribution of this mean with coefficient of variation 1.
func (a *arranger) length(mean float64) int {
	sigma2 := math.Ln2 // ln(1 + cv^2)
	return max(1, int(math.Round(min(mean*math.Exp(a.rng.NormFloat64()*math.Sqrt(sigma2)-sigma2/2), 1e6))))
}
