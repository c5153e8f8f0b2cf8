package collector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func page(body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return ok("text/plain", body), nil }
}

func redirect(*http.Request) (*http.Response, error) {
	r := ok("text/plain", "")
	r.StatusCode = http.StatusFound
	r.Header.Set("Location", "https://login.example.com/"+strings.Repeat("x", 1000))
	return r, nil
}

// Problems names each cause in words, with the pods that have it and since when.
func TestProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(6)...)
		for i := range 6 {
			w.load(fmt.Sprintf("10.0.0.%d", i+1), 1, 1)
		}
		w.engine("10.0.0.1", 1, 0, 0.1)
		for ip, f := range map[string]func(*http.Request) (*http.Response, error){
			"10.0.0.2": redirect, "10.0.0.3": status(401), "10.0.0.4": page("python_info 1\n"), "10.0.0.5": hang, "10.0.0.6": hang,
		} {
			w.set(ip, func(p *fakePod) { p.enginePage = f })
		}
		start := time.Now()
		after(10 * time.Second)
		got := w.Problems(rev, time.Now())
		want := []Problem{
			{Source: "engine", Cause: "timeout", Pods: 2, Of: 6, Pod: "p5", Message: "context deadline exceeded"},
			{Source: "engine", Cause: "not_engine", Pods: 1, Of: 6, Pod: "p4"},
			{Source: "engine", Cause: "redirect", Pods: 1, Of: 6, Pod: "p2"},
			{Source: "engine", Cause: "unauthorized", Pods: 1, Of: 6, Pod: "p3", Message: "HTTP status 401"},
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Problem{}, "Since", "Message", "Port", "URI")); diff != "" {
			t.Errorf("Problems (-want +got):\n%s", diff)
		}
		for _, p := range got {
			if p.Since.Sub(start) > 2*time.Second || p.Message == "" || len(p.Message) > 200 {
				t.Errorf("%s since %v: %q", p.Cause, p.Since.Sub(start), p.Message)
			}
		}
		w.engine("10.0.0.2", 1, 0, 0.1)
		after(2 * time.Second)
		if got := w.Problems(rev, time.Now()); len(got) != 3 {
			t.Errorf("after one pod recovered: %+v, want three causes", got)
		}
	})
}

// The answer of the pod shows which annotation is wrong.
func TestProblems_kinds(t *testing.T) {
	for _, tt := range []struct{ name, response, want string }{
		{"to https on the pod", "HTTP/1.1 307 Moved\r\nLocation: https://127.0.0.1/metrics\r\nContent-Length: 0\r\n\r\n", "redirect_tls"},
		{"to a login", "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/\r\nContent-Length: 0\r\n\r\n", "redirect"},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", "not_http"},
		{"a long header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 5000) + "\r\nContent-Length: 0\r\n\r\n", "malformed"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", "malformed"},
		{"gzip in name only", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 11\r\n\r\npython_a 1\n", "content_type"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_, _ = conn.Write([]byte(tt.response))
				_ = conn.Close()
			}
		}))
		c, target := addrTarget(Options{Timeout: time.Minute, MaxTimeout: time.Minute}, server.Listener.Addr().String())
		scrapeOnce(c, target)
		server.Close()
		if got := c.Problems(rev, time.Now()); len(got) != 1 || got[0].Cause != tt.want {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
}

// A page that is too large is asked for at growing intervals, and at the usual
// ones once it is small again.
func TestPoll_tooLargeIsBackedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.enginePage("10.0.0.1", strings.Repeat("# "+strings.Repeat("x", 1000)+"\n", 3000))
		after(2 * time.Minute)
		if n := w.count("10.0.0.1:8000"); n < 6 || n > 10 {
			t.Errorf("asked %d times in two minutes, want 6 to 10", n)
		}
		if got := w.Problems(rev, time.Now()); len(got) != 1 || got[0].Cause != "too_large" || !strings.Contains(got[0].Message, "larger than 2097152 bytes") {
			t.Errorf("Problems = %+v, want too_large", got)
		}
		w.engine("10.0.0.1", 1, 0, 0.1)
		after(maxRest + time.Second)
		n := w.count("10.0.0.1:8000")
		after(10 * time.Second)
		if got := w.count("10.0.0.1:8000") - n; got < 19 {
			t.Errorf("asked %d times in the ten seconds after it became small, want 20", got)
		}
	})
}

// A plain application is asked for an engine's page less and less often: it serves each such
// request. One that turns out to be an engine, or was one, or is called one, is asked as usual.
func TestPoll_plainApplicationIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]func(*http.Request) (*http.Response, error){
			"a page of another program": page("python_info 1\n"), "text": page("Hello World!\n"), "404": status(404), "500": status(500),
			"a login": status(302), "401": status(401), "403": status(403),
		} {
			w := newWorld(t, ready(1)...)
			asked := func(d time.Duration) int {
				n := w.count("10.0.0.1:8000")
				after(d)
				return w.count("10.0.0.1:8000") - n
			}
			w.load("10.0.0.1", 1, 1)
			w.set("10.0.0.1", func(p *fakePod) { p.enginePage = answer })
			if n := asked(time.Minute); n < 4 || n > 10 {
				t.Errorf("%s: asked %d times in the first minute, want 4 to 10", name, n)
			}
			if n := asked(10 * time.Minute); n > 60 {
				t.Errorf("%s: asked %d times in ten minutes more, want at most 60", name, n)
			}
			w.engine("10.0.0.1", 1, 0, 0.1)
			after(maxForeignRest + time.Second)
			if n := asked(10 * time.Second); n < 19 {
				t.Errorf("%s: an engine is asked %d times in ten seconds, want 20", name, n)
			}
			w.set("10.0.0.1", func(p *fakePod) { p.enginePage = answer })
			if n := asked(10 * time.Second); n < 19 {
				t.Errorf("%s: what was an engine is asked %d times in ten seconds, want 20", name, n)
			}
		}
	})
}
