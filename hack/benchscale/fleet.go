package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"
)

// Ports of a pod.
const (
	queueProxyPort = 9090
	enginePort     = 8000
)

// fleet plays every pod: its engine's metrics endpoint and its queue-proxy.
type fleet struct {
	template *template
	pages    atomic.Pointer[pageSet]
	pods     []fakePod
	engine   byRole
	queue    byRole
	started  time.Time
}

// Roles of the measured replica towards a pod.
const (
	led = iota
	followed
)

// byRole are the readings of the pods that the replica leads, and of the others.
type byRole [2]readings

func (r *byRole) total() int64 { return r[led].total.Load() + r[followed].total.Load() }

// assign says which pods the replica leads.
func (f *fleet) assign(revisions []revision) {
	for _, r := range revisions {
		for i := r.from; i < r.to && !r.led; i++ {
			f.pods[i].role = followed
		}
	}
}

type fakePod struct {
	name  string
	role  int
	burst atomic.Bool
	// engineAt and queueAt are the times of the last reading, in nanoseconds since the start; 0 is never.
	engineAt, queueAt atomic.Int64
}

func newFleet(t *template, names []string) *fleet {
	f := &fleet{template: t, pods: make([]fakePod, len(names)), started: time.Now()}
	for i, name := range names {
		f.pods[i].name = name
	}
	f.pages.Store(t.render(0))
	return f
}

// serve listens for all pods at once and renders the pages anew each second.
func (f *fleet) serve(ctx context.Context) error {
	pages := map[int]func(*fakePod, []byte, []byte) []byte{enginePort: f.enginePage, queueProxyPort: f.queuePage}
	for port, answer := range pages {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = l.Close() })
		go f.accept(l, answer)
	}
	go func() {
		for sleep(ctx, time.Second) {
			f.pages.Store(f.template.render(time.Since(f.started)))
		}
	}()
	return nil
}

func (f *fleet) accept(l net.Listener, answer func(*fakePod, []byte, []byte) []byte) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchscale: a pod cannot accept:", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go f.converse(c, answer)
	}
}

// converse answers the requests of one connection. It is HTTP/1.1 without a
// body, done by hand: 15,000 requests a second of net/http would take a core.
func (f *fleet) converse(c net.Conn, answer func(*fakePod, []byte, []byte) []byte) {
	defer c.Close()
	to, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	i := podAt([4]byte(to.IP.To4()))
	if i < 0 || i >= len(f.pods) {
		return
	}
	in, out := make([]byte, 1024), []byte(nil)
	for n := 0; ; {
		m, err := c.Read(in[n:])
		if err != nil {
			return
		}
		if n += m; !bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
			if n == len(in) {
				return
			}
			continue
		}
		out = answer(&f.pods[i], in[:n], out[:0])
		if _, err := c.Write(out); err != nil {
			return
		}
		n = 0
	}
}

// enginePage returns the pod's page; the buffer is not used, for pages are shared.
func (f *fleet) enginePage(p *fakePod, _, _ []byte) []byte {
	f.engine[p.role].note(&p.engineAt, f.now())
	set, v := f.pages.Load(), len(p.name)
	for _, c := range []byte(p.name[max(len(p.name)-6, 0):]) {
		v += int(c)
	}
	page := &set.steady[v%variants]
	if p.burst.Load() {
		page = &set.burst[v%variants]
	}
	return *page
}

// queuePage renders Knative's Stat into the buffer.
func (f *fleet) queuePage(p *fakePod, _, out []byte) []byte {
	f.queue[p.role].note(&p.queueAt, f.now())
	concurrency := float64(steadyRunning)
	if p.burst.Load() {
		concurrency = burstRunning
	}
	stat := asmetrics.Stat{PodName: p.name, AverageConcurrentRequests: concurrency, RequestCount: 1,
		ProcessUptime: f.now().Seconds(), Timestamp: time.Now().UnixMilli()}
	b, err := stat.Marshal()
	if err != nil {
		return nil
	}
	return append(out, overHTTP("application/protobuf", b)...)
}

func (f *fleet) now() time.Duration { return time.Since(f.started) }

// readings counts one kind of reading: how many, and the time between two of one pod.
type readings struct {
	total atomic.Int64
	// intervals are in milliseconds, the last is everything longer.
	intervals [60_001]atomic.Int64
	// recording is whether intervals are counted.
	recording atomic.Bool
}

func (r *readings) note(last *atomic.Int64, now time.Duration) {
	r.total.Add(1)
	before := last.Swap(int64(now))
	if before != 0 && r.recording.Load() {
		r.intervals[min(max((int64(now)-before)/int64(time.Millisecond), 0), int64(len(r.intervals)-1))].Add(1)
	}
}

func (r *readings) begin() {
	for i := range r.intervals {
		r.intervals[i].Store(0)
	}
	r.recording.Store(true)
}

// spread is a distribution of intervals in seconds.
type spread struct {
	P50, P90, P99, Max float64
	// Late is the share of the intervals longer than the goal.
	Late float64
}

// end stops the counting and returns what was counted.
func (r *readings) end(goal time.Duration) (s spread) {
	r.recording.Store(false)
	sum, late := int64(0), int64(0)
	for i := range r.intervals {
		n := r.intervals[i].Load()
		sum += n
		if time.Duration(i)*time.Millisecond > goal {
			late += n
		}
	}
	below := int64(0)
	for i := range r.intervals {
		n := r.intervals[i].Load()
		if n == 0 {
			continue
		}
		below += n
		at := float64(i) / 1000
		for share, to := range map[float64]*float64{.5: &s.P50, .9: &s.P90, .99: &s.P99} {
			if *to == 0 && float64(below) >= share*float64(sum) {
				*to = at
			}
		}
		s.Max = at
	}
	s.Late = float64(late) / float64(max(sum, 1))
	return s
}

// read counts the pods whose engine and queue-proxy were both read after a time.
func (f *fleet) read(after time.Duration) (n int) {
	for i := range f.pods {
		if p := &f.pods[i]; p.engineAt.Load() > int64(after) && p.queueAt.Load() > int64(after) {
			n++
		}
	}
	return n
}

// oldest returns how long ago the longest unread pod's engine and queue-proxy were read.
func (f *fleet) oldest() (engine, queue time.Duration) {
	now := f.now()
	for i := range f.pods {
		engine = max(engine, now-time.Duration(f.pods[i].engineAt.Load()))
		queue = max(queue, now-time.Duration(f.pods[i].queueAt.Load()))
	}
	return engine, queue
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
