package decider

import "testing"

// Engines that do not count first tokens show by the requests that they finish that some have begun.
func TestFirstTokens(t *testing.T) {
	first := Totals{Known: true, Finished: 3}
	first.TTFT.Count = 10
	none := Totals{Known: true, Finished: 7}
	none.TTFT.Count = Unknown()
	nothing := none
	nothing.Finished = Unknown()
	huge := Totals{Known: true}
	huge.TTFT.Count = 1e300
	for _, tt := range []struct {
		name string
		pods []Totals
		want Reading
	}{
		{"first tokens", []Totals{first}, 10},
		{"none of them: finished requests", []Totals{none}, 7},
		{"of each pod what it counts", []Totals{first, none}, 17},
		{"unknown", []Totals{nothing, {}}, 0},
		{"beyond belief", []Totals{huge, first}, 10},
	} {
		obs := Observation{}
		for _, totals := range tt.pods {
			obs.Pods = append(obs.Pods, Pod{Totals: totals})
		}
		if got := firstTokens(obs); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
