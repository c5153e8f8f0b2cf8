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

// signal is one of the signals, with how the test reads it from a page.
type signal struct {
	metric string
	of     func(signals) float64
	isRate bool
}

var vllmSignals = []signal{
	{"num_requests_running", func(s signals) float64 { return s.running }, false},
	{"num_requests_waiting", func(s signals) float64 { return s.waiting }, false},
	{"kv_cache_usage_percent", func(s signals) float64 { return s.kv }, false},
	{"prompt_tokens_per_second", func(s signals) float64 { return s.prompt }, true},
	{"generation_tokens_per_second", func(s signals) float64 { return s.generation }, true},
}

// apiSample is one value of our API, with the time that the API says. That time is cut
// off to a second.
type apiSample struct {
	value  float64
	at     time.Time
	window time.Duration
}

// expectSignalsOfThePage reads the engine's own page and our API for a minute, under a
// steady load. The load comes in waves of eight requests, one in three to seven seconds,
// and how often we read follows what a reading costs the engine, up to every ten seconds:
// gauges are compared as what a few samples of the page say of it.
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

// expectGaugeOfThePage wants several samples within a minute, not only 0, none beyond
// what the page showed, and their mean within four standard errors of the page's.
func expectGaugeOfThePage(t *testing.T, page pageHistory, s signal, ours []apiSample) {
	t.Helper()
	samples := map[time.Time]float64{}
	for _, o := range ours {
		samples[o.at] = o.value
	}
	var mean, largest float64
	for _, v := range samples {
		mean, largest = mean+v/float64(len(samples)), max(largest, v)
	}
	want, deviation, most := page.gauge(s.of)
	tolerance := 4*deviation/math.Sqrt(float64(len(samples))) + 0.02*most
	figure(t, fmt.Sprintf("real vLLM, %s over a minute: the page says %.1f on average (standard deviation %.1f), %d samples of our API %.1f",
		s.metric, want, deviation, len(samples), mean))
	if len(samples) < 4 || largest == 0 || !(largest <= 1.1*most) || !(math.Abs(mean-want) <= tolerance) {
		t.Errorf("%s: %d samples of ours have a mean of %.2f and are at most %.2f; want at least 4 with a mean within %.2f of the page's %.2f, at most %.2f, and not 0",
			s.metric, len(samples), mean, largest, tolerance, want, 1.1*most)
	}
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
	if want == 0 || !(math.Abs(want-got) <= 0.2*want) {
		t.Errorf("%s: the page's counter gives %.2f, our API says %.2f, want within 20 %% and not 0", s.metric, want, got)
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

// gauge is the mean, the standard deviation and the largest value of a gauge.
func (h pageHistory) gauge(of func(signals) float64) (mean, deviation, largest float64) {
	for _, s := range h {
		mean, largest = mean+of(s.signals)/float64(len(h)), max(largest, of(s.signals))
	}
	for _, s := range h {
		deviation += (of(s.signals) - mean) * (of(s.signals) - mean) / float64(len(h))
	}
	return mean, math.Sqrt(deviation), largest
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
