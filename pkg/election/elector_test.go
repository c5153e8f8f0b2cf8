package election_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	kle "knative.dev/pkg/leaderelection"
	"knative.dev/pkg/reconciler"
	"knative.dev/pkg/system"

	"github.com/knative-inference/autoscaler-adapter/pkg/election"
	"github.com/knative-inference/autoscaler-adapter/pkg/election/electiontest"
)

const (
	namespace = "ours"
	buckets   = 3
	// The times of the program with the default --lease-duration.
	leaseDuration = 10 * time.Second
	renewDeadline = leaseDuration * 2 / 3
	retryPeriod   = leaseDuration / 5
	// poll is the longest time between two reads of a standby: client-go adds up to 1.2 retry periods.
	poll = retryPeriod * 22 / 10
	// transferDelay is the time between the demotion and the transfer of a lease.
	transferDelay = time.Second
)

// world has replicas that compete for the buckets.
type world struct {
	t       *testing.T
	kube    *fake.Clientset
	referee *electiontest.Referee
}

func newWorld(t *testing.T) *world {
	return &world{t, electiontest.NewClientset(), electiontest.NewReferee(t)}
}

// start runs a replica until stop is called, which returns once the replica has ended.
func (w *world) start(name string) (e *election.Elector, stop func()) {
	return w.startOn(name, w.kube)
}

func (w *world) startOn(name string, kube *fake.Clientset) (e *election.Elector, stop func()) {
	e = election.New(election.Options{
		Leases: kube.CoordinationV1(), Namespace: namespace, Buckets: electiontest.Buckets(buckets), Identity: name,
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Leader: w.referee.Player(name), Log: slog.New(slog.DiscardHandler),
		Enqueue: func(reconciler.Bucket, types.NamespacedName) {},
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return e, func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

// startOld runs a replica of a version before this package: with the elector of knative.dev/pkg.
func (w *world) startOld(name string) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ctx = kle.WithStandardLeaderElectorBuilder(ctx, w.kube, kle.ComponentConfig{
		Buckets: buckets, Identity: name, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		LeaseName: func(i uint32) string { return electiontest.Buckets(buckets)[i].Name() },
	})
	e, err := kle.BuildElector(ctx, w.referee.Player(name), "", func(reconciler.Bucket, types.NamespacedName) {})
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	return func() { cancel(); <-done }
}

// holder is the holder in the Lease of a bucket.
func (w *world) holder(bucket string) string {
	w.t.Helper()
	lease, err := w.kube.CoordinationV1().Leases(namespace).Get(w.t.Context(), bucket, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return *lease.Spec.HolderIdentity
}

// expect compares who leads how many buckets.
func (w *world) expect(when string, want map[string]int) {
	w.t.Helper()
	if got := w.referee.Led(); !maps.Equal(got, want) {
		w.t.Errorf("%s: %v lead, want %v", when, got, want)
	}
}

// free fails when a bucket was without a leader for longer than limit since the last call.
func (w *world) free(when string, limit time.Duration) {
	w.t.Helper()
	if got := w.referee.LongestFree(); got > limit {
		w.t.Errorf("%s: a bucket was without a leader for %v, want at most %v", when, got, limit)
	}
}

// A bucket that is handed over is led by the successor after a poll, the others stay, and the old
// leader does not take it back; a third replica and one of an older version do not take it either.
func TestHandOver(t *testing.T) {
	t.Setenv(system.NamespaceEnvKey, namespace)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, stopA := w.start("a")
		time.Sleep(time.Second)
		_, stopB := w.start("b")
		_, stopC := w.start("c")
		stopOld := w.startOld("old")
		time.Sleep(time.Minute)
		w.expect("at first", map[string]int{"a": buckets})
		given := electiontest.Buckets(buckets)[1].Name()
		if !a.HandOver(given, "b") || a.HandOver(given, "b") {
			t.Error("HandOver = false for a bucket that is led, or true for one that is not")
		}
		time.Sleep(transferDelay - time.Millisecond)
		if holder := w.holder(given); holder != "a" {
			t.Errorf("the lease is held by %q before reconciliations have ended", holder)
		}
		time.Sleep(poll + time.Millisecond)
		w.expect("after a poll", map[string]int{"a": buckets - 1, "b": 1})
		w.free("at the handover", transferDelay+poll)
		if got := a.Holders(); got[0] != "a" || got[1] != "b" || len(a.Led()) != buckets-1 {
			t.Errorf("a sees %v as leaders and leads %v", got, a.Led())
		}
		time.Sleep(time.Hour)
		w.expect("after an hour", map[string]int{"a": buckets - 1, "b": 1})
		stopA()
		time.Sleep(poll)
		w.free("when a leader ends", poll)
		stopB()
		stopC()
		stopOld()
	})
}

// A successor that does not take a bucket, because it is gone, leaves it without a leader for as long
// as a dead leader: then it is led again.
func TestHandOver_successorIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, stop := w.start("a")
		time.Sleep(time.Second)
		a.HandOver(a.Led()[0].Name(), "gone")
		time.Sleep(transferDelay + leaseDuration - time.Second)
		w.expect("while the lease of the successor is valid", map[string]int{"a": buckets - 1})
		time.Sleep(time.Second + 2*poll) // a poll sees the successor's lease, and a later one that it has expired
		w.expect("after the lease has expired", map[string]int{"a": buckets})
		w.free("at the handover", transferDelay+leaseDuration+2*poll)
		stop()
		for _, b := range electiontest.Buckets(buckets) {
			if holder := w.holder(b.Name()); holder != "" {
				t.Errorf("%s holds the lease of %s after the end", holder, b.Name())
			}
		}
	})
}

