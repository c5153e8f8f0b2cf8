package collector

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestSamePod(t *testing.T) {
	for location, want := range map[string]string{
		"http://10.0.0.1:8000/metrics/":         "/metrics/",
		"/metrics/":                             "/metrics/",
		"/metrics/?model=a%20b":                 "/metrics/?model=a%20b",
		"":                                      "",
		"metrics/":                              "/v1/metrics/",
		"./a/../metrics/#part":                  "/v1/metrics/",
		"?format=text":                          "/v1/metrics?format=text",
		"//10.0.0.1:8000/metrics/":              "/metrics/",
		"HTTP://10.0.0.1:8000/metrics/":         "/metrics/",
		"//10.0.0.2:8000/metrics/":              "",
		"http:/metrics/":                        "",
		"https://10.0.0.1:8000/metrics/":        "",
		"http://10.0.0.1:9000/metrics/":         "",
		"http://10.0.0.2:8000/metrics/":         "",
		"http://x@10.0.0.1:8000/metrics/":       "",
		"http://10.0.0.1:8000":                  "",
		"/metrics/?a b":                         "",
		"/metrics\r\nX: y":                      "",
		"http://169.254.169.254/latest/meta-da": "",
	} {
		if got, ok := samePod(location, "http://10.0.0.1:8000/v1/metrics"); ok != (want != "") || ok && got != want {
			t.Errorf("samePod(%q) = %q, %t; want %q", location, got, ok, want)
		}
	}
}

// A URL that names no port is on the port of its scheme.
func TestSamePod_defaultPort(t *testing.T) {
	for _, tt := range []struct {
		asked, location string
		want            bool
	}{
		{"http://10.0.0.1:80/metrics", "http://10.0.0.1/metrics/", true},
		{"https://10.0.0.1:443/metrics", "https://10.0.0.1/metrics/", true},
		{"http://[fd00::1]:80/metrics", "http://[fd00::1]/metrics/", true},
		{"http://10.0.0.1:8000/metrics", "http://10.0.0.1/metrics/", false},
		{"http://10.0.0.1:443/metrics", "https://10.0.0.1/metrics/", false},
	} {
		if uri, ok := samePod(tt.location, tt.asked); ok != tt.want {
			t.Errorf("from %s to %s: %q, %t; want %t", tt.asked, tt.location, uri, ok, tt.want)
		}
	}
}

func FuzzSamePod(f *testing.F) {
	f.Add("http://10.0.0.1:8000/metrics/")
	f.Add("/a?b c\r\n")
	f.Fuzz(func(t *testing.T, location string) {
		uri, ok := samePod(location, "http://10.0.0.1:8000/metrics")
		if !ok {
			return
		}
		if uri[0] != '/' {
			t.Errorf("%q leads to %q", location, uri)
		}
		for _, b := range []byte(uri) {
			if b <= ' ' || b >= 0x7f {
				t.Errorf("%q leads to %q, which does not fit into a request line", location, uri)
			}
		}
	})
}

// /metrics answers 307 to /metrics/ on the same host and port: followed once, and asked
// for directly from then on.
func TestPoll_aRedirectOnThePodIsFollowedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		asked := map[string]int{}
		w.set("10.0.0.1", func(p *fakePod) {
			p.enginePage = func(r *http.Request) (*http.Response, error) {
				asked[r.URL.Path]++
				if r.URL.Path != "/metrics/" {
					moved := ok("text/plain", "")
					moved.StatusCode = http.StatusTemporaryRedirect
					moved.Header.Set("Location", "http://10.0.0.1:8000/metrics/")
					return moved, nil
				}
				return ok("text/plain", vllmPage(3, 2, 0.5, 1, 1)), nil
			}
		})
		after(10 * time.Second)
		o, _ := w.Observe(rev)
		if p := o.Pods[0]; p.Running != 3 || p.Waiting != 2 || len(w.Problems(rev, time.Now())) > 0 {
			t.Errorf("%+v, %+v; want 3 running, 2 waiting", p, w.Problems(rev, time.Now()))
		}
		if asked["/metrics"] != 1 || asked["/metrics/"] < 10 {
			t.Errorf("asked %v, want /metrics once", asked)
		}
	})
}

// A redirect that leads to a redirect is a problem in words.
func TestPoll_redirectsInACircle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		n := 0
		w.set("10.0.0.1", func(p *fakePod) {
			p.enginePage = func(r *http.Request) (*http.Response, error) {
				n++
				moved := ok("text/plain", "")
				moved.StatusCode = http.StatusFound
				moved.Header.Set("Location", "/metrics/"+r.URL.Path[1:2])
				return moved, nil
			}
		})
		after(10 * time.Second)
		if got := w.Problems(rev, time.Now()); len(got) != 1 || got[0].Cause != "redirect" || n > 60 {
			t.Errorf("%+v after %d requests", got, n)
		}
	})
}
