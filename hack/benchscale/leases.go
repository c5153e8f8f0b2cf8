package main

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/pkg/hash"
	"knative.dev/pkg/ptr"
)

// leaseName is that of a bucket, as pkg/server names it.
func leaseName(i, buckets int) string {
	return fmt.Sprintf("autoscaler-adapter-%02d-of-%02d", i, buckets)
}

// standInHolds reports whether the stand-in holds the lease of a bucket: every second one.
func standInHolds(i int) bool { return i%2 == 1 }

// holdLeases makes the stand-in the leader of its buckets for the length of the run.
func (c clients) holdLeases(ctx context.Context, buckets int) error {
	const namespace = "knative-inference"
	now := metav1.NewMicroTime(time.Now())
	for i := range buckets {
		if !standInHolds(i) {
			continue
		}
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: leaseName(i, buckets), Namespace: namespace},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: ptr.String("stand-in"), LeaseDurationSeconds: ptr.Int32(24 * 3600),
				AcquireTime: &now, RenewTime: &now,
			},
		}
		_, err := c.kube.CoordinationV1().Leases(namespace).Create(ctx, lease, metav1.CreateOptions{})
		if err != nil && !apierrs.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// share marks the revisions that the measured replica leads, and returns their share.
func share(o options, all []revision) float64 {
	names, ours := sets.New[string](), sets.New[string]()
	for i := range o.buckets {
		names.Insert(leaseName(i, o.buckets))
		if !standInHolds(i) {
			ours.Insert(leaseName(i, o.buckets))
		}
	}
	set, n := hash.NewBucketSet(names), 0
	for i := range all {
		all[i].led = o.buckets == 0 || ours.Has(set.Owner(all[i].namespace+"/"+all[i].name))
		if all[i].led {
			n++
		}
	}
	return float64(n) / float64(len(all))
}
