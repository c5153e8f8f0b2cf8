package cases

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

var revision = collector.Key{Namespace: "default", Name: "llm-00001"}

const vllmPage = "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_waiting{engine=\"0\"} 2\n"

// collect reads a server as the engine of the only pod until done, for at most 10 s.
func collect(t *testing.T, server *httptest.Server, spec collector.Spec, done func(*collector.Collector) bool) {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	spec.Key, spec.EngineOnly, spec.PortNamed = revision, true, true
	spec.StableWindow, spec.PanicWindow = time.Minute, 6*time.Second
	if spec.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	c := collector.New(collector.Options{})
	c.Watch(spec)
	c.SetPods(revision, []collector.Pod{{Name: "p1", UID: "1", IP: host, Ready: true, Created: time.Now()}})
	go c.Run(t.Context())
	for end := time.Now().Add(10 * time.Second); !done(c); {
		if time.Now().After(end) {
			o, _ := c.Observe(revision)
			t.Fatalf("after 10 s: %+v, %+v, %+v", c.Endpoint(revision), c.Problems(revision, time.Now()), o.Pods)
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo a real server in real time
	}
}

// isRead reports whether the page's 3 running and 2 waiting requests are known.
func isRead(c *collector.Collector) bool {
	o, ok := c.Observe(revision)
	return ok && len(o.Pods) == 1 && o.Pods[0].Running == 3 && o.Pods[0].Waiting == 2
}

// has returns whether a problem of a cause is there.
func has(cause string) func(*collector.Collector) bool {
	return func(c *collector.Collector) bool {
		p := c.Problems(revision, time.Now())
		return len(p) == 1 && p[0].Cause == cause
	}
}

// GET /metrics answers 307 to /metrics/ on the same host.
func TestEndpoints_redirectedPage(t *testing.T) {
	if !strings.Contains(string(read(t, "redirected-page/response.txt")), "307") {
		t.Fatal("the case has changed")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics/" {
			http.Redirect(w, r, "http://"+r.Host+"/metrics/", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write([]byte(vllmPage))
	}))
	defer server.Close()
	collect(t, server, collector.Spec{}, isRead)
}

// The engine serves only https, or wants a token: the cause has a name, and https is
// spoken where the annotation says so.
func TestEndpoints_tlsAndToken(t *testing.T) {
	input(t, "tls-and-token/server.txt")
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(vllmPage))
	})
	secure := httptest.NewUnstartedServer(page)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	collect(t, secure, collector.Spec{}, has("tls"))
	collect(t, secure, collector.Spec{TLS: true}, has("unauthorized"))
	open := httptest.NewServer(page)
	defer open.Close()
	collect(t, open, collector.Spec{}, has("unauthorized"))
}
