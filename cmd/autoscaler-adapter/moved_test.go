package main

import (
	"strings"
	"testing"
)

func TestMoved(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"autoscaler-adapter simulate --trace a.csv", "type ipa simulate, with the same flags"},
		{"autoscaler-adapter playground", "type ipa playground, with the same flags"},
		{"autoscaler-adapter --record simulate", ""},
		{"autoscaler-adapter", ""},
	} {
		if got := moved(strings.Fields(c.typed)); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.typed, got, c.want)
		}
	}
}
