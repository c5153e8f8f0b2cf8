package window

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var begin = time.Unix(1000, 0)

// page is a sample with bounds at 0.1, 1 and 10, counts up to each and in all.
func page(upTo ...float64) Sample {
	return Sample{Bounds: []float64{.1, 1, 10}, Counts: upTo[:3], Total: upTo[3]}
}

// gained adds pages, 10 s apart, of several pods, in a window of a minute.
func gained(pods ...[]Sample) *Gains {
	var g Gains
	for _, pages := range pods {
		var h Histogram
		for i, p := range pages {
			p.Time = begin.Add(time.Duration(i) * 10 * time.Second)
			h.Add(p, time.Minute)
		}
		g.Add(&h)
	}
	return &g
}

func TestGains_percentile(t *testing.T) {
	other := func(upTo ...float64) Sample {
		return Sample{Bounds: []float64{.5, 2}, Counts: upTo[:2], Total: upTo[2]}
	}
	for _, tt := range []struct {
		name string
		pods [][]Sample
		want float64
	}{
		{"nothing ended", [][]Sample{{page(5, 5, 5, 5), page(5, 5, 5, 5)}}, 0},
		{"one page is no window", [][]Sample{{page(5, 5, 5, 5)}}, 0},
		{"what was before does not count", [][]Sample{{page(1000, 1000, 1000, 1000), page(1000, 1100, 1100, 1100)}}, .1 + .9*.95},
		{"added before the percentile", [][]Sample{{page(0, 0, 0, 0), page(90, 90, 90, 90)}, {page(0, 0, 0, 0), page(0, 0, 10, 10)}}, 1 + 9*.5},
		{"above all bounds is the last", [][]Sample{{page(0, 0, 0, 0), page(0, 0, 0, 10)}}, 10},
		{"a restart begins anew", [][]Sample{{page(500, 500, 500, 500), page(0, 0, 0, 0), page(100, 100, 100, 100)}}, .095},
		{"one bucket fell: a restart", [][]Sample{{page(5, 9, 9, 9), page(4, 9, 9, 9), page(4, 19, 19, 19)}}, .1 + .9*.95},
		{"malformed pages", [][]Sample{{{}, {}}, {page(3, 2, 1, 0), page(9, 9, 9, math.NaN())}}, 0},
		{"unknown after a malformed page", [][]Sample{{page(0, 0, 0, 0), {}, page(9, 9, 9, 9)}}, 0},
		// 40 values spread over 0..0.5 and 60 over 1..10: 95 % is 55/60 of the way.
		{"other bounds", [][]Sample{{other(0, 0, 0), other(40, 40, 40)}, {page(0, 0, 0, 0), page(0, 0, 60, 60)}}, 1 + 9*55./60},
		// 90 within 0..0.5, 6 within 0..0.1, 4 above 2: the 95th of 100 is the 89th of the 90.
		{"other bounds, above all", [][]Sample{{other(0, 0, 0), other(90, 90, 94)}, {page(0, 0, 0, 0), page(6, 6, 6, 6)}}, .5 * 89 / 90},
	} {
		got := gained(tt.pods...).Percentile(.95)
		if math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// 41 buckets, as SGLang takes them, and any number of pods.
func TestGains_manyBucketsAndPods(t *testing.T) {
	bounds := make([]float64, 41)
	for i := range bounds {
		bounds[i] = 0.1 * float64(i+1)
	}
	var g Gains
	for pod := range 300 {
		zero, full := make([]float64, 41), make([]float64, 41)
		for i := range bounds {
			if bounds[i] > 3.05 {
				full[i] = float64(10 + pod)
			}
		}
		var h Histogram
		h.Add(Sample{begin, bounds, zero, 0}, time.Minute)
		h.Add(Sample{begin.Add(10 * time.Second), bounds, full, float64(10 + pod)}, time.Minute)
		g.Add(&h)
	}
	if got := g.Percentile(.95); math.Abs(got-3.095) > 1e-9 {
		t.Errorf("p95 = %v, want 3.095", got)
	}
}

func TestHistogram_isBounded(t *testing.T) {
	var h Histogram
	for i := range 4000 {
		n := float64(i)
		s := page(n, n, n, n)
		s.Time = begin.Add(time.Duration(i) * 250 * time.Millisecond)
		h.Add(s, time.Minute)
	}
	from, to := h.Covers()
	if n := len(h.steps) + 2; n > histogramSteps+3 || to.Sub(from) < time.Minute || to.Sub(from) > 75*time.Second {
		t.Errorf("%d samples over %v, want about %d over a minute", n, to.Sub(from), histogramSteps)
	}
}

// Whatever the samples, what was gained is the difference between the samples at the ends of
// what Covers returns: of whole numbers to the digit.
func TestHistogram_stepsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var h Histogram
		at, counts := begin, make([]float64, 1+r.IntN(30))
		bounds := make([]float64, len(counts))
		for i := range bounds {
			bounds[i] = float64(i + 1)
		}
		seen := map[time.Time]Sample{}
		for range 100 {
			at = at.Add(time.Duration(r.IntN(8000)) * time.Millisecond)
			counts = slices.Clone(counts)
			for range r.IntN(4) {
				for i, n := r.IntN(len(counts)), float64(r.IntN(1e6)); i < len(counts); i++ {
					counts[i] += n
				}
			}
			s := Sample{at, bounds, counts, counts[len(counts)-1] + float64(len(seen)/10)}
			seen[at] = s
			h.Add(s, time.Minute)
			from, to := h.Covers()
			var got, want Gains
			got.Add(&h)
			if !from.Equal(to) {
				want.Add(&Histogram{before: seen[from], newest: seen[to]})
			}
			if got.Count() != want.Count() || got.Percentile(.95) != want.Percentile(.95) {
				t.Fatalf("gains %+v, want %+v", got, want)
			}
		}
	}
}

