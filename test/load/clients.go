package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report counts answers.
type Report struct {
	Whole, Failed int
	// Failures counts the failed answers by what was wrong with them.
	Failures map[string]int
	// Slowest is the longest time a whole answer took.
	Slowest time.Duration
}

// String says the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d whole, %d failed", r.Whole, r.Failed)
	for _, why := range slices.Sorted(maps.Keys(r.Failures)) {
		s += fmt.Sprintf("; %d x %s", r.Failures[why], why)
	}
	return s
}

// Clients is a number of clients; each sends its next request as soon
// as its last one was answered. It is safe for concurrent use.
type Clients struct {
	sender *Sender
	shape  Shape
	ctx    context.Context // ends every request
	cancel context.CancelFunc

	mu     sync.Mutex
	stops  []chan struct{}
	wg     sync.WaitGroup
	report Report
}

// NewClients returns no clients yet: Set says how many there are.
func NewClients(ctx context.Context, sender *Sender, shape Shape) *Clients {
	ctx, cancel := context.WithCancel(ctx)
	return &Clients{sender: sender, shape: shape, ctx: ctx, cancel: cancel, report: Report{Failures: map[string]int{}}}
}

// Set starts or stops clients until there are n; a stopped client still waits
// for the answer it asked for.
func (c *Clients) Set(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.stops) < n {
		stop := make(chan struct{})
		c.stops = append(c.stops, stop)
		c.wg.Go(func() { c.run(stop) })
	}
	for len(c.stops) > n {
		last := len(c.stops) - 1
		close(c.stops[last])
		c.stops = c.stops[:last]
	}
}

// Stop ends all clients, waits for their last answers and returns the counts.
func (c *Clients) Stop() Report {
	c.Set(0)
	c.wg.Wait()
	return c.Report()
}

// Abort ends all clients and their open requests, which are not counted.
func (c *Clients) Abort() {
	c.cancel()
	c.Set(0)
	c.wg.Wait()
}

// Report returns the counts so far.
func (c *Clients) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	r.Failures = maps.Clone(r.Failures)
	return r
}

func (c *Clients) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		start := time.Now()
		err := c.sender.Send(c.ctx, c.shape)
		if c.ctx.Err() != nil {
			return
		}
		c.count(err, time.Since(start))
		if err != nil { // a refused connection must not become a busy loop
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

func (c *Clients) count(err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.report.Whole++
		c.report.Slowest = max(c.report.Slowest, took)
		return
	}
	c.report.Failed++
	c.report.Failures[reason(err)]++
}

// reason drops what differs between two failures of one kind: ports and addresses.
func reason(err error) string {
	s := err.Error()
	if strings.HasPrefix(s, "no answer:") || strings.HasPrefix(s, "answer cut off") {
		if i := strings.LastIndex(s, ": "); i >= 0 {
			return strings.SplitN(s, ":", 2)[0] + s[i:]
		}
	}
	return s
}

// Burst sends n requests at once and returns when all were answered.
func Burst(ctx context.Context, sender *Sender, shape Shape, n int) Report {
	c := NewClients(ctx, sender, shape)
	defer c.cancel()
	for range n {
		c.wg.Go(func() {
			start := time.Now()
			c.count(c.sender.Send(c.ctx, c.shape), time.Since(start))
		})
	}
	c.wg.Wait()
	return c.Report()
}
