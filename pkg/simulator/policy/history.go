package policy

import (
	"slices"
	"time"
)

// sample is a value at a time.
type sample struct {
	at    time.Time
	value float64
}

// history is the samples of the last while.
type history []sample

// add takes a value, and forgets those older than the window.
func (h *history) add(s sample, window time.Duration) {
	*h = slices.DeleteFunc(*h, func(old sample) bool { return s.at.Sub(old.at) >= window })
	*h = append(*h, s)
}

// mean is the average of the samples, 0 without any.
func (h history) mean() float64 {
	sum := 0.
	for _, s := range h {
		sum += s.value
	}
	return sum / float64(max(len(h), 1))
}

// max is the largest of the samples, 0 without any.
func (h history) max() float64 {
	most := 0.
	for _, s := range h {
		most = max(most, s.value)
	}
	return most
}

// increase is how much a counter grew over the samples; one that went back was
// restarted and counts from zero.
func (h history) increase() float64 {
	sum := 0.
	for i := 1; i < len(h); i++ {
		if d := h[i].value - h[i-1].value; d >= 0 {
			sum += d
		} else {
			sum += h[i].value
		}
	}
	return sum
}
