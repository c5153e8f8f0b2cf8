package recording

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// contents describes each entry of a file: spec20+state for an entry with a spec of max-scale 20 and
// a state, 0 for an entry with neither.
func contents(t *testing.T, path string) (text string) {
	t.Helper()
	for e, err := range Open(path) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Spec != nil && e.State != nil:
			text += fmt.Sprintf(" spec%d+state", e.Spec.MaxReplicas)
		case e.Spec != nil:
			text += fmt.Sprintf(" spec%d", e.Spec.MaxReplicas)
		case e.State != nil:
			text += " state"
		default:
			text += " 0"
		}
	}
	return strings.TrimSpace(text)
}

// The first entry of a revision has its spec and state; later ones have a spec only where it changed.
// What JSON cannot hold is left out, and the revision begins anew after it, as it does after Forget.
func TestWriter_entries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	w, err := Create(path, "test", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	put := func(revision string, most int32, bound float64) {
		s, o := spec(), observation(rng, 1, 1)
		s.MaxReplicas, o.Pods[0].Totals.TTFT.Bounds[0] = most, bound
		w.Record(revision, s, decider.State{}, o, decider.Decision{Replicas: 1, Reason: "x"}, false)
	}
	put("a/a", 20, 1)
	put("a/a", 20, 1)
	put("a/b", 20, 1)
	put("a/a", 12, 1)
	put("a/a", 12, math.Inf(1))
	put("a/a", 12, 1)
	put("a/b", 20, 1)
	w.Forget("a/b")
	put("a/b", 20, 1)
	put("a/b", 20, 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const want = "spec20+state 0 spec20+state spec12 spec12+state 0 spec20+state 0"
	if got := contents(t, path); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is recorded can be read after Flush, at most once a second; after Close nothing more is written.
func TestWriter_flush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	synctest.Test(t, func(t *testing.T) {
		w, err := Create(path, "test", 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		put := func() {
			o := decider.Observation{Time: began} // never late enough for a flush of its own
			w.flushed = began
			w.Record("a/a", spec(), decider.State{}, o, decider.Decision{}, false)
		}
		readable := func(want int, when string) {
			t.Helper()
			n := 0
			for _, err := range Open(path) {
				if err == nil {
					n++
				}
			}
			if n != want {
				t.Errorf("%s: %d entries can be read, want %d", when, n, want)
			}
		}
		put()
		readable(0, "before Flush")
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		readable(1, "after Flush")
		put()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		readable(1, "at once again")
		time.Sleep(readEvery)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		readable(2, "a second later")
		if err := w.Err(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		put()
		readable(2, "after Close")
		if err := w.Err(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A disk that takes no more ends the recording and says why; decisions go on.
func TestWriter_fails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	w, err := Create(path, "test", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.file.Close(); err != nil { // as good as a full disk
		t.Fatal(err)
	}
	for i := range 3 {
		w.Record("a/a", spec(), decider.State{}, decider.Observation{Time: began.Add(time.Duration(i) * time.Minute)}, decider.Decision{}, false)
	}
	first := w.Err()
	if first == nil {
		t.Fatal("no error")
	}
	if err := w.Flush(); !errors.Is(err, first) {
		t.Errorf("Flush: %v, want %v", err, first)
	}
	if err := w.Close(); !errors.Is(err, first) {
		t.Errorf("Close: %v, want %v", err, first)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "no", "run.gz"), "test", 1); err == nil || !strings.Contains(err.Error(), "--record") {
		t.Errorf("a folder that is not there: %v, want an error that names --record", err)
	}
}

// A fleet whose entry is longer than the reader's buffer is read whole; after a broken line there is nothing more.
func TestRead_lines(t *testing.T) {
	const head = `{"format":"ipa-recording","version":1}` + "\n"
	long := fmt.Sprintf(`{"rev":"a/%s","obs":{}}`+"\n", strings.Repeat("b", 300_000))
	for _, c := range []struct {
		name, text string
		entries    int
		wrong      string
	}{
		{"long", head + long + long, 2, ""},
		{"broken in the middle", head + `{"rev":"a/b","obs":{}}` + "\n{\n" + `{"rev":"a/b","obs":{}}` + "\n", 1, "run:3: "},
		{"a field of a later version", head + `{"rev":"a/b","obs":{},"new":1}` + "\n", 0, `run:2: json: unknown field "new"`},
		{"a later header may have more", `{"format":"ipa-recording","version":1,"new":1}` + "\n" + `{"rev":"a/b","obs":{}}` + "\n", 1, ""},
		{"a header that is no object", "7\n", 0, "run:1: json"},
	} {
		n, wrong := 0, ""
		for _, err := range Read(strings.NewReader(zip(c.text)), "run") {
			if wrong != "" {
				t.Errorf("%s: something comes after %q", c.name, wrong)
			}
			if err != nil {
				wrong = err.Error()
				continue
			}
			n++
		}
		if n != c.entries || !strings.HasPrefix(wrong, c.wrong) || (wrong == "") != (c.wrong == "") {
			t.Errorf("%s: %d entries and %q, want %d and %q", c.name, n, wrong, c.entries, c.wrong)
		}
	}
}

// Replay describes the first decision that came out differently, counts the others, and stops at
// one that cannot be made.
func TestReplay_differs(t *testing.T) {
	s, broken := spec(), spec()
	broken.MinReplicas = -1
	rng := rand.New(rand.NewPCG(1, 2))
	var entries []Entry
	state, replicas := decider.State{}, int32(1)
	for i := range 6 {
		o := observation(rng, i, replicas)
		d, next, err := decider.Decide(s, state, o)
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{Revision: "a/b", Observation: o, Replicas: d.Replicas, Reason: d.Reason}
		if i == 0 {
			e.Spec, e.State = &s, &decider.State{}
		}
		entries, state, replicas = append(entries, e), next, d.Replicas
	}
	all := func(yield func(Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	entries[2].Replicas += 5
	entries[4].Reason = "another"
	got, err := Replay(all)
	if err != nil || got.Decisions != 6 || got.Identical != 4 ||
		!strings.HasPrefix(got.First, fmt.Sprintf("a/b at 08:00:04.000: recorded %d (%s), now %d replica", entries[2].Replicas, entries[2].Reason, entries[2].Replicas-5)) {
		t.Errorf("%+v, %v", got, err)
	}
	entries[3].Spec = &broken
	if got, err := Replay(all); err == nil || !strings.HasPrefix(err.Error(), "a/b at 08:00:06.000: ") || got.Decisions != 3 {
		t.Errorf("a spec that cannot be: %+v, %v", got, err)
	}
}
