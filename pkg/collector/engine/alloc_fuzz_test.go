package engine

import (
	"bytes"
	"runtime"
	"testing"
)

// maxAllocPerByte bounds the bytes that a new parser allocates for each byte of a page,
// beyond a fixed part for its tables. The set of series is the largest part: a series
// has at least 30 bytes of page and takes up to 80 bytes of a growing map.
const (
	maxAllocPerByte = 24
	fixedAlloc      = 128 << 10
)

// FuzzParseAllocates holds that no page makes the parser allocate much more than the
// page has, and that the parser does not keep room for a large page for good.
func FuzzParseAllocates(f *testing.F) {
	for _, page := range pages(f) {
		f.Add(page)
	}
	for _, page := range oddPages {
		f.Add([]byte(page))
	}
	f.Add(linesOf(64<<10, "vllm:num_requests_running{e=\"%d\"} 1\n"))
	f.Add(linesOf(64<<10, "sglang:num_running_reqs{dp_rank=\"%d\"} 1\n")[:30<<10])
	f.Add([]byte("vllm:num_requests_running{" + string(bytes.Repeat([]byte(`a="",`), 10_000)) + "} 1\n"))
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, name := range []string{"", "vllm", "sglang", Picker} {
			if got := allocated(t, name, page); got > maxAllocPerByte*uint64(len(page))+fixedAlloc {
				t.Errorf("engine %q: %d bytes allocated for a page of %d bytes", name, got, len(page))
			}
		}
	})
}

// allocated is how many bytes a new parser allocates for one page.
func allocated(t *testing.T, name string, page []byte) uint64 {
	t.Helper()
	p, err := NewTables().NewParser(name, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var s Stat
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = p.Parse(page, &s)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
