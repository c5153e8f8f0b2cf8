package collector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"
)

// BenchmarkFleet runs the collector for ten seconds at sizes whose connections the
// machine does not allow: a fake network without sockets answers, and all pods share two
// pages of a real engine. Revisions have ten pods; of the largest fleet this replica
// leads an eleventh, as with one replica for each 10,000 pods.
//
//	go test ./pkg/collector -run '^$' -bench Fleet -benchtime 1x
func BenchmarkFleet(b *testing.B) {
	for _, f := range []struct{ pods, replicas int }{{100, 1}, {1000, 1}, {10_000, 2}, {100_000, 11}} {
		b.Run(fmt.Sprintf("pods=%d/replicas=%d", f.pods, f.replicas), func(b *testing.B) {
			for range b.N {
				measureFleet(b, f.pods, f.replicas)
			}
		})
	}
}

func measureFleet(b *testing.B, pods, replicas int) {
	b.Helper()
	network := newSharedPages(b)
	before := liveHeap()
	c := New(Options{Dial: network.dial})
	c.FollowLeader(func(r Key) bool {
		i, _ := strconv.Atoi(r.Name)
		return i%replicas == 0
	})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	for i := range pods / 10 {
		r := Key{Namespace: "default", Name: strconv.Itoa(i)}
		c.Watch(Spec{Key: r, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
		c.SetPods(r, podsAt(10*i, 10))
	}
	began := time.Now()
	for read := 0; read < 2*pods && time.Since(began) < 5*time.Minute; _, read = c.Readable() {
		<-time.After(20 * time.Millisecond)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s-until-all-read")
	const during = 10 * time.Second
	asked, cpu := network.asked.Load(), cpuTime(b)
	<-time.After(during)
	made, spent := float64(network.asked.Load()-asked), cpuTime(b)-cpu
	b.ReportMetric(made/during.Seconds(), "readings/s")
	b.ReportMetric(spent.Seconds()/during.Seconds(), "cores")
	b.ReportMetric(float64(spent.Microseconds())/made, "us/reading")
	b.ReportMetric(float64(liveHeap()-before)/float64(pods)/1024, "KiB/pod")
	b.ReportMetric(0, "ns/op")
	cancel()
	<-done
}

func podsAt(first, n int) []Pod {
	pods := ready(n)
	for i := range pods {
		id := first + i
		pods[i].Name, pods[i].UID = fmt.Sprintf("p%d", id), fmt.Sprintf("uid-%d", id)
		pods[i].IP = fmt.Sprintf("10.%d.%d.%d", id>>16, id>>8&255, id&255)
	}
	return pods
}

// cpuTime is that of the process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sharedPages is a network in which every pod answers with the same pages, without
// sockets and goroutines.
type sharedPages struct {
	engine [2][]byte // of one pod after the other reading
	asked  atomic.Int64
}

func newSharedPages(b *testing.B) *sharedPages {
	b.Helper()
	page := []byte(realPage(b))
	later := bytes.ReplaceAll(page, []byte(".0\n"), []byte(".5\n"))
	return &sharedPages{engine: [2][]byte{response("text/plain", page), response("text/plain", later)}}
}

func response(kind string, body []byte) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
}

func (n *sharedPages) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var a, b, c, d int
	if _, err := fmt.Sscanf(host, "%d.%d.%d.%d", &a, &b, &c, &d); err != nil {
		return nil, err
	}
	conn := &sharedConn{network: n, engine: port != "9090"}
	if !conn.engine {
		stat := asmetrics.Stat{PodName: fmt.Sprintf("p%d", b<<16|c<<8|d), AverageConcurrentRequests: 3, RequestCount: 2}
		body, err := stat.Marshal()
		if err != nil {
			return nil, err
		}
		conn.report = response("application/protobuf", body)
	}
	return conn, nil
}

// sharedConn answers each request with the next page. What it does not implement, no
// client of the collector's uses.
type sharedConn struct {
	net.Conn
	network *sharedPages
	engine  bool
	report  []byte
	turn    int
	left    []byte
}

func (c *sharedConn) Write(request []byte) (int, error) {
	c.network.asked.Add(1)
	c.left = c.report
	if c.engine {
		c.left = c.network.engine[c.turn%2]
		c.turn++
	}
	return len(request), nil
}

func (c *sharedConn) Read(b []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *sharedConn) Close() error                     { return nil }
func (c *sharedConn) SetDeadline(time.Time) error      { return nil }
func (c *sharedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *sharedConn) SetWriteDeadline(time.Time) error { return nil }
