package engine

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// maxBuckets is more than a histogram of an engine has.
const maxBuckets = 512

var errBuckets = errors.New("more than 512 buckets in one histogram")

// histogram folds the series of one histogram, such as those of several ranks.
type histogram struct {
	buckets []bucketTotal
	// count, inf and sum add up what the series report as _count, in the bucket +Inf and as
	// _sum; counted, topped and summed are how many series do.
	count, inf, sum         float64
	counted, topped, summed int32
}

// bucketTotal is the sum of the cumulative counts of the series that have the bound.
type bucketTotal struct {
	bound, count float64
	series       int32
}

// emptied returns a histogram without series that keeps the room of h.
func (h *histogram) emptied() histogram {
	return histogram{buckets: h.buckets[:0]}
}

// inHistogram returns which part of a histogram a series is: a bucket with its upper bound,
// the bucket +Inf, the sum or the count.
func (s *sample) inHistogram(p part) (what, float64, error) {
	switch p {
	case histogramSum:
		return addsSum, 0, nil
	case histogramCount:
		return addsCount, 0, nil
	case value, bucket: // of a histogram's bare name, and its buckets
	}
	text, ok := s.label("le")
	if !ok {
		return isThere, 0, nil
	}
	le, err := parseFloat(text)
	switch {
	case err != nil:
		return 0, 0, errors.New("expected a number as label le")
	case math.IsNaN(le):
		return isThere, 0, nil
	case math.IsInf(le, 1):
		return addsTop, 0, nil
	}
	return addsBucket, le, nil
}

// addBucket folds one bucket in.
func (h *histogram) addBucket(le, v float64) error {
	i := len(h.buckets)
	if i > 0 && le <= h.buckets[i-1].bound {
		var found bool
		byBound := func(b bucketTotal, le float64) int { return cmp.Compare(b.bound, le) }
		i, found = slices.BinarySearchFunc(h.buckets, le, byBound)
		if found {
			b := &h.buckets[i]
			b.count, b.series = b.count+v, b.series+1
			return nil
		}
	}
	if len(h.buckets) == maxBuckets {
		return errBuckets
	}
	h.buckets = slices.Insert(h.buckets, i, bucketTotal{le, v, 1})
	return nil
}

// series is the number of series, as far as their parts show.
func (h *histogram) series() int32 {
	n := max(h.counted, h.topped, h.summed)
	for i := range h.buckets {
		n = max(n, h.buckets[i].series)
	}
	return n
}

// copyTo writes the sum of the series. It has the bounds that every series has: cumulative counts
// at such a bound add up, whatever the bounds between are, and a bound that a series lacks would
// get a count that falls. Total and sum are known when every series reports them, the total by its
// _count or, on pages without, by its bucket +Inf.
func (h *histogram) copyTo(to *Histogram) {
	n := h.series()
	to.Bounds, to.Counts = to.Bounds[:0], to.Counts[:0]
	for i := range h.buckets {
		if b := &h.buckets[i]; b.series == n {
			to.Bounds, to.Counts = append(to.Bounds, b.bound), append(to.Counts, b.count)
		}
	}
	to.Count, to.Sum = math.NaN(), math.NaN()
	switch {
	case n == 0: // no series has a number
		return
	case h.counted == n:
		to.Count = h.count
	case h.topped == n:
		to.Count = h.inf
	}
	if h.summed == n {
		to.Sum = h.sum
	}
}
