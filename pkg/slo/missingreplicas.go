package slo

import (
	"math"
	"time"
)

// missingReplicas learns how many replicas are missing while none was ordered for
// longer than they take to start: pods that failed, or were moved.
type missingReplicas struct {
	// Mean is their faded mean.
	Mean float64 `json:"mean,omitempty"`
	// Ordered is the last count seen, Grown when it last grew.
	Ordered int32     `json:"ordered,omitempty"`
	Grown   time.Time `json:"grown,omitzero"`
}

func (m *missingReplicas) observe(b *bin) {
	if b.replicas > m.Ordered || m.Grown.IsZero() {
		m.Grown = b.end
	}
	m.Ordered = b.replicas
	missing := 0.0
	if b.end.Sub(m.Grown).Seconds() > lateStartup*b.startupTime {
		missing = float64(max(0, b.replicas-b.ready-b.unschedulable))
	}
	m.Mean += (1 - visitedFade) * (missing - m.Mean)
}

// estimate is the replicas to have for those that break: their mean, and up to a
// standard deviation of how many there are at a time.
func (m *missingReplicas) estimate() float64 {
	return m.Mean + math.Sqrt(m.Mean)*min(m.Mean*spareSlope, 1)
}

func (m *missingReplicas) valid() bool { return m.Mean >= 0 && m.Mean < 1e10 }
