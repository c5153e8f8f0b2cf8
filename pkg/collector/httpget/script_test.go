package httpget

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// script is a connection whose other side answers the first request with bytes, so many
// at a time, and then closes.
type script struct {
	mu     sync.Mutex
	answer []byte
	step   int
	asked  chan struct{}
	once   sync.Once
}

func newScript(answer []byte, step int) *script {
	return &script{answer: answer, step: max(step, 1), asked: make(chan struct{})}
}

func (s *script) Read(p []byte) (int, error) {
	<-s.asked
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answer) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.answer[:min(s.step, len(s.answer))])
	s.answer = s.answer[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.asked) })
	return len(p), nil
}
func (s *script) Close() error { s.once.Do(func() { close(s.asked) }); return nil }

func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// answer is a response as a client reports it.
type answer struct {
	status                   int
	kind, encoding, location string
	body                     string
}

// largest bounds the bodies that tests read.
const largest = 1 << 20

// ours asks a script by this package; err is of the head or the body.
func ours(raw []byte, step int) (a answer, reusable bool, err error) {
	dialled := 0
	c := New(func(context.Context, string, string) (net.Conn, error) {
		dialled++
		return newScript(raw, step), nil
	}, "10.0.0.1:80", "/metrics", "")
	var r Response
	if err := c.Get(time.Now().Add(time.Minute), &r); err != nil {
		return a, false, err
	}
	defer c.Done(&r)
	body, err := io.ReadAll(io.LimitReader(&r, largest))
	return answer{r.Status, r.ContentType, r.ContentEncoding, r.Location, string(body)}, r.reusable(), err
}

// theirs asks a script by net/http.
func theirs(t *testing.T, raw []byte, step int) (a answer, err error) {
	t.Helper()
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return newScript(raw, step), nil },
		MaxResponseHeaderBytes: maxHead + 4096, DisableCompression: true, DisableKeepAlives: false,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.0.0.1/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(request)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, largest))
	h := res.Header
	return answer{res.StatusCode, h.Get("Content-Type"), h.Get("Content-Encoding"), h.Get("Location"), string(body)}, err
}
