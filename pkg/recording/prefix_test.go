package recording

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A recording that was cut anywhere reads as the beginning of the whole one: an entry is
// whole or not there, and none is another.
func TestRead_everyBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.gz")
	record(t, path, 1<<30, 60)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := entries(t, raw)
	if len(whole) != 60 {
		t.Fatalf("the whole recording has %d entries, want 60", len(whole))
	}
	longest := 0
	for cut := 0; cut < len(raw); cut += 1 + len(raw)/80 {
		got := entries(t, raw[:cut])
		if len(got) > len(whole) || !slices.Equal(got, whole[:len(got)]) {
			t.Fatalf("the first %d of %d bytes: an entry differs from the whole recording", cut, len(raw))
		}
		if len(got) < longest {
			t.Fatalf("the first %d bytes have %d entries, fewer bytes had %d", cut, len(got), longest)
		}
		longest = len(got)
	}
	if longest == 0 {
		t.Error("no cut recording had an entry: the test shows nothing")
	}
}

// entries are those before the first error, as JSON, for NaN is not equal to itself.
func entries(t *testing.T, raw []byte) []string {
	var all []string
	for e, err := range Read(bytes.NewReader(raw), "cut") {
		if err != nil {
			break
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
