package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that time is synctest's.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects, or reports false when nobody accepts.
func (p *pipes) dial(t *testing.T) (net.Conn, bool) {
	t.Helper()
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, true
	case <-time.After(time.Millisecond):
		return nil, false
	}
}

// A client that says nothing, says too little, or reads nothing is cut off, and frees its place.
func TestServeOn_cutsOffIdleClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		done := make(chan error, 1)
		ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = w.Write(make([]byte, 1<<20))
		})
		l := &limitedListener{Listener: p, maxOpen: 3, maxPerAddress: 3, ofAddress: map[string]int{}}
		go func() { done <- serveOn(ctx, l, ok, nil) }()
		for _, sent := range []string{"", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
			c, accepted := p.dial(t)
			if !accepted {
				t.Fatal("a free place was not given")
			}
			defer c.Close()
			go func() { _, _ = c.Write([]byte(sent)) }()
		}
		synctest.Wait()
		if n, _ := l.counts(""); n != 3 {
			t.Errorf("%d connections are open, want 3", n)
		}
		time.Sleep(writeTimeout + idleTimeout)
		synctest.Wait()
		if n, _ := l.counts(""); n != 0 {
			t.Errorf("%d idle clients keep the places of others", n)
		}
		c, _ := p.dial(t)
		go func() { _, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) }()
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
			t.Errorf("the next client is answered %.20q, %v", answer, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
}

// A webhook that is not ready delays the first readiness, and never takes it away.
func TestAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		webhook := false
		late, early := atFirst(func() bool { return webhook }, time.Minute), atFirst(func() bool { return webhook }, time.Minute)
		if late() || early() {
			t.Error("ready before the webhook and before the time limit")
		}
		webhook = true
		if !early() {
			t.Error("not ready with the webhook")
		}
		webhook = false // its Secret is lost
		if !early() {
			t.Error("a webhook that is lost later took the readiness away")
		}
		time.Sleep(time.Minute)
		if !late() {
			t.Error("a webhook that never gets ready keeps the metrics API from being used")
		}
	})
}
