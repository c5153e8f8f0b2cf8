package recording

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReplay changes one place of a recording that this program wrote. Replay decides
// every entry before the place; it ends with an error or with every entry decided.
func FuzzReplay(f *testing.F) {
	lines := recorded(f)
	f.Add(uint16(3), uint16(40), uint8(1), "-1")
	f.Add(uint16(1), uint16(9), uint8(0), `"spec":{},`)
	f.Add(uint16(5), uint16(200), uint8(3), "1e308")
	f.Fuzz(func(t *testing.T, line, column uint16, drop uint8, insert string) {
		i := int(line) % len(lines)
		s := lines[i]
		from := int(column) % (len(s) + 1)
		to := min(from+int(drop), len(s))
		changed := append([]string(nil), lines...)
		changed[i] = s[:from] + insert + s[to:]
		got, err := Replay(Read(strings.NewReader(zip(strings.Join(changed, "\n")+"\n")), "fuzz"))
		// The first line is the header: line i is the decision i.
		if before := i - 1; got.Decisions < before {
			t.Fatalf("%d decisions and error %v, want the %d before the changed line", got.Decisions, err, before)
		}
		if got.Identical > got.Decisions {
			t.Fatalf("%d of %d are identical", got.Identical, got.Decisions)
		}
	})
}

// recorded returns the lines of a short recording.
func recorded(f *testing.F) []string {
	path := filepath.Join(f.TempDir(), "run.gz")
	record(f, path, 1<<30, 12)
	file, err := os.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		f.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
