package collector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func realPage(b *testing.B) string {
	b.Helper()
	for _, name := range []string{"vllm-0.32.0-loaded", "llm-d-inference-sim-0.10.2-loaded"} {
		if page, err := os.ReadFile(filepath.Join("engine/testdata", name+".prom.txt")); err == nil {
			return string(page)
		}
	}
	b.Fatal("no page")
	return ""
}

// BenchmarkScrape reads a real engine's page from a server of net/http, one whole scrape
// after the other:
//
//	go test ./pkg/collector -run '^$' -bench Scrape -count 10 -benchmem
func BenchmarkScrape(b *testing.B) {
	page := realPage(b)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(page)) }))
	defer server.Close()
	c, t := addrTarget(Options{}, server.Listener.Addr().String())
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		scrapeOnce(c, t)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "targets/s")
	if t.misses > 0 {
		b.Fatal("a scrape failed")
	}
}

// BenchmarkObserve reads what is known of revisions of different sizes.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			c, _ := addrTarget(Options{}, "10.0.0.1:8000")
			c.SetPods(rev, ready(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Observe(rev); !ok {
					b.Fatal("not watched")
				}
			}
		})
	}
}
