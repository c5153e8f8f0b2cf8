package simulator

import (
	"math/bits"
	"time"
)

// sketch is a distribution of times in bounded memory. Buckets are octaves of
// microseconds cut into 64, so that a percentile is within 1 % (or 1 us).
type sketch struct {
	counts    []int64
	count     int64
	low, high int // the buckets in use
}

const (
	octaveBits = 6
	octave     = 1 << octaveBits
	// sketchBuckets reach 2^41 us, 25 days.
	sketchBuckets = (41 - octaveBits + 1) * octave
)

func newSketch() sketch {
	return sketch{counts: make([]int64, sketchBuckets), low: sketchBuckets, high: -1}
}

func (s *sketch) add(d time.Duration) {
	b := bucketOf(d)
	s.counts[b]++
	s.count++
	s.low, s.high = min(s.low, b), max(s.high, b)
}

// bucketOf counts in units of the octave's 64th part; the first 128 us have one each.
func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	shift := max(bits.Len64(us)-octaveBits-1, 0)
	return min(shift*octave+int(us>>shift), sketchBuckets-1)
}

// middle is the time that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(bucket/octave-1, 0)
	us := float64((bucket-shift*octave)<<shift) + float64(int64(1)<<shift-1)/2
	return time.Duration(us * 1000)
}

// percentile is the time that a share of all, 0..1, is not above; 0 without any.
func (s *sketch) percentile(share float64) time.Duration {
	rank := int64(share * float64(s.count))
	if float64(rank) < share*float64(s.count) {
		rank++
	}
	for b := s.low; b <= s.high; b++ {
		if rank -= s.counts[b]; rank <= 0 {
			return middle(b)
		}
	}
	return 0
}

func (s *sketch) reset() {
	if s.high >= s.low {
		clear(s.counts[s.low : s.high+1])
	}
	s.count, s.low, s.high = 0, sketchBuckets, -1
}
