package handover

import (
	"slices"
	"testing"
	"time"
)

// A replica that is gone is no better replica, whatever it published last.
func TestPeers(t *testing.T) {
	start := time.Now()
	election := Election{Identity: "b_1", Buckets: 10, Ready: true}
	published := func(beat time.Duration) string {
		text, err := Entry(Replica{View: View{Endpoints: 20, Readable: 20}, Election: election}, start.Add(beat))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var p Peers
	for _, step := range []struct {
		name  string
		at    time.Duration
		entry string
		fresh bool
		gone  bool
	}{
		{"an entry that may be old", 0, published(0), false, false},
		{"the same again", 9 * time.Second, published(0), false, false},
		{"it changes", 10 * time.Second, published(10 * time.Second), true, false},
		{"nearly too old", 10*time.Second + MaxAge - 1, published(10 * time.Second), true, false},
		{"silent", 10*time.Second + MaxAge, published(10 * time.Second), false, false},
		{"changes to nonsense", 50 * time.Second, "{", false, false},
		{"comes back", 60 * time.Second, published(60 * time.Second), true, false},
		{"silent for long", 60*time.Second + forgetAfter, published(60 * time.Second), false, true},
		{"is new again", 61*time.Second + forgetAfter, published(60 * time.Second), false, false},
	} {
		views, gone := p.Fresh(map[string]string{"b": step.entry}, start.Add(step.at))
		if want := []Replica{{View{20, 20}, election}}; step.fresh != slices.Equal(views, want) || !step.fresh && len(views) > 0 || step.gone != slices.Contains(gone, "b") {
			t.Errorf("%s: %v, gone %v", step.name, views, gone)
		}
	}
	if views, gone := p.Fresh(nil, start); views != nil || gone != nil {
		t.Errorf("nobody else: %v, gone %v", views, gone)
	}
}
