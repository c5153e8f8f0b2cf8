package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/handover"
)

const (
	// viewsLease has one annotation for each replica: what it can read. It needs no right
	// that the leases of the leader election do not need.
	viewsLease = component + "-views"
	viewPrefix = "knative-inference.dev/view-"
	// viewInterval is how often a replica publishes its view.
	viewInterval = 10 * time.Second
)

// errGaveUp ends the process, which releases its leases; the kubelet starts it again.
var errGaveUp = errors.New("gave up leading: most metrics endpoints cannot be reached from here, and another replica reaches them. Look at the network of this node")

// views publishes what this replica can read, and ends a leader that sees less than another. With
// several buckets a leader of too many gives one to another replica.
type views struct {
	leases coordinationclient.LeaseInterface
	own    func() handover.View
	leads  func() bool
	pod    string
	log    *slog.Logger
	judge  handover.Judge
	peers  handover.Peers
	// balancer is nil with one bucket.
	balancer *balancer
}

func newViews(leases coordinationclient.LeaseInterface, own func() handover.View, leads func() bool,
	log *slog.Logger) *views {
	pod := os.Getenv("POD_NAME")
	if pod == "" {
		pod, _ = os.Hostname()
	}
	return &views{leases: leases, own: own, leads: leads, pod: pod, log: log}
}

// run publishes until ctx ends, or returns errGaveUp.
func (v *views) run(ctx context.Context) error {
	return every(ctx, viewInterval, func(ctx context.Context) error {
		own := handover.Replica{View: v.own(), Election: v.balancer.election()}
		others, err := v.exchange(ctx, own, time.Now())
		if err != nil {
			v.log.Warn("what this replica can read is not published; trying again", "error", err)
		}
		if v.judge.GiveUp(time.Now(), v.leads(), own.View, others) {
			return errGaveUp
		}
		v.balancer.step(ctx, time.Now(), own, others)
		return nil
	})
}

// exchange writes our entry and returns the other replicas whose entries are fresh.
func (v *views) exchange(ctx context.Context, own handover.Replica, now time.Time) ([]handover.Replica, error) {
	text, err := handover.Entry(own, now)
	if err != nil {
		return nil, err
	}
	lease, err := v.leases.Get(ctx, viewsLease, metav1.GetOptions{})
	missing := apierrs.IsNotFound(err)
	if err != nil && !missing {
		return nil, fmt.Errorf("reading lease %s: %w", viewsLease, err)
	}
	if missing {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: viewsLease}}
	}
	others := v.others(lease.Annotations, now)
	lease = lease.DeepCopy()
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[viewPrefix+v.pod] = text
	if missing {
		_, err = v.leases.Create(ctx, lease, metav1.CreateOptions{})
	} else {
		_, err = v.leases.Update(ctx, lease, metav1.UpdateOptions{}) // of two at once one wins, the other comes again
	}
	if err != nil && !apierrs.IsConflict(err) && !apierrs.IsAlreadyExists(err) {
		return others, fmt.Errorf("writing lease %s: %w", viewsLease, err)
	}
	return others, nil
}

// others returns the other replicas whose entries are fresh, and removes the entries of those that are gone.
func (v *views) others(annotations map[string]string, now time.Time) []handover.Replica {
	entries := map[string]string{}
	for key, text := range annotations {
		if pod, ours := strings.CutPrefix(key, viewPrefix); ours && pod != v.pod {
			entries[pod] = text
		}
	}
	fresh, gone := v.peers.Fresh(entries, now)
	for _, pod := range gone {
		delete(annotations, viewPrefix+pod)
	}
	return fresh
}
