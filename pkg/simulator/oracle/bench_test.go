package oracle

import (
	"math"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// BenchmarkBound_week is a week of 604,800 seconds with a daily swing, between
// 30 and 100 replicas' work with everything due 20 s after it came.
func BenchmarkBound_week(b *testing.B) {
	for b.Loop() {
		c := simulator.NewConfig()
		d, err := NewDemand(c)
		if err != nil {
			b.Fatal(err)
		}
		const bins = 604_800
		l := ledger{came: make([]float64, bins), due: make([]float64, bins+20)}
		for k := range bins {
			daily := 65 - 35*math.Cos(2*math.Pi*float64(k)/86400)
			l.came[k] = binWidth.Seconds() * (daily + 5*math.Sin(float64(k)*float64(k)))
			l.due[k+20] = l.came[k]
		}
		d.ledgers[0], d.requests, d.last = l, 1, bins*binWidth
		bound, err := d.Bound()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(bound.GPUHours, "GPU-h")
		b.ReportMetric(bound.Bin.Seconds(), "bin-s")
	}
}
