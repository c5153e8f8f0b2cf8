package playground

import (
	"math"
	"testing"
	"time"
)

// The rate of each shape is what its text on the page says.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		shape string
		want  map[time.Duration]float64 // factor of the rate, by the time since the shape was chosen
	}{
		{"day", map[time.Duration]float64{0: .25, 150 * time.Second: 1, 5 * time.Minute: 1.75, 10 * time.Minute: .25}},
		{"steady", map[time.Duration]float64{0: 1, time.Hour: 1}},
		{"burst", map[time.Duration]float64{0: 1, 119 * time.Second: 1, 121 * time.Second: 4, 159 * time.Second: 4, 161 * time.Second: 1,
			181 * time.Second: 1, 301 * time.Second: 4}},
		{"step", map[time.Duration]float64{59 * time.Second: 1, 61 * time.Second: 3, time.Hour: 3}},
		{"ramp", map[time.Duration]float64{0: 0, 75 * time.Second: 1, 5 * time.Minute: 4, time.Hour: 4}},
		{"silence", map[time.Duration]float64{0: 0, time.Hour: 0}},
	} {
		l := newLoad(t, c.shape, 20)
		l.since = 7 * time.Minute
		for since, factor := range c.want {
			if got := l.perSecond(l.since + since); math.Abs(got-20*factor) > 1e-9 {
				t.Errorf("%s after %v: %v requests/s, want %v", c.shape, since, got, 20*factor)
			}
		}
	}
}
