package podautoscaler

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
)

// owners returns references to the Revision and the Service of a PodAutoscaler,
// with their UIDs, so that kubectl describe shows the events.
func (r *Reconciler) owners(ctx context.Context, pa *v1alpha1.PodAutoscaler) []*corev1.ObjectReference {
	var refs []*corev1.ObjectReference
	if owner := metav1.GetControllerOf(pa); owner != nil {
		refs = append(refs, &corev1.ObjectReference{
			APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: pa.Namespace, Name: owner.Name, UID: owner.UID,
		})
	}
	name, ok := pa.Labels[serving.ServiceLabelKey]
	if !ok {
		return refs
	}
	svc, err := r.Client.ServingV1().Services(pa.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		r.log.Warn("cannot find the Service for an event", "namespace", pa.Namespace, "service", name, "error", err)
		return refs
	}
	return append(refs, &corev1.ObjectReference{
		APIVersion: "serving.knative.dev/v1", Kind: "Service", Namespace: pa.Namespace, Name: name, UID: svc.UID,
	})
}

// deadlines remembers which missed deadlines had an event, so that each has one.
type deadlines struct {
	mu       sync.Mutex
	reported map[types.UID]time.Time
}

// seen reports whether the deadline missed at t had its event before, and remembers it.
func (d *deadlines) seen(uid types.UID, t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reported == nil {
		d.reported = map[types.UID]time.Time{}
	}
	if d.reported[uid].Equal(t) {
		return true
	}
	d.reported[uid] = t
	return false
}

func (d *deadlines) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.reported, uid)
}
