package handover

import (
	"testing"
	"time"
)

// The stories of a leader every 5 s: what it sees, what the other sees, and when it gives up.
func TestGiveUp(t *testing.T) {
	type moment struct {
		own, other View
		times      int // of 5 s
	}
	all, none, half, third := View{10, 10}, View{10, 0}, View{10, 5}, View{10, 3}
	for _, tt := range []struct {
		name    string
		standby bool
		story   []moment
		want    time.Duration // since the start; -1: never
	}{
		{"cut off from the pods while the other sees all", false, []moment{{all, all, 2}, {none, all, 20}}, 40 * time.Second},
		{"both are cut off", false, []moment{{none, none, 100}}, -1},
		{"both see little: the pods are the reason", false, []moment{{third, half, 100}}, -1},
		{"half is enough", false, []moment{{half, all, 100}}, -1},
		{"a gap of 25 s", false, []moment{{none, all, 5}, {all, all, 1}, {none, all, 5}, {all, all, 10}}, -1},
		{"a standby has nothing to give up", true, []moment{{none, all, 100}}, -1},
		{"nothing to read", false, []moment{{View{}, all, 100}}, -1},
		{"the other knows few pods yet", false, []moment{{none, View{2, 2}, 100}}, -1},
		{"the other has nothing to read", false, []moment{{none, View{}, 100}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var j Judge
			start := time.Now()
			at, gave := start, time.Duration(-1)
			for _, m := range tt.story {
				for range m.times {
					if j.GiveUp(at, !tt.standby, m.own, []Replica{{View: m.other}}) && gave < 0 {
						gave = at.Sub(start)
					}
					at = at.Add(5 * time.Second)
				}
			}
			if gave != tt.want {
				t.Errorf("gave up after %v, want %v", gave, tt.want)
			}
		})
	}
	var j Judge
	if j.GiveUp(time.Now(), true, none, nil) || j.GiveUp(time.Now().Add(time.Hour), true, none, nil) {
		t.Error("gave up without another replica")
	}
}
