package slo

// rankSkew learns the skew of a pod's ranks: the requests that the fullest rank is given, divided by those of the mean
// rank.
type rankSkew struct {
	// Excess is the skew minus 1.
	Excess float64 `json:"excess,omitempty"`
}

// observe takes the mean of the pods whose fullest rank is busy, by their requests. Without such a pod what was
// learned under load stays.
func (s *rankSkew) observe(b *bin) {
	excess, weight := 0.0, 0.0
	for _, d := range b.samples {
		excess += d.skewWeight * (d.skew - 1)
		weight += d.skewWeight
	}
	if weight > 0 && b.learns() {
		s.Excess = max(excess/weight, 0)
	}
}

// estimate is the skew, at least 1.
func (s *rankSkew) estimate() float64 { return 1 + s.Excess }

func (s *rankSkew) valid() bool { return s.Excess >= 0 && s.Excess <= maxRanks }
