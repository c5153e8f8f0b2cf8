package window

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// FuzzMeanJSON reads a Mean that somebody else stored. What is accepted answers with
// numbers, takes values on, and is read again after it was stored again.
func FuzzMeanJSON(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := NewMean(time.Minute, time.Second)
	for i := range 90 {
		m.Record(now.Add(time.Duration(i)*time.Second), float64(i%7))
	}
	seed, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, int64(90), 3.0)
	f.Add([]byte(`{}`), int64(-1e9), -1e300)
	f.Fuzz(func(t *testing.T, text []byte, seconds int64, v float64) {
		var m Mean
		if json.Unmarshal(text, &m) != nil {
			return
		}
		at := now.Add(time.Duration(seconds%1e9) * time.Second)
		m.Record(at, v)
		for _, got := range []float64{m.WindowAverage(at), m.WeightedAverage(at)} {
			if math.IsNaN(got) {
				t.Fatalf("an average of %s with %g at %v is NaN", text, v, at)
			}
		}
		again, err := json.Marshal(&m)
		if err != nil {
			return // infinite sums have no JSON
		}
		if err := json.Unmarshal(again, new(Mean)); err != nil {
			t.Fatalf("%s was accepted, and stored again as %s: %v", text, again, err)
		}
	})
}
