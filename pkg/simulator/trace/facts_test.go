package trace

import (
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// rateAt is the rate of a curve at a time.
func rateAt(points []point, at float64) float64 {
	for i := 1; i < len(points); i++ {
		if a, b := points[i-1], points[i]; at >= a.at && at <= b.at && b.at > a.at {
			return a.rate + (b.rate-a.rate)*(at-a.at)/(b.at-a.at)
		}
	}
	return math.NaN()
}

// The loads of our own have the rates and times that --help says.
func TestKinds_asDescribed(t *testing.T) {
	for _, c := range []struct {
		name   string
		points []point
		at     float64
		want   float64
	}{
		{"diurnal's low", diurnal(1), 4 * hour, 2.5}, {"diurnal's high", diurnal(1), 16 * hour, 20},
		{"diurnal at noon", diurnal(1), 10 * hour, 11.25}, {"diurnal's end", diurnal(1), 24 * hour, diurnal(1)[0].rate},
		{"step's first part", steps(1), 10 * minute, 4}, {"step's second", steps(1), 20*minute + 2, 16},
		{"step's second ends", steps(1), 40 * minute, 16}, {"step's third", steps(1), 40*minute + 2, 4}, {"step's end", steps(1), hour, 4},
		{"ramp's beginning", ramp(1), 0, 2}, {"ramp's middle", ramp(1), 15 * minute, 11}, {"ramp's high", ramp(1), 30 * minute, 20},
		{"ramp's end", ramp(1), hour, 2},
	} {
		if got := rateAt(c.points, c.at); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v requests per second, want %v", c.name, got, c.want)
		}
	}
	for seed := range uint64(20) {
		pulsesOf(t, "burst", bursts(seed), 4, 24, 2*hour, minute, 3*minute)
		pulsesOf(t, "tenants", tenants(seed), .5, 20, hour, 20, minute)
	}
	for _, c := range []struct {
		name          string
		of            lengths
		input, output float64
	}{{"chat", chatLengths(), 1155, 211}, {"code", codeLengths(), 2048, 28}, {"long", longLengths(), 12035, 343}} {
		if in, out := c.of.input.mean(), c.of.output.mean(); math.Abs(in/c.input-1) > .08 || math.Abs(out/c.output-1) > .08 { // 18 quantiles are not the trace
			t.Errorf("%s: mean %.1f in and %.1f out, want about %v and %v", c.name, in, out, c.input, c.output)
		}
	}
	if names := KindNames(); len(names) != 26 || names[0] != "diurnal" || names[6] != "model1" || names[25] != "model20" {
		t.Errorf("names %v", names)
	}
	if _, err := Synthetic("step", Options{Scale: math.NaN()}); err == nil || !strings.HasPrefix(err.Error(), "scale NaN") {
		t.Errorf("a scale that is no number: %v", err)
	}
}

// pulsesOf checks a load of pulses between two rates.
func pulsesOf(t *testing.T, name string, points []point, base, high, length, shortest, longest float64) {
	t.Helper()
	if last := points[len(points)-1]; points[0].at != 0 || last.at != length || last.rate != base {
		t.Errorf("%s: from %+v to %+v, want 0 to %v s", name, points[0], last, length)
	}
	n := 0
	for i, p := range points {
		if p.rate != base && p.rate != high || i > 0 && p.at <= points[i-1].at {
			t.Fatalf("%s: %+v after %+v", name, p, points[max(i-1, 0)])
		}
		if i > 0 && p.rate == high && points[i-1].rate == high {
			if n++; p.at-points[i-1].at < shortest-edge || p.at-points[i-1].at > longest {
				t.Errorf("%s: a pulse of %v s, want %v to %v", name, p.at-points[i-1].at, shortest, longest)
			}
		}
	}
	if n == 0 {
		t.Errorf("%s: no pulse", name)
	}
}

