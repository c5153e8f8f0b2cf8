package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/knative-inference/autoscaler-adapter/pkg/handover"
)

// A leader that loses the pods while the other replica reads them gives up within a minute;
// the other one, and a leader alone, do not.
func TestViews_leaderCutOffFromPodsGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		leases := fake.NewClientset().CoordinationV1().Leases("ours")
		start := time.Now()
		replica := func(pod string, leads bool, cutAfter time.Duration) chan error {
			v := newViews(leases, func() handover.View {
				if time.Since(start) > cutAfter {
					return handover.View{Endpoints: 20}
				}
				return handover.View{Endpoints: 20, Readable: 20}
			}, func() bool { return leads }, slog.New(slog.DiscardHandler))
			v.pod = pod
			done := make(chan error, 1)
			go func() { done <- v.run(ctx) }()
			return done
		}
		leader := replica("a", true, 2*time.Minute)
		time.Sleep(3 * time.Second)
		standby := replica("b", false, 24*time.Hour)
		time.Sleep(2 * time.Minute)
		select {
		case err := <-leader:
			t.Fatalf("gave up while it saw everything: %v", err)
		default:
		}
		time.Sleep(time.Minute)
		select {
		case err := <-leader:
			if !errors.Is(err, errGaveUp) {
				t.Errorf("ended with %v", err)
			}
		default:
			t.Error("a leader that sees nothing for a minute still leads")
		}
		time.Sleep(11 * time.Minute) // the entry of a replica that is gone goes
		lease, err := leases.Get(t.Context(), viewsLease, metav1.GetOptions{})
		if err != nil || len(lease.Annotations) != 1 {
			t.Errorf("%v, %v: want the entry of the replica that is left", lease.Annotations, err)
		}
		cancel()
		if err := <-standby; err != nil {
			t.Errorf("the standby ended with %v", err)
		}
	})
}
