package collector

import (
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// hist is a histogram with bounds at 0.1, 1 and 10 s and some counts up to each, and all.
func hist(upTo ...float64) decider.Totals {
	h := decider.Histogram{Bounds: []float64{.1, 1, 10}, Counts: upTo[:3], Count: decider.Reading(upTo[3])}
	none := decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}
	return decider.Totals{Known: true, TTFT: h, ITL: none, E2E: none}
}

func TestLatencies_percentile(t *testing.T) {
	at := time.Unix(1000, 0)
	ttft := latencyMetrics[decider.TTFTP95]
	for _, tt := range []struct {
		name string
		pods [][]decider.Totals // each a pod's pages, 10 s apart
		want float64
	}{
		{"nothing ended", [][]decider.Totals{{hist(5, 5, 5, 5), hist(5, 5, 5, 5)}}, math.NaN()},
		{"one page is no window", [][]decider.Totals{{hist(5, 5, 5, 5)}}, math.NaN()},
		{"what was before does not count", [][]decider.Totals{{hist(1000, 1000, 1000, 1000), hist(1000, 1100, 1100, 1100)}}, .1 + .9*.95},
		{"merged before the percentile", [][]decider.Totals{{hist(0, 0, 0, 0), hist(90, 90, 90, 90)}, {hist(0, 0, 0, 0), hist(0, 0, 10, 10)}}, 1 + 9*.5},
		{"above all bounds is the last", [][]decider.Totals{{hist(0, 0, 0, 0), hist(0, 0, 0, 10)}}, 10},
		{"a restart begins anew", [][]decider.Totals{{hist(500, 500, 500, 500), hist(0, 0, 0, 0), hist(100, 100, 100, 100)}}, .095},
		{"unknown pages", [][]decider.Totals{{{}, {}}}, math.NaN()},
	} {
		var m merged
		for _, pages := range tt.pods {
			var l latencies
			for i, p := range pages {
				l.add(at.Add(time.Duration(i)*10*time.Second), p, time.Minute)
			}
			m.add(&l, ttft)
		}
		if got := m.percentile(.95); math.Abs(got-tt.want) > 1e-9 && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestLatencies_are_bounded(t *testing.T) {
	var l latencies
	at := time.Unix(1000, 0)
	for i := range 4000 {
		n := float64(i)
		l.add(at.Add(time.Duration(i)*250*time.Millisecond), hist(n, n, n, n), time.Minute)
	}
	covered := l.points[len(l.points)-1].at.Sub(l.points[0].at)
	if len(l.points) > latencySteps+3 || covered < time.Minute || covered > 75*time.Second {
		t.Errorf("%d points over %v, want about %d over a minute", len(l.points), covered, latencySteps)
	}
}
