package collector

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestOffset_spreadsEvenly(t *testing.T) {
	const pods, slots = 5000, 10
	interval := 500 * time.Millisecond
	for s := range sources {
		var hits [slots]int
		for i := range pods {
			// UIDs of one ReplicaSet differ in few characters.
			o := offset(fmt.Sprintf("0d5f9fb4-9d1e-4d3a-8a53-%012d", i), s, interval)
			if o < 0 || o >= interval {
				t.Fatalf("offset %v outside the interval", o)
			}
			hits[int(o*slots/interval)]++
		}
		for i, n := range hits {
			if n < pods/slots*8/10 || n > pods/slots*12/10 {
				t.Errorf("%s: slot %d has %d of %d targets, want %d +-20%%", s, i, n, pods, pods/slots)
			}
		}
	}
}

// A target is asked at its offset of every interval, however long an answer takes.
func TestPoll_keepsItsGrid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.set("10.0.0.1", func(p *fakePod) {
			p.statPage = func(*http.Request) (*http.Response, error) {
				time.Sleep(130 * time.Millisecond)
				return ok("application/protobuf", ""), nil
			}
		})
		after(10 * time.Second)
		w.fakePods.mu.Lock()
		defer w.fakePods.mu.Unlock()
		times := w.times["10.0.0.1:9090"]
		if len(times) < 19 {
			t.Fatalf("%d scrapes in 10 s, want 20", len(times))
		}
		want := offset("uid-1", queueProxy, 500*time.Millisecond)
		for _, at := range times {
			if got := time.Duration(at.UnixNano() % int64(500*time.Millisecond)); got != want {
				t.Errorf("scraped at %v of the interval, want %v", got, want)
			}
		}
	})
}

// Pods that hang, however many, use their own quarter of the parallelism and
// do not hold up the others.
func TestPoll_hangingPodsDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(200)...)
		for i := range 200 {
			w.set(fmt.Sprintf("10.0.0.%d", i+1), func(p *fakePod) { p.enginePage, p.statPage = hang, hang })
		}
		w.engine("10.0.0.1", 1, 0, 0.1)
		w.load("10.0.0.1", 1, 1)
		after(10 * time.Second)
		n := w.count("10.0.0.1:8000")
		after(10 * time.Second)
		if got := w.count("10.0.0.1:8000") - n; got < 19 {
			t.Errorf("the one good pod was asked %d times in 10 s, want 20", got)
		}
		wantReading(t, "running", w.pod("p1").Running, 1)
	})
}

func TestRates(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s float64, prompt, generation, created float64) engineSample {
		return engineSample{at: start.Add(time.Duration(s * float64(time.Second))), promptTokens: prompt, generationTokens: generation, created: created}
	}
	unknownRate := math.NaN()
	tests := []struct {
		name               string
		samples            []engineSample
		prompt, generation float64
		window             time.Duration
	}{
		{"none", nil, unknownRate, unknownRate, 0},
		{"one", []engineSample{at(0, 1, 1, 5)}, unknownRate, unknownRate, 0},
		{"two", []engineSample{at(0, 0, 0, 5), at(0.5, 50, 5, 5)}, 100, 10, 500 * time.Millisecond},
		{"old samples leave", []engineSample{at(0, 0, 0, 5), at(10, 1000, 0, 5), at(20, 1000, 0, 5)}, 0, 0, 10 * time.Second},
		{"restart by value", []engineSample{at(0, 500, 0, 5), at(1, 10, 0, 5)}, unknownRate, unknownRate, 0},
		{"restart by creation time", []engineSample{at(0, 500, 0, 5), at(1, 600, 0, 6)}, unknownRate, unknownRate, 0},
		{"one counter unknown", []engineSample{at(0, unknownRate, 0, 5), at(1, unknownRate, 7, 5)}, unknownRate, 7, time.Second},
		{"becomes known", []engineSample{at(0, unknownRate, 0, 5), at(1, 3, 7, 5), at(2, 4, 8, 5)}, 1, 1, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r rates
			for _, s := range tt.samples {
				r.add(s, 6*time.Second)
			}
			prompt, generation, window := r.perSecond()
			if !same(prompt, tt.prompt) || !same(generation, tt.generation) || window != tt.window {
				t.Errorf("perSecond = %v, %v, %v, want %v, %v, %v", prompt, generation, window, tt.prompt, tt.generation, tt.window)
			}
		})
	}
}

func TestRates_areBounded(t *testing.T) {
	var r rates
	for i := range 10000 {
		r.add(engineSample{at: time.Unix(0, int64(i)*1e8), promptTokens: float64(i)}, time.Hour)
	}
	if n := len(r.points); n > rateSteps+2 {
		t.Errorf("%d points kept, want at most %d", n, rateSteps+2)
	}
	if p, _, w := r.perSecond(); p < 9.99 || p > 10.01 || w < 15*time.Minute {
		t.Errorf("rate = %v over %v, want 10 over 16 min", p, w)
	}
}