// A lease that cannot be written stays with its holder, who leads again.
func TestHandOver_leaseCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kube.PrependReactor("update", "leases", func(a clienttesting.Action) (bool, runtime.Object, error) {
			lease := a.(clienttesting.UpdateAction).GetObject().(*coordinationv1.Lease)
			return *lease.Spec.HolderIdentity == "b", nil, errors.New("no")
		})
		a, stop := w.start("a")
		time.Sleep(time.Second)
		_, stopB := w.start("b")
		a.HandOver(a.Led()[0].Name(), "b")
		time.Sleep(transferDelay + poll)
		w.expect("after the refusal", map[string]int{"a": buckets})
		w.free("at the handover", transferDelay+poll)
		stopB()
		stop()
	})
}

// A leader that does not reach the API server leads no bucket when another replica takes it, and
// writes nothing into the lease of the other when the API server answers again.
func TestRun_cutOffFromTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var cut atomic.Bool
		_, stopA := w.startOn("a", electiontest.Behind(w.kube, &cut))
		time.Sleep(time.Second)
		_, stopB := w.start("b")
		time.Sleep(time.Minute)
		w.expect("at first", map[string]int{"a": buckets})
		cut.Store(true)
		time.Sleep(leaseDuration + 2*poll)
		w.expect("after the lease has expired", map[string]int{"b": buckets})
		cut.Store(false)
		time.Sleep(time.Minute)
		w.expect("when the API server answers again", map[string]int{"b": buckets})
		stopB()
		time.Sleep(poll)
		w.expect("when b has ended", map[string]int{"a": buckets})
		stopA()
	})
}

// Times that contradict each other end the program with an error.
func TestRun_invalid(t *testing.T) {
	e := election.New(election.Options{Buckets: electiontest.Buckets(1), Leases: electiontest.NewClientset().CoordinationV1(),
		Identity: "a", LeaseDuration: time.Second, RenewDeadline: time.Minute, RetryPeriod: time.Second})
	if err := e.Run(t.Context()); err == nil {
		t.Error("a renew deadline above the lease duration is accepted")
	}
	if got := e.Holders(); got[0] != "" || e.HandOver("other", "b") || e.Identity() != "a" {
		t.Errorf("holders are %v before the first poll", got)
	}
}
