package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/election"
	"github.com/knative-inference/autoscaler-adapter/pkg/election/electiontest"
	"github.com/knative-inference/autoscaler-adapter/pkg/handover"
)

const (
	// readyAfter is when a replica of these tests is Ready after its start.
	readyAfter = 20 * time.Second
	// poll is the longest time between two reads of a lease of 10 s by a standby.
	poll = 4400 * time.Millisecond
	// settled is when the buckets are balanced after the last replica has started: Ready, seen twice,
	// patience, five buckets with their pauses, and the rounding of each to views' interval.
	settled = 6 * time.Minute
)

// fleet is replicas of the program that share the leases of ten buckets: real elections and views.
type fleet struct {
	t       *testing.T
	kube    *fake.Clientset
	referee *electiontest.Referee
	saved   atomic.Int64
	// saves is when each pod saved the states of a bucket last.
	saves sync.Map
}

func newFleet(t *testing.T) *fleet {
	return &fleet{t: t, kube: electiontest.NewClientset(), referee: electiontest.NewReferee(t)}
}

// runningReplica is one process.
type runningReplica struct {
	cancel context.CancelFunc
	ended  chan error
	// noPods and noCluster are true while the process does not reach the pods, or the API server.
	noPods, noCluster atomic.Bool
	metrics           *prometheus.Registry
}

// start runs a process in the pod; identity is that of the process.
func (f *fleet) start(pod, identity string) *runningReplica {
	f.t.Helper()
	o := NewOptions()
	o.Buckets = 10
	times, started := o.leases(), time.Now()
	r := &runningReplica{ended: make(chan error, 1), metrics: prometheus.NewRegistry()}
	kube := electiontest.Behind(f.kube, &r.noCluster).CoordinationV1()
	e := election.New(election.Options{
		Leases: kube, Namespace: "ours", Buckets: buckets(o), Identity: identity,
		LeaseDuration: times.LeaseDuration, RenewDeadline: times.RenewDeadline, RetryPeriod: times.RetryPeriod,
		Leader: f.referee.Player(pod), Log: slog.New(slog.DiscardHandler),
		Enqueue: func(reconciler.Bucket, types.NamespacedName) {},
	})
	v := newViews(kube.Leases("ours"), func() handover.View {
		if r.noPods.Load() {
			return handover.View{Endpoints: 20}
		}
		return handover.View{Endpoints: 20, Readable: 20}
	}, func() bool { return len(e.Led()) > 0 }, slog.New(slog.DiscardHandler))
	v.pod = pod
	v.balancer = newBalancer(balancer{
		elector: e, log: slog.New(slog.DiscardHandler),
		ready: func() bool { return time.Since(started) >= readyAfter },
		save:  func(_ context.Context, b reconciler.Bucket) { f.save(pod, b) },
	}, o.LeaseDuration, r.metrics)
	ctx, cancel := context.WithCancel(f.t.Context())
	r.cancel = cancel
	go func() { r.ended <- runAll(ctx, e.Run, v.run) }()
	return r
}

// save counts the buckets whose states are stored. A replica gives up no two within three lease durations.
func (f *fleet) save(pod string, b reconciler.Bucket) {
	if f.referee.Leaders()[b.Name()] != pod {
		f.t.Errorf("%s saves the states of %s, which it does not lead", pod, b.Name())
	}
	if last, ok := f.saves.Swap(pod, time.Now()); ok && time.Since(last.(time.Time)) < 30*time.Second {
		f.t.Errorf("%s gives up two buckets within %v", pod, time.Since(last.(time.Time)))
	}
	f.saved.Add(1)
}

// stop ends a process and waits until it has released its leases.
func (f *fleet) stop(replicas ...*runningReplica) {
	for _, r := range replicas {
		r.cancel()
		if err := <-r.ended; err != nil {
			f.t.Error(err)
		}
	}
}

// kill ends a process that cannot release its leases any more.
func (f *fleet) kill(r *runningReplica) {
	r.noCluster.Store(true)
	f.stop(r)
}

// balanced fails unless each replica leads at most its share and every bucket has a leader.
func (f *fleet) balanced(when string, share int) {
	f.t.Helper()
	led, sum := f.referee.Led(), 0
	for _, n := range led {
		sum += n
	}
	if sum != 10 || slices.Max(slices.Collect(maps.Values(led))) > share {
		f.t.Errorf("%s: %v lead the buckets, want at most %d each", when, led, share)
	}
}

// quietHour fails when a bucket moves within an hour.
func (f *fleet) quietHour() {
	f.t.Helper()
	f.referee.Changes()
	time.Sleep(time.Hour)
	if n := f.referee.Changes(); n > 0 {
		f.t.Errorf("%d buckets changed their leader in an hour", n)
	}
}

