package slo

import "math"

// concurrencyLimit learns how many requests an engine runs at once. vLLM does not
// report its --max-num-seqs. The limit is the most requests that any pod was seen to
// run, when pods stay at that count with a queue although nothing else holds them back.
type concurrencyLimit struct {
	// Highest is the most requests that a pod was seen to run; AtLimit is the bins in a
	// row in which a pod stayed at Highest with a queue.
	Highest float64 `json:"highest,omitempty"`
	AtLimit int     `json:"atLimit,omitempty"`
}

func (s *concurrencyLimit) observe(b *bin) {
	if !b.learns() {
		return
	}
	highest := 0.0
	for _, d := range b.samples {
		if d.mostRunning() <= MaxRequests {
			highest = max(highest, math.Floor(d.mostRunning()))
		}
	}
	if highest > s.Highest {
		*s = concurrencyLimit{Highest: highest}
	}
	atLimit := false
	for _, d := range b.samples {
		// A prompt is counted when it has been computed: without one, the steps may be full of it.
		roomInSteps := d.steps > 0 && d.firsts > 0 && d.prompt >= 0 && max(d.prompt-d.cached, 0) < roomyStep*d.steps
		atLimit = atLimit || d.steadyWithQueue && roomInSteps && d.mostRunning() == s.Highest
	}
	switch {
	case atLimit:
		s.AtLimit = min(s.AtLimit+1, limitBins)
	case s.AtLimit < limitBins:
		s.AtLimit = 0
	}
}

// estimate is the requests that a replica runs at once, at most as many as are assumed.
func (s *concurrencyLimit) estimate(assumed int) int {
	if s.AtLimit >= limitBins {
		return min(assumed, int(s.Highest))
	}
	return assumed
}

func (s *concurrencyLimit) valid() bool {
	return s.Highest >= 0 && s.Highest <= MaxRequests && s.AtLimit >= 0 && (s.AtLimit == 0 || s.Highest >= 1)
}
