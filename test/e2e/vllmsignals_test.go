//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// signals are what an engine's page says at one instant; tokens are counters.
type signals struct{ running, waiting, kv, prompt, generation float64 }

func (s signals) String() string {
	return fmt.Sprintf("running %.1f, waiting %.1f, KV %.1f %%, %.0f prompt and %.0f generated tokens", s.running, s.waiting, s.kv, s.prompt, s.generation)
}

// signal is one of the signals, with how our API and the test read it.
type signal struct {
	metric string
	of     func(signals) float64
	// tolerance is how much our value may lie outside what the page said around the
	// time of our sample; of a rate, which part of the page's mean ours may differ by.
	tolerance float64
	isRate    bool
}

var vllmSignals = []signal{
	{"num_requests_running", func(s signals) float64 { return s.running }, 0.5, false},
	{"num_requests_waiting", func(s signals) float64 { return s.waiting }, 0.5, false},
	// Requests run in lock step: usage climbs some 25 points a second and falls at once.
	{"kv_cache_usage_percent", func(s signals) float64 { return s.kv }, 7, false},
	{"prompt_tokens_per_second", func(s signals) float64 { return s.prompt }, 0.2, true},
	{"generation_tokens_per_second", func(s signals) float64 { return s.generation }, 0.2, true},
}

// apiSample is one value of our API, with the time that the API says. That time is cut
// off to a second.
type apiSample struct {
	value  float64
	at     time.Time
	window time.Duration
}

// expectSignalsOfThePage reads the engine's own page and our API for a minute, under a
// steady load. How old our sample may be follows what a reading costs the engine, up to
// ten seconds, and the load comes in waves of eight requests, one in about seven
// seconds. So each value of ours is compared with what the page said at the time, or in
// the window, of our sample.
func expectSignalsOfThePage(t *testing.T, r revision) {
	pod := r.readyPods()[0]
	clients := load.NewClients(t.Context(), r.sender(), load.Shape{Prompt: 40, Tokens: 400})
	defer clients.Abort()
	clients.Set(11)
	var page pageHistory
	page.follow(r, pod, 20*time.Second) // more than the window of our rates
	ours := map[string][]apiSample{}
	for began := time.Now(); time.Since(began) < time.Minute; {
		for _, s := range vllmSignals {
			ours[s.metric] = append(ours[s.metric], r.apiSample(pod, s.metric))
		}
		page.follow(r, pod, time.Second)
	}
	page.follow(r, pod, 2*time.Second)
	for _, s := range vllmSignals {
		if s.isRate {
			expectRateOfThePage(t, page, s, ours[s.metric])
		} else {
			expectGaugeOfThePage(t, page, s, ours[s.metric])
		}
	}
	if report := clients.Stop(); report.Failed > 0 {
		t.Errorf("load: %v", report)
	}
}

// apiSample reads one metric of a pod from our API.
func (r revision) apiSample(pod corev1.Pod, metric string) apiSample {
	r.t.Helper()
	v := values(r.t, metricPath(r.namespace, "pods", pod.Name, metric))
	if len(v) != 1 {
		return apiSample{value: math.NaN()}
	}
	s := apiSample{value: v[0].Value.AsApproximateFloat64(), at: v[0].Timestamp.Time}
	if v[0].WindowSeconds != nil {
		s.window = time.Duration(*v[0].WindowSeconds) * time.Second
	}
	return s
}

// expectGaugeOfThePage wants each value to be one that the page had at its time, several
// samples within a minute, none older than the longest interval allows, and not 0 alone.
func expectGaugeOfThePage(t *testing.T, page pageHistory, s signal, ours []apiSample) {
	t.Helper()
	var largest, sum float64
	times := map[time.Time]bool{}
	for _, o := range ours {
		low, high := page.span(s.of, o.at.Add(-time.Second), o.at.Add(1500*time.Millisecond))
		if !(o.value >= low-s.tolerance && o.value <= high+s.tolerance) {
			t.Errorf("%s: our API says %.2f as of %s, when the page said %.2f to %.2f", s.metric, o.value, o.at.Format(time.TimeOnly), low, high)
		}
		largest, sum = max(largest, o.value), sum+o.value
		times[o.at] = true
	}
	if largest == 0 || len(times) < 4 {
		t.Errorf("%s: %d samples of the engine in a minute, the largest %.2f; want at least 4, and not 0", s.metric, len(times), largest)
	}
	low, high := page.span(s.of, page[0].at, page[len(page)-1].at)
	figure(t, fmt.Sprintf("real vLLM, %s: the page says %.1f to %.1f in a minute, our API %.1f on average, of %d samples",
		s.metric, low, high, sum/float64(len(ours)), len(times)))
}

// expectRateOfThePage wants the mean of our rates to be that of the page's counter over
// the same windows: how many waves of prompts one window covers depends on its edges.
func expectRateOfThePage(t *testing.T, page pageHistory, s signal, ours []apiSample) {
	t.Helper()
	var want, got float64
	for _, o := range ours {
		if o.window <= 0 {
			t.Fatalf("%s: our API names no window", s.metric)
		}
		end := o.at.Add(500 * time.Millisecond) // the middle of the second
		gained := page.counter(s.of, end) - page.counter(s.of, end.Add(-o.window))
		want += gained / o.window.Seconds() / float64(len(ours))
		got += o.value / float64(len(ours))
	}
	figure(t, fmt.Sprintf("real vLLM, %s over a minute: the page's counter gives %.1f, our API says %.1f", s.metric, want, got))
	if want == 0 || !(math.Abs(want-got) <= s.tolerance*want) {
		t.Errorf("%s: the page's counter gives %.2f, our API says %.2f, want within %.0f %% and not 0", s.metric, want, got, 100*s.tolerance)
	}
}

// pageHistory is what a metrics endpoint said, with the times, oldest first.
type pageHistory []pageSample

type pageSample struct {
	at time.Time
	signals
}

// follow reads the page four times a second for a while.
func (h *pageHistory) follow(r revision, pod corev1.Pod, during time.Duration) {
	r.t.Helper()
	for began := time.Now(); time.Since(began) < during; time.Sleep(250 * time.Millisecond) {
		s := r.page(pod)
		*h = append(*h, pageSample{time.Now(), s})
	}
}

// span is the smallest and the largest value of a gauge between two times, those just
// before and after included.
func (h pageHistory) span(of func(signals) float64, from, to time.Time) (low, high float64) {
	first := max(h.index(from)-1, 0)
	last := min(h.index(to), len(h)-1)
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range h[min(first, last) : last+1] {
		low, high = min(low, of(s.signals)), max(high, of(s.signals))
	}
	return low, high
}

// counter is the value of a counter at a time, on the line between two readings.
func (h pageHistory) counter(of func(signals) float64, at time.Time) float64 {
	i := h.index(at)
	if i == 0 || i == len(h) {
		return of(h[min(i, len(h)-1)].signals)
	}
	before, after := h[i-1], h[i]
	share := at.Sub(before.at).Seconds() / after.at.Sub(before.at).Seconds()
	return of(before.signals) + share*(of(after.signals)-of(before.signals))
}

// index is that of the first reading that is not before a time.
func (h pageHistory) index(at time.Time) int {
	i, _ := slices.BinarySearchFunc(h, at, func(s pageSample, at time.Time) int { return cmp.Compare(s.at.UnixNano(), at.UnixNano()) })
	return i
}
