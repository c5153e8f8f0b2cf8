package election

import (
	"context"
	"sync"

	"k8s.io/client-go/tools/leaderelection"
	"knative.dev/pkg/reconciler"
)

// candidate is this process in the election of one bucket.
type candidate struct {
	o      Options
	bucket reconciler.Bucket

	mu sync.Mutex
	// elector and end belong to the current term, which lasts from the first read of the Lease to the
	// loss of it; nil before the first term. end ends the term.
	elector *leaderelection.LeaderElector
	end     context.CancelFunc
	// led is true from Promote to Demote.
	led bool
	// successor is who gets the Lease at the end of the term; "" releases it for whoever comes first.
	successor string
}

// run serves one term after the other until ctx ends.
func (c *candidate) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.term(ctx); err != nil {
			return err
		}
	}
	return nil
}

// term waits for the Lease, leads, and gives the Lease up after the demotion. Each term has an elector
// of its own: client-go's elector renews a Lease that it has held without reading it first.
func (c *candidate) term(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	elector, err := c.newElector(end)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.elector, c.end, c.successor = elector, end, ""
	c.mu.Unlock()
	elector.Run(ctx)
	if elector.IsLeader() {
		c.release(ctx)
	}
	return nil
}

func (c *candidate) newElector(end context.CancelFunc) (*leaderelection.LeaderElector, error) {
	return leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: c.lock(), Name: c.o.Identity,
		LeaseDuration: c.o.LeaseDuration, RenewDeadline: c.o.RenewDeadline, RetryPeriod: c.o.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { c.promote(ctx, end) },
			OnStoppedLeading: c.demote,
		},
	})
}

// promote is called in a goroutine that client-go does not wait for. After the end of the term, which
// ends ctx, it does nothing.
func (c *candidate) promote(ctx context.Context, end context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	c.led = true
	if err := c.o.Leader.Promote(c.bucket, c.o.Enqueue); err != nil {
		c.o.Log.Error("the revisions of a bucket cannot be listed; this replica stops leading it and tries again", "bucket", c.bucket.Name(), "error", err)
		end()
	}
}

func (c *candidate) demote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.demoteLocked()
}

// demoteLocked reports whether the bucket was led. c.mu is held.
func (c *candidate) demoteLocked() bool {
	was := c.led
	if was {
		c.o.Leader.Demote(c.bucket)
	}
	c.led = false
	return was
}

func (c *candidate) handOver(successor string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.demoteLocked() {
		return false
	}
	c.successor = successor
	c.end()
	return true
}

func (c *candidate) isLed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.led
}

func (c *candidate) holder() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.elector == nil {
		return ""
	}
	return c.elector.GetLeader()
}