// A date is the same whether or not the row above has the same minute, which is read the quick way.
func TestRead_datesOfOneMinute(t *testing.T) {
	const head = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
	first := map[string]string{"Z": "2026-03-29T01:00:00Z", "": "2026-03-29 01:00:00", "+01:00": "2026-03-29 01:00:00+01:00"}
	for zone, before := range first {
		for _, s := range []string{"05", "05.", "05.1", "05,1", "05.123456789", "05.1234567891", "5.1", "59.999999999", "60", "61", "0x", "05:1", "", "05.1x", "-5", "055"} {
			second := before[:len("2026-03-29 01:00:")] + s + zone
			cold, coldErr := collect(Read(strings.NewReader(head+second+",1,1\n"+"2026-03-29T01:10:00Z,1,1\n"), "f", Options{}), 0)
			warm, warmErr := collect(Read(strings.NewReader(head+before+",1,1\n"+second+",1,1\n"+"2026-03-29T01:10:00Z,1,1\n"), "f", Options{}), 0)
			if (coldErr == nil) != (warmErr == nil) {
				t.Errorf("%q alone: %v; after %q: %v", second, coldErr, before, warmErr)
				continue
			}
			if coldErr == nil && cold[1].Arrival-cold[0].Arrival != warm[2].Arrival-warm[1].Arrival {
				t.Errorf("%q alone is %v before the end, after %q %v", second, cold[1].Arrival, before, warm[2].Arrival-warm[1].Arrival)
			}
		}
	}
}

// A file that cannot be read to its end is an error, and neither a shorter trace nor one in another order.
func TestRead_ends(t *testing.T) {
	broken := errors.New("the disk is broken")
	for name, text := range map[string]string{"azure": azure, "mooncake": mooncake, "rate": rate} {
		_, err := collect(Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "f", Options{}), 0)
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "f: ") {
			t.Errorf("%s: %v, want %v", name, err, broken)
		}
	}
	back := mooncake + `{"timestamp": 2999, "input_length": 1, "output_length": 1}` + "\n"
	if _, err := collect(Read(strings.NewReader(back), "f", Options{}), 0); err == nil || err.Error() != "f: line 3, timestamp: it must be "+inOrder {
		t.Errorf("a request that comes before the last: %v", err)
	}
	named := Options{Columns: map[string]string{"time": "a", "input": "b", "output": "c"}}
	if _, err := collect(Read(strings.NewReader("\"a\n"), "f", named), 0); err == nil || !strings.HasPrefix(err.Error(), "f: line 1: no CSV header") {
		t.Errorf("a header with an open quote: %v", err)
	}
}

// A copy's prefix is its own: the same in the same copy of the next request, and in no other copy.
func TestRead_scaleCopiesPrefixes(t *testing.T) {
	text := `{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [5, 6]}` + "\n" +
		`{"timestamp": 60000, "input_length": 1, "output_length": 1, "hash_ids": [5, 7]}` + "\n" +
		`{"timestamp": 120000, "input_length": 1, "output_length": 1}` + "\n"
	all, err := collect(Read(strings.NewReader(text), "f", Options{Scale: 3}), 0)
	if err != nil || len(all) != 9 {
		t.Fatalf("%d requests, %v; want 9", len(all), err)
	}
	firsts := func(part []Request) (blocks []int64) {
		for _, q := range part {
			if len(q.Blocks) != 2 || q.Blocks[0] == q.Blocks[1] {
				t.Fatalf("%+v, want two blocks", q)
			}
			blocks = append(blocks, q.Blocks[0])
		}
		slices.Sort(blocks)
		return blocks
	}
	a, b := firsts(all[:3]), firsts(all[3:6])
	if !reflect.DeepEqual(a, b) || len(slices.Compact(slices.Clone(a))) != 3 || !slices.Contains(a, 5) {
		t.Errorf("first blocks %v and %v, want three of them, and the same", a, b)
	}
	for _, q := range all[6:] {
		if q.Blocks != nil || q.Arrival < 120*time.Second || q.Arrival > 122*time.Second {
			t.Errorf("%+v, want no blocks, within 2 s of 2 min", q)
		}
	}
}
