package collector

import (
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// firstTokens are counters with a histogram of 41 buckets that end at 0.1 s to 4.1 s:
// so many first tokens came after 3.0 to 3.1 s.
func firstTokens(n float64) decider.Totals {
	h := decider.Histogram{Count: decider.Reading(n), Sum: decider.Reading(3 * n)}
	for i := range 41 {
		h.Bounds, h.Counts = append(h.Bounds, float64(i+1)/10), append(h.Counts, 0)
		if i >= 30 {
			h.Counts[i] = n
		}
	}
	none := decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}
	return decider.Totals{Known: true, TTFT: h, ITL: none, E2E: none}
}

func TestLatency_overManyPodsAndBuckets(t *testing.T) {
	at := time.Unix(1000, 0)
	var pods []*latencies
	for range 100 {
		l := &latencies{}
		l.add(at, firstTokens(0), time.Minute)
		l.add(at.Add(20*time.Second), firstTokens(50), time.Minute)
		pods = append(pods, l)
	}
	l, oldest, covered := latency(pods, latencyMetrics[decider.TTFTP95].windowed)
	if !l.Known || l.Count != 5000 || math.Abs(float64(l.P95)-3095) > 1e-6 || !oldest.Equal(at.Add(20*time.Second)) || covered != 20*time.Second {
		t.Errorf("%+v as of %v over %v, want 5000 with 3095 ms", l, oldest, covered)
	}
	if l, _, _ := latency(pods, latencyMetrics[decider.ITLP95].windowed); l.Known || l.P95.Known() {
		t.Errorf("a histogram that no page has is %+v", l)
	}
	values := map[decider.Metric]Sample{decider.ITLP95: {}}
	putLatencies(values, pods)
	if _, itl := values[decider.ITLP95]; itl || values[decider.TTFTP95].Value != l.P95 {
		t.Errorf("values for the API: %v", values)
	}
}

// Histograms without a value in the window are known, and there is no percentile.
func TestLatency_nothingEnded(t *testing.T) {
	l := &latencies{}
	l.add(time.Unix(1000, 0), firstTokens(7), time.Minute)
	got, _, _ := latency([]*latencies{l}, latencyMetrics[decider.TTFTP95].windowed)
	if !got.Known || got.Count != 0 || got.P95.Known() {
		t.Errorf("%+v", got)
	}
	if got, _, _ = latency(nil, latencyMetrics[decider.TTFTP95].windowed); got.Known {
		t.Errorf("without pods: %+v", got)
	}
}

// slow are counters of n first tokens within 0.1 s and late ones after 3.0 to 3.1 s.
func slow(n, late float64) decider.Totals {
	t := firstTokens(n + late)
	for i := range t.TTFT.Counts {
		t.TTFT.Counts[i] = n
		if i >= 30 {
			t.TTFT.Counts[i] += late
		}
	}
	return t
}

// One page that is wrong moves the percentile for one sample of the pod, and never the smaller
// of two; load that is real is in both after one sample more.
func TestLatency_secondSample(t *testing.T) {
	high := func(r decider.Reading) bool { return r > 1000 }
	for _, tt := range []struct {
		name       string
		stable     time.Duration
		pages      []decider.Totals
		last, both []bool // after each page
	}{
		{"one wrong page", time.Minute, []decider.Totals{slow(0, 0), slow(100, 0), slow(200, 0), slow(200, 5000), slow(300, 0), slow(400, 0), slow(500, 0)},
			[]bool{false, false, false, true, false, false, false}, make([]bool, 7)},
		{"real load, read as rarely as the window is long", time.Second, []decider.Totals{slow(0, 0), slow(100, 0), slow(100, 100), slow(100, 200), slow(200, 200)},
			[]bool{false, false, true, true, true}, []bool{false, false, false, true, true}},
		{"real load, read less often than the window is long", 500 * time.Millisecond, []decider.Totals{slow(0, 0), slow(100, 0), slow(100, 100), slow(100, 200), slow(200, 200)},
			[]bool{false, false, true, true, false}, []bool{false, false, false, true, false}},
		{"real load", time.Minute, []decider.Totals{slow(0, 0), slow(100, 0), slow(100, 100), slow(100, 200)},
			[]bool{false, false, true, true}, []bool{false, false, false, true}},
		{"a restart under load", time.Minute, []decider.Totals{slow(900, 900), slow(0, 1), slow(0, 50), slow(0, 100)},
			[]bool{false, false, true, true}, []bool{false, false, false, true}},
		{"a page without the histogram", time.Minute, []decider.Totals{slow(0, 0), slow(0, 50), slow(0, 100), {Known: true}, slow(0, 150), slow(0, 200), slow(0, 250)},
			[]bool{false, true, true, false, false, true, true}, []bool{false, false, true, false, false, false, true}},
	} {
		l, at := &latencies{}, time.Unix(1000, 0)
		for i, page := range tt.pages {
			l.add(at, page, tt.stable)
			got := withPrevious([]*latencies{l}, latencyMetrics[decider.TTFTP95].windowed)
			last, both := high(got.P95), high(got.P95) && high(got.Previous.P95)
			if last != tt.last[i] || both != tt.both[i] || !got.Previous.Kept {
				t.Errorf("%s, page %d: %+v, want high %t, and in both samples %t", tt.name, i, got, tt.last[i], tt.both[i])
			}
			at = at.Add(time.Second)
		}
	}
}
