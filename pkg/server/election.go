package server

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/sets"
	kubeclient "knative.dev/pkg/client/injection/kube/client"
	"knative.dev/pkg/hash"
	kle "knative.dev/pkg/leaderelection"
	"knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/election"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// newElection returns what elects the leaders of several buckets, which have the leases and revisions
// that knative.dev/pkg's elector gives them. With one bucket it is nil: that elector elects its leader.
func newElection(b *base, ctrl *podautoscaler.Controller) (*election.Elector, error) {
	if b.Buckets == 1 {
		return nil, nil
	}
	identity, err := kle.UniqueID()
	if err != nil {
		return nil, fmt.Errorf("naming this replica in the leases: %w", err)
	}
	leader, err := ctrl.Elected()
	if err != nil {
		return nil, err
	}
	times := b.leases()
	return election.New(election.Options{
		Leases: kubeclient.Get(b.ctx).CoordinationV1(), Namespace: b.Namespace, Identity: identity,
		Buckets:       buckets(b.Options),
		LeaseDuration: times.LeaseDuration, RenewDeadline: times.RenewDeadline, RetryPeriod: times.RetryPeriod,
		Leader: leader, Enqueue: ctrl.MaybeEnqueueBucketKey, Log: b.log,
	}), nil
}

// buckets are those of the autoscaler.
func buckets(o Options) []reconciler.Bucket {
	names := sets.New[string]()
	for i := range o.Buckets {
		names.Insert(o.leaseName(component, i))
	}
	return hash.NewBucketSet(names).Buckets()
}

// runElection runs e until ctx ends; nil does nothing.
func runElection(ctx context.Context, e *election.Elector) error {
	if e == nil {
		return nil
	}
	return e.Run(ctx)
}
