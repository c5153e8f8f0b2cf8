package recording

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// filled sets every float of a value, slices of pods and buckets included.
func filled(v reflect.Value, x float64) {
	switch v.Kind() {
	case reflect.Float64:
		v.SetFloat(x)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				filled(v.Field(i), x)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			filled(v.Index(i), x)
		}
	default: // has no reading
	}
}

// One absurd page does not end the recording. A decision whose numbers JSON cannot hold is left
// out; what comes after it is recorded and replayed.
func TestWriter_goesOnAfterAbsurdReadings(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300} {
		path := filepath.Join(t.TempDir(), "run.gz")
		w, err := Create(path, "test", 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		rng, state := rand.New(rand.NewPCG(1, 2)), decider.State{}
		for i := range 3 {
			o := observation(rng, i, 2)
			if i == 1 {
				filled(reflect.ValueOf(&o).Elem(), x)
			}
			d, next, err := decider.Decide(spec(), state, o)
			if err != nil {
				t.Fatal(err)
			}
			w.Record("default/llm-00001", spec(), state, o, d, false)
			state = next
		}
		if err := w.Close(); err != nil {
			t.Errorf("readings of %v: %v", x, err)
			continue
		}
		want := 3
		if math.IsNaN(x) || math.IsInf(x, 0) {
			want = 2
		}
		if got, err := Replay(Open(path)); err != nil || got.Decisions != want || got.Identical != want {
			t.Errorf("readings of %v: replayed %+v, %v; want %d, all the same", x, got, err, want)
		}
	}
}

// counted is a recording of one revision whose queue-proxies counted these arrivals at these seconds.
func counted(at []float64, arrivals []decider.Reading) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i := range at {
			o := decider.Observation{Time: began.Add(time.Duration(at[i] * float64(time.Second))), Arrivals: arrivals[i]}
			if !yield(Entry{Revision: "a/b", Observation: o}, nil) {
				return
			}
		}
	}
}

// What cannot have been counted is a gap in the load, and neither millions of requests nor time that runs back.
func TestArrivalsOf_absurdCounters(t *testing.T) {
	nan := decider.Unknown()
	for _, c := range []struct {
		name         string
		at           []float64
		arrivals     []decider.Reading
		requests     int
		gaps, length time.Duration
	}{
		{"steady", []float64{0, 2, 4}, []decider.Reading{0, 10, 20}, 20, 0, 4 * time.Second},
		{"never known", []float64{0, 2, 4}, []decider.Reading{nan, nan, nan}, 0, 4 * time.Second, 4 * time.Second},
		{"unknown in between", []float64{0, 2, 4, 6}, []decider.Reading{0, nan, 20, 30}, 10, 4 * time.Second, 6 * time.Second},
		{"restarted", []float64{0, 2, 4}, []decider.Reading{50, 5, 15}, 10, 2 * time.Second, 4 * time.Second},
		{"negative", []float64{0, 2, 4}, []decider.Reading{-10, 0, 10}, 10, 2 * time.Second, 4 * time.Second},
		{"huge", []float64{0, 2, 4, 6}, []decider.Reading{0, 1e15, 1e15, 1e15 + 8}, 8, 2 * time.Second, 6 * time.Second},
		{"infinite", []float64{0, 2, 4}, []decider.Reading{0, decider.Reading(math.Inf(1)), 10}, 0, 4 * time.Second, 4 * time.Second},
		{"a clock that goes back", []float64{0, 10, 8, 12}, []decider.Reading{0, 100, 101, 120}, 120, 0, 12 * time.Second},
		{"no time between", []float64{0, 0, 2}, []decider.Reading{0, 10, 20}, 20, 0, 2 * time.Second},
	} {
		a, err := ArrivalsOf(counted(c.at, c.arrivals), "", rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Requests) != c.requests || a.Gaps != c.gaps || a.Span != c.length || a.Counted != float64(c.requests) {
			t.Errorf("%s: %d requests (%v counted), gaps of %v in %v; want %d, %v in %v", c.name, len(a.Requests), a.Counted, a.Gaps, a.Span, c.requests, c.gaps, c.length)
		}
		for i := 1; i < len(a.Requests); i++ {
			if a.Requests[i].Arrival < a.Requests[i-1].Arrival {
				t.Errorf("%s: request %d comes before the one before", c.name, i)
				break
			}
		}
	}
}

// A recording that cannot be used says why.
func TestArrivalsOf_refuses(t *testing.T) {
	broken := errors.New("run:7: longer")
	for want, entries := range map[string]iter.Seq2[Entry, error]{
		`holds several revisions, at least [a/b a/c]: name one`: func(yield func(Entry, error) bool) {
			_ = yield(Entry{Revision: "a/b", Observation: decider.Observation{Time: began}}, nil) && yield(Entry{Revision: "a/c", Observation: decider.Observation{Time: began}}, nil)
		},
		`holds nothing of revision ""; it has []`: func(func(Entry, error) bool) {},
		"run:7: longer": func(yield func(Entry, error) bool) { yield(Entry{}, broken) },
	} {
		if _, err := ArrivalsOf(entries, "", rand.New(rand.NewPCG(1, 2))); err == nil || err.Error() != want && err.Error() != "the recording "+want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
