package collector

import (
	"compress/gzip"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// gzipped answers a page with a name of the coding.
func gzipped(coding string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		z := gzip.NewWriter(w)
		z.Write([]byte(vllmPage(3, 2, 0.5, 10, 20)))
		z.Close()
	}
}

// httpTarget returns a collector and an engine target at a real server.
func httpTarget(t testing.TB, o Options, h http.Handler) (*Collector, *target) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return addrTarget(o, u.Host)
}

func addrTarget(o Options, addr string) (*Collector, *target) {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	c := New(o)
	c.Watch(Spec{Key: rev, Port: n, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	c.SetPods(rev, []Pod{{Name: "p1", UID: "u1", IP: host, Ready: true}})
	return c, c.revisions[rev].pods["u1"].targets[enginePage]
}

func scrapeOnce(c *Collector, t *target) {
	s := c.takeScratch()
	c.scrapeSafely(t, s)
	c.giveScratch(s)
}

func TestScrape_overHTTP(t *testing.T) {
	page := vllmPage(3, 2, 0.5, 10, 20)
	tests := []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"plain", "ok", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(page)) }},
		{"gzip that nobody asked for", "ok", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "identity" {
				http.Error(w, "compression asked for", http.StatusTeapot)
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte(page))
			z.Close()
		}},
		{"header", "ok", func(w http.ResponseWriter, r *http.Request) {
			if r.UserAgent() != "knative-inference-autoscaler" || r.URL.Path != "/metrics" || r.Method != "GET" {
				http.Error(w, "not as agreed", http.StatusTeapot)
			}
			w.Write([]byte(page))
		}},
		{"slow to begin", "timeout", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"slow to end", "timeout", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(page))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{"cut", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			w.Write([]byte(page))
		}},
		{"gzip in capitals", "ok", gzipped("GZIP")},
		{"gzip by its old name", "ok", gzipped("x-gzip")},
		{"without the last line end", "ok", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.TrimSuffix(page, "\n")))
		}},
		{"gzip without the last line end", "ok", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte(strings.TrimSuffix(page, "\n")))
			z.Close()
		}},
		{"ends with the connection, within a line", "parse", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n" + strings.TrimSuffix(page, "\n")))
				conn.Close()
			}
		}},
		{"another compression", "content_type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "zstd")
			w.Write([]byte(page))
		}},
		{"bad gzip", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte(page))
		}},
		{"huge", "too_large", func(w http.ResponseWriter, _ *http.Request) {
			line := []byte("# " + strings.Repeat("x", 1000) + "\n")
			for range 1000 {
				w.Write(line)
			}
		}},
		{"huge once unpacked", "too_large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte(strings.Repeat("#\n", 300<<10)))
			z.Close()
		}},
		{"long line", "parse", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("# " + strings.Repeat("x", 70<<10) + "\n" + page))
		}},
		{"redirect", "status", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/other", http.StatusFound)
		}},
		{"not found", "status", http.NotFound},
		{"html", "not_engine", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>\n")) }},
		{"another program", "not_engine", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("go_info 1\n")) }},
		{"absurd", "implausible", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(vllmPage(1, 1e12, 0.5, 1, 1))) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{MaxBody: 512 << 10, Timeout: time.Minute}
			if tt.want == "timeout" {
				o.Timeout = 100 * time.Millisecond
			}
			c, target := httpTarget(t, o, tt.handler)
			scrapeOnce(c, target)
			if testutil.ToFloat64(c.metrics.scrapes.WithLabelValues("engine", tt.want)) != 1 {
				t.Errorf("result is not %s", tt.want)
			}
			known := c.revisions[rev].pods["u1"].observe(time.Now()).Running.Known()
			if want := tt.want == "ok" || tt.want == "implausible"; known != want {
				t.Errorf("running known = %v, want %v", known, want)
			}
		})
	}
}

func TestScrape_refused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c, target := addrTarget(Options{}, l.Addr().String())
	scrapeOnce(c, target)
	if testutil.ToFloat64(c.metrics.scrapes.WithLabelValues("engine", "refused")) != 1 {
		t.Error("result is not refused")
	}
}

func TestScrape_unknownEngine(t *testing.T) {
	c, target := httpTarget(t, Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(vllmPage(1, 1, 0.5, 1, 1)))
	}))
	target.engine = "vlm"
	scrapeOnce(c, target)
	if testutil.ToFloat64(c.metrics.scrapes.WithLabelValues("engine", "config")) != 1 {
		t.Error("result is not config")
	}
}

// A page read in full leaves its connection for the next scrape.
func TestScrape_keepsConnections(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(strings.Repeat(vllmPage(1, 1, 0.5, 1, 1)[:30]+"_other 1\n", 3000) + vllmPage(1, 1, 0.5, 1, 1)))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c, target := addrTarget(Options{}, server.Listener.Addr().String())
	for range 5 {
		scrapeOnce(c, target)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 5 scrapes, want 1", n)
	}
}

// A scrape of a pod that left ends at once and leaves no trace.
func TestScrape_cancelled(t *testing.T) {
	asked := make(chan struct{})
	c, target := httpTarget(t, Options{Timeout: time.Minute}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	go func() { <-asked; c.Forget(rev) }()
	scrapeOnce(c, target)
	if n := testutil.CollectAndCount(c.metrics.scrapes); n != int(sources) { // the ok counters, made at the start
		t.Errorf("%d results counted, want none beside ok", n)
	}
}

func mustObserve(t *testing.T, c *Collector) decider.Observation {
	t.Helper()
	o, ok := c.Observe(rev)
	if !ok {
		t.Fatal("revision is not watched")
	}
	return o
}
