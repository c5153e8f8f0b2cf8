package metricsapi

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxValue is the largest value served, about 9.2e15: above it a client that reads
// the quantity in milli units, as the HorizontalPodAutoscaler does, would overflow.
const maxValue = float64(math.MaxInt64 / 1000)

// isKnown reports whether a value is real; every metric here counts something,
// so none is ever negative.
func isKnown(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// quantity rounds a known value to the nearest 0.001, e.g. 70.21349 to 70213m.
func quantity(v float64) resource.Quantity {
	if v >= maxValue {
		return *resource.NewQuantity(math.MaxInt64/1000, resource.DecimalSI)
	}
	if v >= 1<<53/1000 { // a float64 this large has no exact milli unit
		return *resource.NewQuantity(int64(v), resource.DecimalSI)
	}
	return *resource.NewMilliQuantity(int64(math.Round(v*1000)), resource.DecimalSI)
}

// windowSeconds is nil for an instant; a shorter window than a second is still a window.
func windowSeconds(w time.Duration) *int64 {
	if w <= 0 {
		return nil
	}
	seconds := max(1, int64(w.Round(time.Second)/time.Second))
	return &seconds
}
