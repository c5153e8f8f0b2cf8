package window

import (
	"math"
	"slices"
	"time"
)

// histogramSteps is about how many samples of a histogram are kept per window.
const histogramSteps = 12

// Histogram follows one cumulative histogram, such as that of one pod, over a window
// of time. The zero value is ready for use.
type Histogram struct {
	// steps are what was gained between the samples that are kept, oldest first, up to
	// before. A whole sample takes 25 to 40 numbers, a step the few buckets that gained.
	steps []step
	// before is the last sample but one of those that are kept, newest the last; both
	// have no bounds where there is none.
	before, newest Sample
	// earlier is the sample that was added before the newest, without bounds where there is none;
	// dropped is the last step that left the window.
	earlier Sample
	dropped step
}

// step is what was gained from one kept sample to the next, by bucket: gains[i] more or
// fewer in bucket first+i, and nothing in the others.
type step struct {
	from  time.Time
	first int
	gains []float32
}

// maxStepGain keeps sums of steps finite, whatever a page says.
const maxStepGain = 1e30

// newStep is what was gained between two samples with the same bounds.
func newStep(from, to Sample) step {
	s := step{from: from.Time, first: -1}
	below, last := 0.0, 0
	all := make([]float32, 0, 64)
	for i := range len(to.Counts) + 1 {
		gain := to.upTo(i) - from.upTo(i)
		if d := gain - below; d != 0 {
			if s.first < 0 {
				s.first = i
			}
			last = i
		}
		all = append(all, float32(min(max(gain-below, -maxStepGain), maxStepGain)))
		below = gain
	}
	if s.first >= 0 {
		s.gains = slices.Clone(all[s.first : last+1])
	}
	return s
}

// upTo is the number of values in the buckets up to the i-th, and in all after the last.
func (s Sample) upTo(i int) float64 {
	if i < len(s.Counts) {
		return s.Counts[i]
	}
	return s.Total
}

// Sample is a cumulative histogram at one instant: Counts[i] values were at most
// Bounds[i], Total in all. Bounds ascend from 0 and end before infinity.
type Sample struct {
	Time           time.Time
	Bounds, Counts []float64
	Total          float64
}

// Sound reports whether the sample is a cumulative histogram.
func (s Sample) Sound() bool {
	n := len(s.Bounds)
	if n == 0 || n != len(s.Counts) || !(s.Total >= s.Counts[n-1]) || math.IsInf(s.Total, 0) {
		return false
	}
	for i, c := range s.Counts {
		if !(c >= 0) || !(s.Bounds[i] >= 0) || math.IsInf(s.Bounds[i], 0) ||
			i > 0 && (c < s.Counts[i-1] || s.Bounds[i] <= s.Bounds[i-1]) {
			return false
		}
	}
	return true
}

// follows reports whether the sample is of the same histogram as an earlier one, and
// not that of a program which has restarted.
func (s Sample) follows(earlier Sample) bool {
	if !slices.Equal(s.Bounds, earlier.Bounds) || s.Total < earlier.Total {
		return false
	}
	for i, c := range s.Counts {
		if c < earlier.Counts[i] {
			return false
		}
	}
	return true
}

// Add appends a sample, whose slices the histogram keeps. A sample that is not sound
// makes the histogram unknown; one that falls begins anew.
func (h *Histogram) Add(s Sample, window time.Duration) {
	if !s.Sound() {
		h.Reset()
		return
	}
	if h.IsKnown() && !s.follows(h.newest) {
		h.Reset()
	}
	switch {
	case h.before.Bounds != nil && s.Time.Sub(h.before.Time) < window/histogramSteps: // replaces the newest
	case h.before.Bounds != nil:
		h.steps = append(h.steps, newStep(h.before, h.newest))
		fallthrough
	default:
		h.before = h.newest
	}
	h.earlier, h.newest = h.newest, s
	h.trim(s.Time.Add(-window))
}

// trim drops what ended before a time.
func (h *Histogram) trim(from time.Time) {
	drop := 0
	for drop < len(h.steps) {
		ends := h.before.Time
		if drop+1 < len(h.steps) {
			ends = h.steps[drop+1].from
		}
		if !ends.Before(from) {
			break
		}
		drop++
	}
	if drop > 0 {
		h.dropped = h.steps[drop-1]
	}
	h.steps = slices.Delete(h.steps, 0, drop)
}

// Reset forgets all samples.
func (h *Histogram) Reset() { *h = Histogram{} }

// IsKnown reports whether the newest sample was sound.
func (h *Histogram) IsKnown() bool { return h.newest.Bounds != nil }