// The percentile is that of values which lie evenly in their buckets.
func TestGains_percentileAsSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var g Gains
		var values []float64
		for range 1 + r.IntN(3) {
			bounds := make([]float64, 1+r.IntN(6))
			for i := range bounds {
				bounds[i] = float64(1+r.IntN(4)) / 4
				if i > 0 {
					bounds[i] += bounds[i-1]
				}
			}
			counts, n := make([]float64, len(bounds)), 0
			from := 0.0
			for i, to := range bounds {
				const each = 2000
				for k := range each {
					values = append(values, from+(to-from)*(float64(k)+.5)/each)
				}
				n += each
				counts[i], from = float64(n), to
			}
			var h Histogram
			h.Add(Sample{begin, bounds, make([]float64, len(bounds)), 0}, time.Minute)
			h.Add(Sample{begin.Add(time.Second), bounds, counts, float64(n)}, time.Minute)
			g.Add(&h)
		}
		slices.Sort(values)
		for _, q := range []float64{.01, .5, .95, 1} {
			want := values[min(int(q*float64(len(values))), len(values)-1)]
			if got := g.Percentile(q); math.Abs(got-want) > 0.01 {
				t.Fatalf("q %v: %v, want %v", q, got, want)
			}
		}
	}
}

// Whatever a page says, nothing panics and a percentile lies within the bounds.
func FuzzGains(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 1.0, 5.0, 9.0, 9.0)
	f.Add(math.NaN(), math.Inf(1), -1.0, 0.0, 1e300, 1e300, 1e308)
	f.Fuzz(func(t *testing.T, b1, b2, c1, c2, d1, d2, total float64) {
		var h Histogram
		h.Add(Sample{begin, []float64{b1, b2}, []float64{c1, c2}, total}, time.Minute)
		h.Add(Sample{begin.Add(time.Second), []float64{b1, b2}, []float64{d1, d2}, total + d2}, time.Minute)
		var g Gains
		g.Add(&h)
		for _, q := range []float64{0, .5, .95, 1, math.NaN()} {
			if p := g.Percentile(q); math.IsNaN(p) || p < 0 || g.Count() > 0 && p > b2 {
				t.Errorf("percentile %v of %+v is %v", q, g, p)
			}
		}
	})
}
