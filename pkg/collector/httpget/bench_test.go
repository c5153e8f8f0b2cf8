package httpget

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// BenchmarkGet reads responses of the size of a queue-proxy's report and of vLLM's page
// over loopback, by this package and by net/http. The server is the same, written by
// hand, so that the difference is that of the clients. cpu-ns/op is the CPU time of
// both, which other programs on the machine do not change as they do ns/op:
//
//	go test ./pkg/collector/httpget -run '^$' -bench Get -benchmem
func BenchmarkGet(b *testing.B) {
	for _, size := range []int{100, 48 << 10} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go answerAll(l, append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", size), make([]byte, size)...))
		b.Run(fmt.Sprintf("size=%d/client=net-http", size), func(b *testing.B) { netHTTP(b, l.Addr().String()) })
		b.Run(fmt.Sprintf("size=%d/client=httpget", size), func(b *testing.B) { httpGet(b, l.Addr().String()) })
		l.Close()
	}
}

func answerAll(l net.Listener, response []byte) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			in := make([]byte, 4096)
			for n := 0; ; {
				m, err := c.Read(in[n:])
				if err != nil {
					return
				}
				if n += m; bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
					n = 0
					_, _ = c.Write(response)
				}
			}
		}()
	}
}

func netHTTP(b *testing.B, address string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	var body bytes.Buffer
	defer reportCPU(b)()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		res, err := transport.RoundTrip(request.WithContext(ctx))
		if err != nil {
			b.Fatal(err)
		}
		body.Reset()
		if _, err := body.ReadFrom(res.Body); err != nil {
			b.Fatal(err)
		}
		res.Body.Close()
		cancel()
	}
}

func httpGet(b *testing.B, address string) {
	c := New((&net.Dialer{}).DialContext, address, "/metrics", "")
	defer c.Close()
	var r Response
	var body bytes.Buffer
	defer reportCPU(b)()
	for b.Loop() {
		if err := c.Get(time.Now().Add(time.Second), &r); err != nil {
			b.Fatal(err)
		}
		body.Reset()
		if _, err := body.ReadFrom(io.LimitReader(&r, 1<<20)); err != nil {
			b.Fatal(err)
		}
		c.Done(&r)
	}
}

// reportCPU measures until the function that it returns is called.
func reportCPU(b *testing.B) func() {
	b.ReportAllocs()
	before := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op") }
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