// Replicas that start when another one leads all buckets lead their share a few minutes later. Before
// they are Ready and known for a minute nothing moves, no bucket is without a leader for longer than
// the handover takes, and nothing moves in the hour after.
func TestBalance_replicasThatStartLater(t *testing.T) {
	for others, share := range map[int]int{1: 5, 2: 4} {
		t.Run(fmt.Sprint(others), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				replicas := []*runningReplica{f.start("a", "a_1")}
				time.Sleep(time.Minute)
				for i := range others {
					name := string(rune('b' + i))
					replicas = append(replicas, f.start(name, name+"_1"))
				}
				time.Sleep(readyAfter + 59*time.Second)
				if n := f.referee.Led()["a"]; n != 10 {
					t.Errorf("a leads %d of 10 buckets, and the others are not yet old enough", n)
				}
				time.Sleep(settled)
				f.balanced("in the end", share)
				if free := f.referee.LongestFree(); free > poll+time.Second {
					t.Errorf("a bucket was without a leader for %v", free)
				}
				if moved := 10 - f.referee.Led()["a"]; f.saved.Load() != int64(moved) {
					t.Errorf("the states of %d buckets are saved, and %d moved", f.saved.Load(), moved)
				}
				if n := replicas[0].gauge("ipa_buckets_fair_share"); int(n) != share {
					t.Errorf("the share is published as %v, want %d", n, share)
				}
				if n := replicas[0].gauge("ipa_buckets_led"); int(n) != f.referee.Led()["a"] {
					t.Errorf("%v led buckets are published, and %v lead", n, f.referee.Led())
				}
				f.quietHour()
				f.stop(replicas...)
			})
		})
	}
}

// After a rollout, in which each replica is replaced by a new one, the buckets are balanced.
func TestBalance_rollout(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n, " replicas"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				var replicas []*runningReplica
				for i := range n {
					replicas = append(replicas, f.start(fmt.Sprint("old-", i), fmt.Sprint("old-", i, "_1")))
				}
				time.Sleep(settled)
				for i := range n { // maxSurge 1: the new one is Ready before the old one is ended
					replicas = append(replicas, f.start(fmt.Sprint("new-", i), fmt.Sprint("new-", i, "_1")))
					time.Sleep(readyAfter + 2*time.Second)
					f.stop(replicas[0])
					replicas = replicas[1:]
				}
				time.Sleep(settled)
				f.balanced("after the rollout", (10+n-1)/n)
				if free := f.referee.LongestFree(); free > poll+time.Second {
					t.Errorf("a bucket was without a leader for %v", free)
				}
				f.quietHour()
				f.stop(replicas...)
			})
		})
	}
}

// balancedFleet starts two replicas, one after the other, and waits until each leads five of the ten buckets.
func balancedFleet(t *testing.T) (f *fleet, a, b *runningReplica) {
	t.Helper()
	f = newFleet(t)
	a = f.start("a", "a_1")
	time.Sleep(time.Minute)
	b = f.start("b", "b_1")
	time.Sleep(readyAfter + time.Minute + settled)
	f.balanced("at first", 5)
	return f, a, b
}

// A replica that dies has its buckets led by the other after the lease duration, and gets its share
// back once it runs again.
func TestBalance_deadReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a, b := balancedFleet(t)
		f.kill(b)
		time.Sleep(time.Minute)
		if led := f.referee.Led(); led["a"] != 10 {
			t.Errorf("%v lead the buckets a minute after the other died", led)
		}
		if free := f.referee.LongestFree(); free > 10*time.Second+2*poll {
			t.Errorf("a bucket was without a leader for %v", free)
		}
		b = f.start("b", "b_2")
		time.Sleep(readyAfter + time.Minute + settled)
		f.balanced("when it runs again", 5)
		f.stop(a, b)
	})
}

// A replica that cannot reach the pods gives up all that it leads (handover.Judge) and starts anew. It
// gets no bucket back while it cannot reach them: the two do not fight.
func TestBalance_replicaCutOffFromPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a, b := balancedFleet(t)
		b.noPods.Store(true)
		time.Sleep(time.Minute)
		select {
		case err := <-b.ended:
			if !errors.Is(err, errGaveUp) {
				t.Fatalf("the replica that cannot reach the pods ended with %v", err)
			}
		default:
			t.Fatal("the replica that cannot reach the pods still runs")
		}
		time.Sleep(poll)
		f.referee.Changes()
		b = f.start("b", "b_2")
		b.noPods.Store(true)
		time.Sleep(time.Hour)
		if led, n := f.referee.Led(), f.referee.Changes(); led["a"] != 10 || n > 0 {
			t.Errorf("%v lead the buckets, and %d changed their leader", led, n)
		}
		b.noPods.Store(false)
		time.Sleep(time.Minute + settled)
		f.balanced("when it reaches the pods again", 5)
		f.stop(a, b)
	})
}

// gauge is the value that a process publishes; -1 is none.
func (r *runningReplica) gauge(name string) float64 {
	families, err := r.metrics.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}
