package election

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"knative.dev/pkg/reconciler"
)

// Leader is what follows the election: knative.dev/pkg's reconcilers do. Promote and Demote are
// called for one bucket at a time, and for different buckets at once.
type Leader interface {
	Promote(b reconciler.Bucket, enqueue func(reconciler.Bucket, types.NamespacedName)) error
	Demote(b reconciler.Bucket)
}

// Options are the parts of an Elector; all are required.
type Options struct {
	// Leases reads and writes the Leases in Namespace.
	Leases    coordinationclient.LeasesGetter
	Namespace string
	// Buckets are what is led. The Lease of a bucket has the name of the bucket.
	Buckets []reconciler.Bucket
	// Identity names this process in the Leases. No other process has the same.
	Identity string
	// LeaseDuration is how long others wait for a leader that does not renew, in whole seconds.
	// RenewDeadline is how long a leader tries to renew. RetryPeriod is the pause between two renewals
	// or reads of a Lease; client-go makes that of a standby up to 2.2 times as long.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// Leader is promoted and demoted; Enqueue is passed to Promote.
	Leader  Leader
	Enqueue func(reconciler.Bucket, types.NamespacedName)
	Log     *slog.Logger
}

// Elector leads buckets. It is safe for concurrent use.
type Elector struct {
	identity   string
	candidates []*candidate
}

// New returns an Elector that does not run yet.
func New(o Options) *Elector {
	e := &Elector{identity: o.Identity}
	for _, b := range o.Buckets {
		e.candidates = append(e.candidates, &candidate{o: o, bucket: b})
	}
	return e
}

// Run takes part in the election of every bucket until ctx ends, and then releases the Leases that
// this process holds. It returns an error only for times that contradict each other.
func (e *Elector) Run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	for _, c := range e.candidates {
		eg.Go(func() error { return c.run(ctx) })
	}
	if err := eg.Wait(); err != nil {
		return fmt.Errorf("electing a leader: %w", err)
	}
	return nil
}

// Identity is the name of this process in the Leases.
func (e *Elector) Identity() string { return e.identity }

// Holders returns for each bucket who held its Lease when it was last read, at most 2.2 retry periods
// ago while the API server answers; "" is nobody, or not known yet. The holder may be dead.
func (e *Elector) Holders() []string {
	holders := make([]string, 0, len(e.candidates))
	for _, c := range e.candidates {
		holders = append(holders, c.holder())
	}
	return holders
}

// Led returns the buckets that this process leads.
func (e *Elector) Led() (led []reconciler.Bucket) {
	for _, c := range e.candidates {
		if c.isLed() {
			led = append(led, c.bucket)
		}
	}
	return led
}

// HandOver demotes this process for a bucket, and starts to transfer the Lease to the successor, the
// identity of another process. It reports whether this process led the bucket until now. If the Lease
// cannot be written, this process leads the bucket again when it next reads the Lease.
func (e *Elector) HandOver(bucket, successor string) bool {
	for _, c := range e.candidates {
		if c.bucket.Name() == bucket {
			return c.handOver(successor)
		}
	}
	return false
}
