package podautoscaler

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/controller"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// scale brings the scale target to want; -1 leaves it as it is. The event gives the
// reasons of the decision that is applied: the decision loop may have made a newer one.
func (r *Reconciler) scale(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep report, want int32) error {
	d, now := rep.target, replicasOf(rep.target)
	if want < 0 || want == now || r.patched.just(d.UID, want) {
		return nil
	}
	r.warnWriter(ctx, pa, d, want)
	if err := r.patchScale(ctx, d, want); err != nil {
		return err
	}
	r.patched.note(d.UID, want)
	why := rep.why(want)
	if !rep.record.Time.IsZero() {
		r.metrics.Actuated(time.Since(rep.record.Time).Seconds())
	}
	r.log.Info("scaled", "namespace", pa.Namespace, "revision", pa.Name, "from", now, "to", want, "why", why)
	controller.GetEventRecorder(ctx).Eventf(pa, corev1.EventTypeNormal, autoscaling.ReasonScaled, "Scaled from %d to %d. %s", now, want, why)
	return nil
}

// patchScale sets spec.replicas through the scale subresource, as Knative does.
func (r *Reconciler) patchScale(ctx context.Context, d *appsv1.Deployment, want int32) error {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, want)
	_, err := r.kube.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, patch,
		metav1.PatchOptions{}, "scale")
	if err != nil {
		return fmt.Errorf("scaling Deployment %s/%s to %d: %w", d.Namespace, d.Name, want, err)
	}
	return nil
}

// replicasOf returns spec.replicas, 1 when it is not set (the API's default).
func replicasOf(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// cacheLag is how long the informer's cache may trail a patch of our own.
const cacheLag = time.Second

// patched remembers the last patch of each scale target, because the cache
// shows the old count for a moment: without it one decision is patched twice.
type patched struct {
	mu   sync.Mutex
	last map[types.UID]patch
}

type patch struct {
	replicas int32
	at       time.Time
}

func (p *patched) just(uid types.UID, replicas int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.last[uid]
	return ok && last.replicas == replicas && time.Since(last.at) < cacheLag
}

func (p *patched) note(uid types.UID, replicas int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[types.UID]patch{}
	}
	p.last[uid] = patch{replicas, time.Now()}
	for old, last := range p.last {
		if time.Since(last.at) > time.Minute {
			delete(p.last, old)
		}
	}
}
