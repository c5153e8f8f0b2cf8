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
