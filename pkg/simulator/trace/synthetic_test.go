package trace

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSynthetic(t *testing.T) {
	for _, c := range []struct {
		kind            string
		length          time.Duration
		least, most     int
		meanIn, meanOut float64
		tenants         int
	}{
		{"diurnal", 24 * time.Hour, 950_000, 990_000, 1155, 214, 1},
		{"burst", 2 * time.Hour, 25_000, 60_000, 1155, 214, 1},
		{"step", time.Hour, 28_000, 30_000, 1155, 214, 1},
		{"ramp", time.Hour, 39_000, 41_000, 1155, 214, 1},
		{"tenants", time.Hour, 10_000, 50_000, 2080, 30, 8},
		{"longprompt", time.Hour, 6_900, 7_500, 12295, 345, 1},
	} {
		requests, err := Synthetic(c.kind, Options{Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		all, err := collect(requests, 0)
		if err != nil {
			t.Fatal(err)
		}
		in, out, tenants, last := 0, 0, map[int32]bool{}, time.Duration(0)
		for _, q := range all {
			in, out, tenants[q.Tenant] = in+q.Input, out+q.Output, true
			if q.Arrival < last || q.Arrival > c.length || q.Input < 1 || q.Output < 1 {
				t.Fatalf("%s: %+v after %v", c.kind, q, last)
			}
			last = q.Arrival
		}
		n := float64(len(all))
		if len(all) < c.least || len(all) > c.most || len(tenants) != c.tenants ||
			near(float64(in)/n, c.meanIn) > .05 || near(float64(out)/n, c.meanOut) > .05 {
			t.Errorf("%s: %d requests of %d tenants, mean %.0f in, %.0f out; want %+v", c.kind, len(all), len(tenants), float64(in)/n, float64(out)/n, c)
		}
		if !strings.Contains(Kinds(), c.kind+" ") {
			t.Errorf("Kinds does not tell %s", c.kind)
		}
	}
	if _, err := Synthetic("square", Options{}); err == nil || !strings.Contains(err.Error(), "one of diurnal, burst") {
		t.Errorf("unknown load: %v", err)
	}
}

func near(got, want float64) float64 { return max(got/want-1, 1-got/want) }

func TestSynthetic_seeds(t *testing.T) {
	draw := func(seed uint64, scale float64) []Request {
		requests, _ := Synthetic("burst", Options{Seed: seed, Scale: scale})
		all, _ := collect(requests, 5000)
		return all
	}
	if !reflect.DeepEqual(draw(1, 1), draw(1, 1)) {
		t.Error("the same seed gives other requests")
	}
	one, two, scaled := draw(1, 1), draw(2, 1), draw(1, 2)
	if reflect.DeepEqual(one, two) {
		t.Error("another seed gives the same requests")
	}
	for i := range one { // streams are apart: the lengths do not depend on how many arrive
		if one[i].Input != scaled[i].Input {
			t.Fatal("another scale draws other lengths")
		}
	}
}
