package podautoscaler

import (
	"context"
	"math"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// trafficTimeout bounds the question for a Service, asked once for each start.
const trafficTimeout = 5 * time.Second

// replicasForShare is what a new revision needs for its share of its Service's traffic:
// as many replicas for each percent as the other revisions have that take traffic, at
// most all of them. With 20 replicas at 99 % a canary of 1 % starts with one. It is
// false where the shares are not known.
func (r *Reconciler) replicasForShare(pa *v1alpha1.PodAutoscaler) (n int32, known bool) {
	traffic := r.traffic(pa)
	if len(traffic) == 0 {
		return 0, false
	}
	shares, latest := shares(traffic)
	peers := r.routed(pa)
	newest := newestOf(peers)
	own := shares[pa.Name]
	if newest == nil || generationOf(pa) > generationOf(newest) {
		own += latest
	}
	percent, replicas := 0.0, int32(0)
	for _, peer := range peers {
		share, named := shares[peer.Name]
		if !named && peer == newest {
			share = latest // it is the latest, or was until this revision came
		}
		if share > 0 {
			percent, replicas = percent+share, replicas+r.replicasAsked(peer)
		}
	}
	if percent == 0 {
		return 0, false
	}
	return min(int32(math.Ceil(own/percent*float64(replicas)-1e-9)), replicas), true
}

// traffic is how the Service of a revision splits its requests; empty if that is not known.
func (r *Reconciler) traffic(pa *v1alpha1.PodAutoscaler) []servingv1.TrafficTarget {
	name := pa.Labels[serving.ServiceLabelKey]
	if name == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), trafficTimeout)
	defer cancel()
	service, err := r.Client.ServingV1().Services(pa.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if !apierrs.IsNotFound(err) {
			r.log.Warn("cannot read how the Service splits its traffic; the revision starts as large as its predecessor", "namespace", pa.Namespace, "revision", pa.Name, "error", err)
		}
		return nil
	}
	return service.Spec.Traffic
}

// shares are the percents of the revisions that are named, and that of the latest one.
func shares(traffic []servingv1.TrafficTarget) (named map[string]float64, latest float64) {
	named = map[string]float64{}
	for _, t := range traffic {
		percent := 0.0
		switch {
		case t.Percent != nil:
			percent = float64(*t.Percent)
		case len(traffic) == 1:
			percent = 100
		}
		if t.RevisionName == "" {
			latest += percent
		} else {
			named[t.RevisionName] += percent
		}
	}
	return named, latest
}
