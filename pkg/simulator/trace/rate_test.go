package trace

import (
	"math"
	"strings"
	"testing"
	"time"
)

// A rate is in requests per second or per minute by the name of its column; per second counts where both are there.
func TestRead_rateUnits(t *testing.T) {
	for text, want := range map[string]float64{
		"t_s,rpm\n0,600\n600,600\n":                6000,
		"t_s,rpm_lo,rpm_mid\n0,1,600\n600,1,600\n": 6000,
		"t_s,rate_rps\n0,10\n600,10\n":             6000,
		"t_s,rpm,rate_rps\n0,600,5\n600,600,5\n":   3000,
		"t_s,rpm\n0,0\n600,600\n":                  3000,
		"t_s,rpm\n3600,600\n4200,600\n":            6000, // the curve begins at its first row
	} {
		all, err := collect(Read(strings.NewReader(text), "curve", Options{Seed: 1}), 0)
		if n := float64(len(all)); err != nil || math.Abs(n-want) > 4*math.Sqrt(want) { // Poisson
			t.Errorf("%q: %v requests, %v; want about %v", text, n, err, want)
		}
		if last := all[len(all)-1].Arrival; last > 10*time.Minute || last < 9*time.Minute {
			t.Errorf("%q: the last request comes at %v", text, last)
		}
	}
}

// A part of a curve begins at 0 and has the part's requests.
func TestRead_partOfARate(t *testing.T) {
	const curve = "t_s,rpm\n0,600\n600,600\n600.001,0\n1200,0\n"
	all, err := collect(Read(strings.NewReader(curve), "curve", Options{Seed: 1, From: 5 * time.Minute, To: 15 * time.Minute}), 0)
	if n := float64(len(all)); err != nil || math.Abs(n-3000) > 220 || all[0].Arrival > time.Second || all[len(all)-1].Arrival > 5*time.Minute+time.Second {
		t.Errorf("%v requests, %v", n, err)
	}
}

// A scale beyond what a run could end with is refused, and 0 is 1.
func TestRead_scaleBounds(t *testing.T) {
	for scale, want := range map[float64]string{0: "", 10_000: "", 10_001: "f: scale 10001; it must be above 0 and at most 10000", -1: "f: scale -1"} {
		all, err := collect(Read(strings.NewReader(vidur), "f", Options{Scale: scale}), 2)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) || err == nil && len(all) != 2 {
			t.Errorf("scale %v: %d requests, %v; want %q", scale, len(all), err, want)
		}
	}
}
