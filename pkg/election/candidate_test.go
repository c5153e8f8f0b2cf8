package election

import (
	"context"
	"log/slog"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/election/electiontest"
)

// neverLeader fails the test when it is promoted.
type neverLeader struct{ t *testing.T }

func (l neverLeader) Promote(reconciler.Bucket, func(reconciler.Bucket, types.NamespacedName)) error {
	l.t.Error("promoted")
	return nil
}

func (l neverLeader) Demote(reconciler.Bucket) { l.t.Error("demoted") }

func newCandidate(t *testing.T) *candidate {
	return &candidate{bucket: electiontest.Buckets(1)[0], o: Options{
		Leases: electiontest.NewClientset().CoordinationV1(), Namespace: "ours", Identity: "a", LeaseDuration: 10 * time.Second,
		Leader: neverLeader{t}, Log: slog.New(slog.DiscardHandler),
	}}
}

// client-go promotes in a goroutine that may begin after the term has ended and was demoted.
func TestPromote_afterTheTerm(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	c := newCandidate(t)
	c.promote(ctx, end)
	if c.isLed() {
		t.Error("a bucket is led without its lease")
	}
}

// A Lease that another process has taken meanwhile is left alone, although its resource version was read.
func TestWrite_leaseOfAnother(t *testing.T) {
	c := newCandidate(t)
	now := metav1.Now()
	other := resourcelock.LeaderElectionRecord{HolderIdentity: "b", LeaseDurationSeconds: 10, AcquireTime: now, RenewTime: now}
	if err := c.lock().Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := c.write(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.lock().Get(t.Context()); err != nil || got.HolderIdentity != "b" {
		t.Errorf("the holder is %v, %v; want b", got, err)
	}
}
