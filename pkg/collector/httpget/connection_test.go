package httpget

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// server answers requests over pipes; each connection says how many requests it
// answers before it closes.
type server struct {
	t       *testing.T
	dialled atomic.Int32
	// lives is the number of requests of the n-th connection; the last one holds for more.
	lives []int
	hang  bool
	asked atomic.Pointer[http.Request]
}

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	n := int(s.dialled.Add(1)) - 1
	ours, theirs := net.Pipe()
	go s.serve(theirs, s.lives[min(n, len(s.lives)-1)])
	return ours, nil
}

func (s *server) serve(c net.Conn, requests int) {
	defer c.Close()
	in := bufio.NewReader(c)
	for range requests {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.asked.Store(r)
		if s.hang {
			_, _ = in.ReadByte()
			return
		}
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	}
}

func get(c *Connection, r *Response) error {
	if err := c.Get(time.Now().Add(time.Second), r); err != nil {
		return err
	}
	defer c.Done(r)
	body, err := io.ReadAll(r)
	if err == nil && string(body) != "hello" {
		err = fmt.Errorf("body %q", body)
	}
	return err
}

func TestConnection_request(t *testing.T) {
	s := &server{t: t, lives: []int{1}}
	c := New(s.dial, "[fd00::1]:8000", "/a%20b?c=d", "Accept: text/plain\r\nUser-Agent: x\r\n")
	if err := get(c, &Response{}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	r := s.asked.Load()
	if r.Method != "GET" || r.Host != "[fd00::1]:8000" || r.RequestURI != "/a%20b?c=d" || r.Proto != "HTTP/1.1" ||
		r.Header.Get("Accept") != "text/plain" || r.UserAgent() != "x" || len(r.Header) != 2 {
		t.Errorf("%+v", r)
	}
}

// A token goes with every request from then on, also to another URI, until it is another one.
func TestConnection_authorize(t *testing.T) {
	s := &server{t: t, lives: []int{100}}
	c := New(s.dial, "10.0.0.1:80", "/", "User-Agent: x\r\n")
	defer c.Close()
	for _, tt := range []struct{ token, uri, want string }{
		{"", "/", ""}, {"abc", "/", "Bearer abc"}, {"abc", "/metrics/", "Bearer abc"}, {"def", "/metrics/", "Bearer def"}, {"", "/metrics/", ""},
	} {
		c.Authorize(tt.token)
		c.Ask(tt.uri)
		if err := get(c, &Response{}); err != nil {
			t.Fatal(err)
		}
		r := s.asked.Load()
		if got := r.Header.Get("Authorization"); got != tt.want || r.RequestURI != tt.uri || r.UserAgent() != "x" {
			t.Errorf("%+v: asked for %s with %q", tt, r.RequestURI, got)
		}
		if c.URL() != "http://10.0.0.1:80"+tt.uri {
			t.Errorf("URL %s", c.URL())
		}
	}
}

func TestConnection_dialsWhenItMust(t *testing.T) {
	tests := []struct {
		name  string
		lives []int
		pause time.Duration
		want  []error
		dials int32
	}{
		{"one connection for all", []int{100}, time.Second, []error{nil, nil, nil}, 1},
		{"closed while it was idle", []int{2, 100}, time.Second, []error{nil, nil, nil, nil}, 2},
		{"a server that closes at once", []int{0}, time.Second, []error{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF}, 2},
		{"closed while idle, and again", []int{1, 0, 1}, time.Second, []error{nil, io.ErrUnexpectedEOF, nil}, 3},
		{"idle for long", []int{100}, 46 * time.Second, []error{nil, nil}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{t: t, lives: tt.lives}
				c := New(s.dial, "10.0.0.1:80", "/", "")
				defer c.Close()
				var r Response
				for i, want := range tt.want {
					if err := get(c, &r); !errors.Is(err, want) && !errors.Is(err, io.ErrClosedPipe) {
						t.Errorf("request %d: %v, want %v", i, err, want)
					}
					time.Sleep(tt.pause)
				}
				if n := s.dialled.Load(); n != tt.dials {
					t.Errorf("dialled %d times, want %d", n, tt.dials)
				}
			})
		})
	}
}

func TestConnection_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{t: t, lives: []int{100}, hang: true}
		c := New(s.dial, "10.0.0.1:80", "/", "")
		defer c.Close()
		start := time.Now()
		if err := get(c, &Response{}); !isTimeout(err) || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want a timeout after 1s", err, time.Since(start))
		}
		if s.dialled.Load() != 1 {
			t.Errorf("dialled %d times: a timeout is no reason to ask again", s.dialled.Load())
		}
	})
}

// Close ends a request, or a dial, at once.
func TestConnection_close(t *testing.T) {
	hangingDial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, dial := range map[string]Dial{"request": (&server{t: t, lives: []int{1}, hang: true}).dial, "dial": hangingDial} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New(dial, "10.0.0.1:80", "/", "")
				start, done := time.Now(), make(chan error)
				go func() { done <- get(c, &Response{}) }()
				time.Sleep(100 * time.Millisecond)
				c.Close()
				if err := <-done; err == nil || time.Since(start) != 100*time.Millisecond {
					t.Errorf("%v after %v, want an error at once", err, time.Since(start))
				}
				if err := get(c, &Response{}); !errors.Is(err, net.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			})
		})
	}
}

// Close may come at any moment.
func TestConnection_closeAtAnyTime(t *testing.T) {
	for range 200 {
		s := &server{t: t, lives: []int{3}}
		c := New(s.dial, "10.0.0.1:80", "/", "")
		var all sync.WaitGroup
		all.Go(func() {
			var r Response
			for get(c, &r) == nil { //nolint:revive nothing else to do
			}
		})
		c.Close()
		all.Wait()
	}
}
