package election

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// transferDelay is the time from the demotion to the transfer of a Lease. A reconciliation that began
// before the demotion writes within this time, unless the API server is slow.
const transferDelay = time.Second

// lock returns access to the bucket's Lease that has read nothing yet.
func (c *candidate) lock() *resourcelock.LeaseLock {
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Name: c.bucket.Name(), Namespace: c.o.Namespace},
		Client:    c.o.Leases, LockConfig: resourcelock.ResourceLockConfig{Identity: c.o.Identity},
	}
}

// release makes the successor the holder of the Lease, or nobody. The bucket is demoted already. A
// Lease that cannot be written is held by this process, which then leads again, or expires.
func (c *candidate) release(ended context.Context) {
	c.mu.Lock()
	successor := c.successor
	c.mu.Unlock()
	if successor != "" {
		time.Sleep(transferDelay)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), c.o.RenewDeadline)
	defer cancel()
	if err := c.write(ctx, successor); err != nil {
		c.o.Log.Warn("the lease of a bucket is not released; it expires, or this replica leads the bucket again", "bucket", c.bucket.Name(), "error", err)
	}
}

// write changes the holder of the Lease if it is still this process.
func (c *candidate) write(ctx context.Context, holder string) error {
	lock := c.lock()
	record, _, err := lock.Get(ctx)
	if err != nil {
		return fmt.Errorf("reading the lease: %w", err)
	}
	if record.HolderIdentity != c.o.Identity {
		return nil
	}
	// The API server refuses the update if somebody has written since the Get.
	if err := lock.Update(ctx, c.record(*record, holder)); err != nil {
		return fmt.Errorf("writing the lease: %w", err)
	}
	return nil
}

// record returns the content of a Lease with a new holder. For nobody ("") the duration is 1 s, as
// client-go writes it.
func (c *candidate) record(old resourcelock.LeaderElectionRecord, holder string) resourcelock.LeaderElectionRecord {
	now := metav1.Now()
	next := resourcelock.LeaderElectionRecord{
		HolderIdentity: holder, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
		LeaderTransitions: old.LeaderTransitions,
	}
	if holder != "" {
		next.LeaseDurationSeconds = int(c.o.LeaseDuration / time.Second)
		next.LeaderTransitions++
	}
	return next
}
