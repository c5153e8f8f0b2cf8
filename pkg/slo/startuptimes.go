package slo

import "slices"

// startupTimes learns the time from a pod's creation to Ready.
type startupTimes struct {
	// Seconds are the last startups, oldest first. The slice is replaced, never written.
	Seconds []float32 `json:"seconds,omitempty"`
}

func (t *startupTimes) observe(b *bin) {
	for _, s := range b.startups {
		next := make([]float32, 0, keptStartups)
		next = append(next, t.Seconds[max(0, len(t.Seconds)-keptStartups+1):]...)
		next = append(next, float32(s))
		t.Seconds = next
	}
}

// estimate is the seconds within which nine of ten pods became Ready, or what is
// assumed before any did.
func (t *startupTimes) estimate(assumed float64) float64 {
	if len(t.Seconds) == 0 {
		return assumed
	}
	var sorted [keptStartups]float32
	n := copy(sorted[:], t.Seconds)
	slices.Sort(sorted[:n])
	seen := float64(sorted[n*startupTenths/10])
	if n <= fewStartups {
		median := min(n/2, max(n-2, 0)) // of two the shorter
		seen = min(seen, maxSlowest*float64(sorted[median]))
	}
	return min(max(seen, minStartupTime.Seconds()), maxStartupTime.Seconds())
}

func (t *startupTimes) valid() bool {
	for _, s := range t.Seconds {
		if !(s > 0 && s < 1e6) {
			return false
		}
	}
	return len(t.Seconds) <= keptStartups
}