// Covers returns the times of the oldest and the newest sample of the window.
func (h *Histogram) Covers() (from, to time.Time) {
	switch {
	case len(h.steps) > 0:
		from = h.steps[0].from
	case h.before.Bounds != nil:
		from = h.before.Time
	default:
		from = h.newest.Time
	}
	return from, h.newest.Time
}

// Gains are the values that several histograms gained within their windows, by
// bucket. The zero value has none.
type Gains struct{ groups []gains }

// gains are of all histograms with the same bounds: counts[i] values lie in the bucket
// that ends at bounds[i], counts[len(bounds)] above all.
type gains struct{ bounds, counts []float64 }

// Add adds what a histogram gained.
func (g *Gains) Add(h *Histogram) {
	if h.before.Bounds != nil {
		g.add(h, h.steps, h.newest)
	}
}

// AddEarlier adds what a histogram had gained before its newest sample was added.
func (g *Gains) AddEarlier(h *Histogram) {
	switch {
	case h.before.Bounds == nil:
	case len(h.steps) == 0 && h.earlier.Time.Equal(h.before.Time):
		// Samples are as far apart as the window is long: what was gained then has just left it.
		g.add(h, []step{h.dropped}, h.before)
	default:
		g.add(h, h.steps, h.earlier)
	}
}

// add adds the steps of a histogram, and what it gained since up to a sample.
func (g *Gains) add(h *Histogram, steps []step, to Sample) {
	buckets := make([]float64, len(h.newest.Bounds)+1) // below 0 where fewer fell into a bucket than before
	for _, s := range steps {
		for i, gain := range s.gains {
			buckets[s.first+i] += float64(gain)
		}
	}
	below := 0.0
	for i := range buckets {
		gain := to.upTo(i) - h.before.upTo(i)
		buckets[i] += gain - below
		below = gain
	}
	counts := g.of(h.newest.Bounds)
	upTo, most := 0.0, 0.0
	for i, gain := range buckets {
		upTo += gain
		counts[i] += max(upTo-most, 0)
		most = max(upTo, most)
	}
}

// of returns the counts of all histograms with the bounds.
func (g *Gains) of(bounds []float64) []float64 {
	for _, one := range g.groups {
		if slices.Equal(one.bounds, bounds) {
			return one.counts
		}
	}
	counts := make([]float64, len(bounds)+1)
	g.groups = append(g.groups, gains{bounds, counts})
	return counts
}

// Count is the number of values.
func (g *Gains) Count() (n float64) {
	for _, one := range g.groups {
		for _, c := range one.counts {
			n += c
		}
	}
	return n
}

// Percentile returns the value below which the share q of the values lies, 0..1, taken
// as spread evenly through their buckets; 0 without any. What is above all bounds counts
// as the last bound. Histograms with different bounds are added as they are.
func (g *Gains) Percentile(q float64) float64 {
	rank := q * g.Count()
	if !(rank > 0) {
		return 0
	}
	walks := make([]walk, len(g.groups))
	from, below := 0.0, 0.0
	for _, to := range g.bounds() {
		upTo, at := 0.0, 0.0
		for i := range walks {
			b, a := walks[i].to(g.groups[i], to)
			upTo, at = upTo+b, at+a
		}
		switch {
		case rank <= upTo && upTo > below:
			return from + (to-from)*max(rank-below, 0)/(upTo-below)
		case rank <= at:
			return to
		}
		from, below = to, at
	}
	return from
}

// bounds are those of all groups, ascending, each once.
func (g *Gains) bounds() []float64 {
	if len(g.groups) == 1 {
		return g.groups[0].bounds
	}
	var all []float64
	for _, one := range g.groups {
		all = append(all, one.bounds...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// walk goes up through the buckets of one group.
type walk struct {
	// i is the first bucket that ends above, sum what the buckets before hold.
	i   int
	sum float64
}

// to returns how many values lie below x, and how many up to x: they differ at the last
// bound, where what is above all bounds is counted.
func (w *walk) to(g gains, x float64) (below, upTo float64) {
	last := len(g.bounds)
	for w.i < last && g.bounds[w.i] <= x {
		w.sum += g.counts[w.i]
		w.i++
	}
	if w.i == last {
		whole := w.sum + g.counts[last]
		if g.bounds[last-1] < x {
			return whole, whole
		}
		return w.sum, whole
	}
	from := 0.0
	if w.i > 0 {
		from = g.bounds[w.i-1]
	}
	part := w.sum + g.counts[w.i]*(x-from)/(g.bounds[w.i]-from)
	return part, part
}
