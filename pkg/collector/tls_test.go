package collector

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// certificate is one that nobody has signed, as pods have it.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// first returns a connection whose first byte was read, and whether the byte begins a
// handshake of TLS.
func first(c net.Conn) (net.Conn, bool) {
	in := bufio.NewReader(c)
	b, err := in.Peek(1)
	return buffered{c, in}, err == nil && b[0] == 0x16
}

type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// speaksTLS is a server that speaks only TLS, and answers plain HTTP by refusal.
func speaksTLS(config *tls.Config, refusal string, page func(*http.Request) (*http.Response, error)) func(net.Conn) { //nolint:unparam what it would serve
	return func(c net.Conn) {
		c, secure := first(c)
		if !secure {
			_, _ = http.ReadRequest(c.(buffered).in)
			if refusal != "" {
				_, _ = fmt.Fprint(c, refusal)
			}
			return
		}
		s := tls.Server(c, config)
		if s.Handshake() == nil && page != nil {
			serve(s, page)
		}
	}
}

// An engine that only speaks https is recognised by whatever it answers to plain HTTP:
// words, an alert, or nothing. One that closes its connections without speaking TLS is not.
func TestProblems_tls(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for _, tt := range []struct {
		name  string
		speak func(net.Conn)
		cause string
	}{
		{"Go's words", speaksTLS(config, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", nil), "tls"},
		{"nginx's words", speaksTLS(config, "HTTP/1.1 400 Bad Request\r\nContent-Length: 52\r\n\r\n<h1>The plain HTTP request was sent to HTTPS port</h1>", nil), "tls"},
		{"another status 400", func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nno tenant")
		}, "status"},
		{"an alert", speaksTLS(config, "\x15\x03\x01\x00\x02\x02\x46", nil), "tls"},
		{"nothing", speaksTLS(config, "", nil), "tls"},
		{"nothing, and no TLS", func(c net.Conn) { _, _ = c.Read(make([]byte, 1000)) }, "network"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, ready(1)...)
				w.set("10.0.0.1", func(p *fakePod) { p.speak = tt.speak })
				after(20 * time.Second)
				got := w.Problems(rev, time.Now())
				if len(got) != 1 || got[0].Cause != tt.cause || got[0].Port != 8000 || got[0].URI != "/metrics" {
					t.Errorf("Problems = %+v, want %s at port 8000, /metrics", got, tt.cause)
				}
				if n := w.count("10.0.0.1:8000"); n > 50 {
					t.Errorf("dialled %d times in 20 s, want 40 scrapes and few probes", n)
				}
			})
		})
	}
}

// An engine that speaks https is read where the scheme says so, over one connection that
// is kept, and a redirect to plain http is not followed.
func TestPoll_https(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for _, tt := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		cause  string
	}{
		{"a page", page(vllmPage(3, 2, 0.5, 1, 1)), ""},
		{"a redirect on the pod", func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/metrics/" {
				return ok("text/plain", vllmPage(3, 2, 0.5, 1, 1)), nil
			}
			return redirectTo("https://10.0.0.1:8000/metrics/"), nil
		}, ""},
		{"a redirect to http", func(*http.Request) (*http.Response, error) { return redirectTo("http://10.0.0.1:8000/metrics/"), nil }, "redirect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, ready(1)...)
				w.set("10.0.0.1", func(p *fakePod) { p.speak = speaksTLS(config, "", tt.answer) })
				w.Watch(Spec{Key: rev, Port: 8000, TLS: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
				after(10 * time.Second)
				problems := w.Problems(rev, time.Now())
				if tt.cause != "" {
					if len(problems) != 1 || problems[0].Cause != tt.cause {
						t.Errorf("Problems = %+v, want %s", problems, tt.cause)
					}
					return
				}
				if p := w.pod("p1"); p.Running != 3 || p.Waiting != 2 || len(problems) > 0 {
					t.Errorf("%+v, %+v; want 3 running, 2 waiting", p, problems)
				}
				if n := w.count("10.0.0.1:8000"); n > 3 {
					t.Errorf("dialled %d times, want the connection kept", n)
				}
			})
		})
	}
}

// A port of plain http is recognised where the scheme says https.
func TestProblems_plain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		w.set("10.0.0.1", func(p *fakePod) {
			p.speak = func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			}
		})
		w.Watch(Spec{Key: rev, Port: 8000, TLS: true, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
		after(10 * time.Second)
		if got := w.Problems(rev, time.Now()); len(got) != 1 || got[0].Cause != "plain" {
			t.Errorf("Problems = %+v, want plain", got)
		}
	})
}
