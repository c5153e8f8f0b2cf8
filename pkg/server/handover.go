package server

import (
	"context"
	"encoding/json"
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

// views publishes what this replica can read, and ends a leader that sees less than another.
type views struct {
	leases coordinationclient.LeaseInterface
	own    func() handover.View
	leads  func() bool
	pod    string
	log    *slog.Logger
	judge  handover.Judge
	// seen is when each other replica's entry last changed, by our own monotonic clock:
	// the clocks of two nodes differ.
	seen map[string]seenView
}

type seenView struct {
	text string
	at   time.Time
}

func newViews(leases coordinationclient.LeaseInterface, own func() handover.View, leads func() bool,
	log *slog.Logger) *views {
	pod := os.Getenv("POD_NAME")
	if pod == "" {
		pod, _ = os.Hostname()
	}
	return &views{leases: leases, own: own, leads: leads, pod: pod, log: log, seen: map[string]seenView{}}
}

// run publishes until ctx ends, or returns errGaveUp.
func (v *views) run(ctx context.Context) error {
	return every(ctx, viewInterval, func(ctx context.Context) error {
		others, err := v.exchange(ctx, time.Now())
		if err != nil {
			v.log.Warn("what this replica can read is not published; trying again", "error", err)
		}
		if v.judge.GiveUp(time.Now(), v.leads(), v.own(), others) {
			return errGaveUp
		}
		return nil
	})
}

// entry is what one replica publishes; Beat makes each one differ from the one before.
type entry struct {
	handover.View
	Beat int64 `json:"beat"`
}

// exchange writes our view and returns those of the other replicas that are fresh.
func (v *views) exchange(ctx context.Context, now time.Time) ([]handover.View, error) {
	text, err := json.Marshal(entry{View: v.own(), Beat: now.Unix()})
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
	lease.Annotations[viewPrefix+v.pod] = string(text)
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

// others reads the entries of the other replicas, and drops those that do not change any more.
func (v *views) others(annotations map[string]string, now time.Time) (fresh []handover.View) {
	for key, text := range annotations {
		pod, ours := strings.CutPrefix(key, viewPrefix)
		if !ours || pod == v.pod {
			continue
		}
		last, known := v.seen[pod]
		if !known || last.text != text {
			first := !known
			last = seenView{text, now}
			if first {
				last.at = now.Add(-handover.MaxAge) // an entry of long ago looks new to us once
			}
			v.seen[pod] = last
		}
		var e entry
		switch age := now.Sub(last.at); {
		case age >= forgetViews:
			delete(annotations, key)
			delete(v.seen, pod)
		case age < handover.MaxAge && json.Unmarshal([]byte(text), &e) == nil:
			fresh = append(fresh, e.View)
		}
	}
	return fresh
}

// forgetViews is when the entry of a replica that is gone is removed.
const forgetViews = 10 * time.Minute
