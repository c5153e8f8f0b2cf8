package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each number is found with its value, and a variant changes that number alone.
func TestTunables(t *testing.T) {
	const source = `package slo

import "time"

// Plausible readings, not tuned.
const believed = 1e15

const (
	wait        = 2 * time.Minute
	many, share = 6, 0.7 // of something
	// fade is per bin.
	fade = 0.99
	next = many - 1
	// tiny keeps a division defined. Not tuned.
	tiny = 1e-9
	name = "x"
)
`
	all, err := tunables("tuning.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ name, half, twice string }{
		{"wait", "60000000000", "240000000000"}, {"many", "3", "12"}, {"share", "0.85", "0.4"}, {"fade", "0.995", "0.98"}, {"next", "3", "10"},
	}
	if len(all) != len(want) {
		t.Fatalf("%+v", all)
	}
	for i, w := range want {
		if got := all[i]; got.name != w.name || got.scaled(.5) != w.half || got.scaled(2) != w.twice {
			t.Errorf("%+v: half is %s, twice %s; want %+v", got, got.scaled(.5), got.scaled(2), w)
		}
	}
	if got := string(variant{all[2], "0.85"}.in([]byte(source))); !strings.Contains(got, "many, share = 6, 0.85 // of") || len(got) != len(source)+1 {
		t.Errorf("the variant is\n%s", got)
	}
	for _, bad := range []string{"package slo\nconst a = b", "package slo\nimport \"os\"", "x"} {
		if _, err := tunables("tuning.go", []byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// Every number of the policy has a comment that says where it comes from.
func TestTunables_ofThePolicy(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "pkg", "slo", "tuning.go"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := tunables("tuning.go", source)
	if err != nil || len(all) < 50 {
		t.Fatalf("%d numbers, %v", len(all), err)
	}
}

func TestEffect(t *testing.T) {
	base := effect{SLO: .99, Ratio: 2}
	for _, c := range []struct {
		effect
		want    string
		serious bool
	}{
		{base, "the same", false}, {effect{.991, 2.02, ""}, "+0.10 pt, +1.0 %", false},
		{effect{.98, 2, ""}, "-1.00 pt, +0.0 %", true}, {effect{.99, 2.2, ""}, "+0.00 pt, +10.0 %", true}, {effect{Wrong: "cannot be"}, "cannot be", false},
	} {
		if got := c.against(base); got != c.want || c.effect.matters(base) != c.serious {
			t.Errorf("%+v: %q, matters %v", c.effect, got, c.effect.matters(base))
		}
	}
}
