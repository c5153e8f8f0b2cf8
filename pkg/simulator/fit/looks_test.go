package fit

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
)

// look is a pod at one time of a recording.
type look struct {
	at  time.Time
	pod decider.Pod
}

// looks are those at a steady pod every 2 s: steps of 20 ms, 10 requests, a tenth of 1,000 tokens of KV cache in use,
// and a prompt of 5 tokens a second with its first token after 100 ms.
func looks(n int) (all []look) {
	began := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for i := range n {
		k := decider.Reading(i + 1)
		all = append(all, look{began.Add(time.Duration(2*i) * time.Second), decider.Pod{
			Name: "a", Running: 10, KVCache: 10,
			Totals: decider.Totals{Known: true, Steps: 100 * k, PromptTokens: 10 * k, KVCapacity: 1000,
				ITL: decider.Histogram{Count: 1000 * k, Sum: 20 * k}, TTFT: decider.Histogram{Count: 2 * k, Sum: .2 * k}},
		}})
	}
	return all
}

// A window is closed after 10 s of looks that follow each other; what breaks the row begins another one.
func TestSeen_add(t *testing.T) {
	whole := window{step: 20_000, n: 10, kv: 100, prompt: .1, filling: .02, ttft: 100_000, length: 5, busy: 1}
	waited := whole
	waited.ttft, waited.length = 0, 0
	later := func(from int, by time.Duration) func([]look) {
		return func(all []look) {
			for i := from; i < len(all); i++ {
				all[i].at = all[i].at.Add(by)
			}
		}
	}
	restarted := func(fewer func(*decider.Totals)) func([]look) {
		return func(all []look) {
			for i := range all[3:] {
				fewer(&all[3+i].pod.Totals)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func([]look) // of 11 looks, from 0 to 20 s
		want   []window
	}{
		{"steady", func([]look) {}, []window{whole, whole}},
		{"a page without counters", func(l []look) { l[3].pod.Totals.Known = false }, []window{whole}},
		{"a counter beyond all engines", func(l []look) { l[3].pod.Totals.Steps = 1e15 }, []window{whole}},
		{"the sum of the seconds is not known", func(l []look) { l[3].pod.Totals.ITL.Sum = decider.Unknown() }, []window{whole}},
		{"fewer steps: it was started again", restarted(func(t *decider.Totals) { t.Steps -= 301 }), []window{whole}},
		{"fewer tokens", restarted(func(t *decider.Totals) { t.ITL.Count -= 3001 }), []window{whole}},
		{"fewer prompt tokens", restarted(func(t *decider.Totals) { t.PromptTokens -= 31 }), []window{whole}},
		{"11 s without a look", later(3, 9*time.Second), []window{whole}},
		{"the clock was set back", later(3, -5*time.Second), []window{whole}},
		{"somebody waited", func(l []look) { l[2].pod.Waiting = 1 }, []window{waited, whole}},
		{"somebody may have waited", func(l []look) { l[2].pod.Waiting = decider.Unknown() }, []window{waited, whole}},
		{"somebody waited at the first look", func(l []look) { l[0].pod.Waiting = 1 }, []window{waited, whole}},
		{"one look at the cache is broken", func(l []look) { l[2].pod.KVCache = 101 }, []window{whole, whole}},
		{"one size of the cache is broken", func(l []look) { l[2].pod.Totals.KVCapacity = 1e11 }, []window{whole, whole}},
		{"one size of the cache is not known", func(l []look) { l[2].pod.Totals.KVCapacity = decider.Unknown() }, []window{whole, whole}},
	} {
		all := looks(11)
		c.change(all)
		s := &seen{open: map[string]*opened{}}
		for _, l := range all {
			s.add(l.at, l.pod)
		}
		if !slices.EqualFunc(s.windows, c.want, sameWindow) || s.capacity != 1000 || s.most != 10 {
			t.Errorf("%s: %+v of a cache of %v, want %+v", c.name, s.windows, s.capacity, c.want)
		}
	}
}

// A window at the limits of what an engine may do is taken, and none beyond.
func TestWindow_believable(t *testing.T) {
	ordinary := window{step: 20_000, n: 10, kv: 1000, prompt: 80}
	for name, c := range map[string]struct {
		of    func(*window) *float64
		taken []float64
		not   []float64
	}{
		"a step":   {func(w *window) *float64 { return &w.step }, []float64{minStep, maxStep}, []float64{minStep - 1, maxStep + 1, math.NaN()}},
		"requests": {func(w *window) *float64 { return &w.n }, []float64{maxDecoding}, []float64{maxDecoding + 1, math.NaN()}},
		"KV cache": {func(w *window) *float64 { return &w.kv }, []float64{maxCapacity}, []float64{maxCapacity + 1, math.NaN()}},
		"prompts":  {func(w *window) *float64 { return &w.prompt }, []float64{0, maxPrompt}, []float64{-1, maxPrompt + 1, math.NaN()}},
	} {
		for ok, values := range map[bool][]float64{true: c.taken, false: c.not} {
			for _, x := range values {
				w := ordinary
				if *c.of(&w) = x; w.believable() != ok {
					t.Errorf("%s of %v: believable is %v", name, x, !ok)
				}
			}
		}
	}
}

// The step of a window by hand: with a share of steps that also compute prompts, whose KV cache costs MixedKV as much.
func TestPredict_mixed(t *testing.T) {
	p := linear()
	p.PerSequence, p.ComputeBase, p.PerToken, p.PerKVToken, p.MixedKV = 10, 400, 50, .1, 2
	for _, c := range []struct{ filling, prompt, want float64 }{
		{0, 0, 1040 + 100},
		{1, 10, 400 + 50*14 + 200},
		{.5, 10, .5*1140 + .5*(400+50*24+200)},
		{.25, 10, .75*1140 + .25*(400+50*44+200)},
	} {
		if got := predict(window{n: 4, kv: 1000, filling: c.filling, prompt: c.prompt}, p); !(math.Abs(got-c.want) < 1e-9) {
			t.Errorf("%v of the steps with prompts: %v µs, want %v", c.filling, got, c.want)
		}
	}
}

// entriesOf are looks at revisions, in turn.
func entriesOf(revisions ...string) (all []recording.Entry) {
	for i, l := range looks(5*fewestWindows + 1) {
		for k, r := range revisions {
			l.pod.Totals.ITL.Sum = decider.Reading(float64(20*(i+1)) * float64(k+1)) // the second is twice as slow
			all = append(all, recording.Entry{Revision: r, Observation: decider.Observation{Time: l.at, Pods: []decider.Pod{l.pod}}})
		}
	}
	return all
}

// Each revision of a recording, or the one that is named, gets a profile of its own, which gives what was seen.
func TestLearnRecorded_revisions(t *testing.T) {
	for name, want := range map[string][]float64{"": {.02, .04}, "a/x": {.02}, "a/y": {.04}} {
		all, err := LearnRecorded(sequence(entriesOf("a/x", "a/y")), name)
		if err != nil || len(all) != len(want) {
			t.Fatalf("%q: %d profiles, %v", name, len(all), err)
		}
		for i, l := range all {
			for _, errs := range [][]Error{l.Fit, l.Unseen} {
				if len(errs) != 2 || !(math.Abs(errs[0].Measured-want[i]) < 1e-9 && math.Abs(errs[0].Relative()) < .01 && math.Abs(errs[1].Relative()) < .05) {
					t.Errorf("%q: %+v, want steps of %v s", name, errs, want[i])
				}
			}
			if p := l.Profile; p.KVTokens != 1000 || p.RequestOverhead <= 0 || p.RequestOverhead > 100*time.Millisecond {
				t.Errorf("%q: %+v", name, p)
			}
		}
	}
	if _, err := LearnRecorded(sequence(entriesOf("a/x")), "a/z"); err == nil || err.Error() != `the recording holds nothing of revision "a/z"` {
		t.Errorf("another revision: %v", err)
	}
	broken := errors.New("line 7 is cut")
	if _, err := LearnRecorded(func(yield func(recording.Entry, error) bool) { yield(recording.Entry{}, broken) }, ""); !errors.Is(err, broken) {
		t.Errorf("a broken recording: %v", err)
	}
}
