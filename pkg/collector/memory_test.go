package collector

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// longPage returns an 8 MiB metrics page: the beginning of a vLLM page and then
// lines of the given format with a running number.
func longPage(line string) []byte {
	var b bytes.Buffer
	b.WriteString("vllm:num_requests_running 1\n")
	for i := 0; b.Len() < 8<<20-200; i++ {
		fmt.Fprintf(&b, line, i)
	}
	return b.Bytes()
}

// liveHeap returns the bytes of live objects.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// One pod with a long page visits every scratch in turn. None may keep the page.
func TestScrape_longPagesLeaveNothingBehind(t *testing.T) {
	for name, line := range map[string]string{
		"lines of a known family": `vllm:num_requests_running{engine="%d"} 1` + "\n",
		"lines that nobody reads": `python_gc_objects_collected_total{generation="%d"} 1` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			page := longPage(line)
			c, target := httpTarget(t, Options{Parallelism: 16, Timeout: 10 * time.Second}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(page)
			}))
			before := liveHeap()
			for range 2 * cap(c.lanes.healthy) {
				scrapeOnce(t.Context(), c, target)
			}
			if grown := int64(liveHeap()) - int64(before); grown > 16<<20 {
				t.Errorf("after %d scrapes of a page of %d KiB, %d MiB stay in memory, want at most 16", 2*cap(c.lanes.healthy), len(page)>>10, grown>>20)
			}
		})
	}
}
