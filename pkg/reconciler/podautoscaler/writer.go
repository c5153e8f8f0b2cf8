package podautoscaler

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

const (
	// ourManager is the field manager of our own writes: the first part of our user agent.
	ourManager = "autoscaler-adapter"
	// hpaManager runs the HorizontalPodAutoscalers, those of KEDA too.
	hpaManager = "kube-controller-manager"
	// kedaManager is KEDA's operator, which itself writes the count between 0 and 1.
	kedaManager = "keda"
	// remindEvery is the shortest time between two events about the same thing.
	remindEvery = 10 * time.Minute
)

// foreignWriter returns who, other than us and Knative, wrote spec.replicas of a Deployment last.
func foreignWriter(d *appsv1.Deployment) (manager string, found bool) {
	for _, f := range d.ManagedFields {
		if !owns(f) {
			continue
		}
		switch f.Manager {
		case ourManager, "controller", "autoscaler", "autoscaler-hpa": // the last three are Knative Serving's
		default:
			return f.Manager, true
		}
	}
	return "", false
}

// owns reports whether the entry has spec.replicas.
func owns(f metav1.ManagedFieldsEntry) bool {
	if f.FieldsV1 == nil {
		return false
	}
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(f.FieldsV1.Raw, &fields); err != nil {
		return false
	}
	_, ok := fields.Spec["f:replicas"]
	return ok
}

// reminders remembers when something was reported of a PodAutoscaler, so that each is
// reported at most every remindEvery.
type reminders struct {
	mu       sync.Mutex
	reported map[types.UID]time.Time
}

// due reports whether the time has come to report again, and remembers that.
func (w *reminders) due(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isRecent(uid) {
		return false
	}
	if w.reported == nil {
		w.reported = map[types.UID]time.Time{}
	}
	w.reported[uid] = time.Now()
	return true
}

// recent reports whether the last report is younger than remindEvery.
func (w *reminders) recent(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isRecent(uid)
}

// isRecent is recent; w.mu is held.
func (w *reminders) isRecent(uid types.UID) bool {
	last, ok := w.reported[uid]
	return ok && time.Since(last) < remindEvery
}

func (w *reminders) forget(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.reported, uid)
}

// warnWriter reports that somebody else set the count that is about to be set to want.
func (r *Reconciler) warnWriter(ctx context.Context, pa *v1alpha1.PodAutoscaler, d *appsv1.Deployment, want int32) {
	manager, found := foreignWriter(d)
	if !found || !r.writers.due(pa.UID) {
		return
	}
	r.warnOwners(ctx, pa, autoscaling.ReasonAnotherWriter, fmt.Sprintf("%s set the Deployment %s to %d replicas; the autoscaler sets it to %d. %s.",
		manager, d.Name, replicasOf(d), want, writerFix(manager)))
}

// writerFix says what ends the dispute with a writer.
func writerFix(manager string) string {
	switch manager {
	case hpaManager:
		return "Delete the HorizontalPodAutoscaler of this Deployment (if KEDA made it, the ScaledObject), or give the Service the class hpa.autoscaling.knative.dev"
	case kedaManager:
		return "Delete the ScaledObject of this Deployment: KEDA and this class cannot scale the same pods"
	default:
		return "The autoscaler owns this count: bound it with the annotations min-scale and max-scale instead"
	}
}
