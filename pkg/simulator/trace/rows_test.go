package trace

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzRows: rows that are cut at their commas are those of encoding/csv, on
// the same lines, up to the same error.
func FuzzRows(f *testing.F) {
	for _, text := range []string{
		azure, azure24, burstgpt, columns, "a,b\n\n1,2\r\n\"1\n2\",3\n4,5\n6\n", "a,b\n1,2\n\"x\n", "a\n\"\n\n\"\n1\n2\"\n", "a,b\n1,2\n3\"4,5\n", "a,b\n1,2\n3,4",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fast, err := newRows(bufio.NewReader(strings.NewReader(text)))
		slow, slowErr := newRows(bufio.NewReader(strings.NewReader(text)))
		if fmt.Sprint(err) != fmt.Sprint(slowErr) || err != nil {
			return
		}
		slow.in = bufio.NewReader(strings.NewReader("")) // no row is ever whole in it
		for err == nil {
			err, slowErr = fast.next(), slow.next()
			if fmt.Sprint(err) != fmt.Sprint(slowErr) {
				t.Fatalf("%q: error %v, of encoding/csv %v", text, err, slowErr)
			}
			if err == nil && (!slices.Equal(fast.record, slow.record) || fast.line(0) != slow.line(0) || fast.last != slow.last) {
				t.Fatalf("%q: %q on lines %d to %d, of encoding/csv %q on %d to %d", text, fast.record, fast.line(0), fast.last, slow.record, slow.line(0), slow.last)
			}
		}
	})
}

// FuzzLately: a date after another is what it is alone.
func FuzzLately(f *testing.F) {
	for _, pair := range [][2]string{
		{"2023-11-16 18:15:46.6805900", "2023-11-16 18:15:50"}, {"2023-11-16 18:15:46", "2023-11-16 18:15:60"},
		{"2024-05-10 00:00:00.009930+00:00", "2024-05-10 00:00:01.009930+00:00"}, {"2024-05-10 00:00:00.5-02:30", "2024-05-10 00:00:59.123456789-02:30"},
		{"2026-01-01T00:00:00Z", "2026-01-01T00:00:02"}, {"2023-01-01 5:04:06.5", "2023-01-01 5:04:07.5"}, {"2023-01-01 05:04:06,5", "2023-01-01 05:04:07,5"},
		{"1970-01-01 00:00:00+14:00", "1970-01-01 00:00:09+14:00"}, {"2023-01-01 05:04:06", "2023-01-01 05:04:07."},
	} {
		f.Add(pair[0], pair[1])
	}
	read := func(r *rows, date string) (time.Duration, error) {
		r.record = []string{date}
		return r.time(0)
	}
	f.Fuzz(func(t *testing.T, first, then string) {
		after := rows{header: []string{"date"}, byPlain: true}
		alone := after
		read(&after, first)
		got, err := read(&after, then)
		want, wantErr := read(&alone, then)
		if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%q after %q: %v, %v; alone %v, %v", then, first, got, err, want, wantErr)
		}
	})
}
