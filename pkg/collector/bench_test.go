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

// BenchmarkScrape reads a real engine's page, whole scrapes at once as many as
// there are processors:
//
//	go test ./pkg/collector -run '^$' -bench Scrape -count 10 -benchmem
func BenchmarkScrape(b *testing.B) {
	page := realPage(b)
	b.Run("transport=memory", func(b *testing.B) {
		pods := newFakePods()
		pods.enginePage("10.0.0.1", page)
		c, t := addrTarget(Options{Transport: quietPods{pods.pods["10.0.0.1"]}}, "10.0.0.1:8000")
		benchmarkScrape(b, c, t, len(page))
	})
	b.Run("transport=loopback", func(b *testing.B) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(page)) }))
		defer server.Close()
		c, t := addrTarget(Options{}, server.Listener.Addr().String())
		c.o.Transport.(*http.Transport).MaxIdleConnsPerHost = 64 // one server stands for many pods
		benchmarkScrape(b, c, t, len(page))
	})
}

// quietPods answers without keeping books.
type quietPods struct{ pod *fakePod }

func (q quietPods) RoundTrip(r *http.Request) (*http.Response, error) { return q.pod.enginePage(r) }

func benchmarkScrape(b *testing.B, c *Collector, t *target, size int) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			scrapeOnce(b.Context(), c, t)
		}
	})
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
