package podautoscaler

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/ptr"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// report is what one reconciliation found, for the status.
type report struct {
	settings config.Settings
	refused  error
	// record is the decision that this reconciliation applies.
	record      multiscaler.Record
	sks         *nv1alpha1.ServerlessService
	want, start int32
	target      *appsv1.Deployment
	counts      podCounts
	// pooled is true for a revision that an InferencePool keeps from zero.
	pooled bool
	// negativeWaits is true if requests of a negative priority do not wake the revision.
	negativeWaits bool
	// asleep is true for a routed revision whose last pod may go, or is gone, for want of traffic.
	asleep bool
	// drain says which pods are given up and which requests they hold.
	drain draining
	// unwritten is why pods could not be written.
	unwritten error
	// late is true when the start took longer than the progress deadline.
	late bool
}

// failed reports whether a start has come to nothing: it took too long and not
// even the pods that Knative itself would ask for are Ready.
func (rep report) failed() bool {
	return rep.late && rep.counts.available() < max(rep.settings.Spec.MinReplicas, rep.settings.InitialScale, 1)
}

// why is the reasons for a count of the scale target, in sentences.
func (rep report) why(replicas int32) string {
	if rep.failed() {
		return "The start took longer than the progress deadline, and too few pods are Ready."
	}
	why := rep.record.Decision.Why()
	switch {
	case replicas > rep.want && rep.want == 0:
		why += " The decision asks for 0; pods that still have requests end them first, and the last one waits for Knative's activator."
	case replicas > rep.want:
		why += fmt.Sprintf(" The decision asks for %d; pods that still have requests end them first.", rep.want)
	}
	return why
}

// report writes the status as Knative's own class does, plus our conditions.
func (r *Reconciler) report(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep report) {
	pa.Status.MetricsServiceName = rep.sks.Status.PrivateServiceName
	pa.Status.ServiceName = rep.sks.Status.ServiceName
	if rep.sks.IsReady() {
		pa.Status.MarkSKSReady()
	} else {
		pa.Status.MarkSKSNotReady(rep.sks.Status.GetCondition(nv1alpha1.ServerlessServiceConditionReady).GetMessage())
	}
	if !rep.record.Time.IsZero() {
		r.warnFailure(ctx, pa, rep.record)
		markScaling(pa, rep.record, rep.want)
		r.markReachable(ctx, pa, rep.record.Decision)
	}
	pa.Status.ActualScale = ptr.Int32(rep.counts.ready)
	if rep.want >= 0 {
		pa.Status.DesiredScale = ptr.Int32(rep.want)
	}
	markActive(pa, rep)
	markDraining(pa, rep)
	r.markStarting(ctx, pa, rep.counts.failing)
	r.markAnnotations(ctx, pa, rep.refused)
	r.markScaleToZero(pa, rep)
	r.markReadable(ctx, pa, rep.settings)
	r.warnProgressDeadline(ctx, pa, rep)
}

// markActive follows the table at computeActiveCondition in knative.dev/serving
// pkg/reconciler/autoscaling/kpa/kpa.go v0.50: want 0 is inactive, too few
// ready pods is activating, enough is active.
func markActive(pa *v1alpha1.PodAutoscaler, rep report) {
	threshold, ready := activeThreshold(pa, rep), rep.counts.ready
	if pa.Status.IsScaleTargetInitialized() {
		ready = rep.counts.available() // a pod that drains, or comes back, is there
	}
	if ready >= threshold && pa.Status.ServiceName != "" && (rep.want != 0 || threshold == 0) {
		pa.Status.MarkScaleTargetInitialized()
	}
	switch {
	case rep.failed():
		pa.Status.MarkInactive(timedOut, "The target could not be activated.")
	case rep.want == 0:
		pa.Status.MarkInactive("NoTraffic", "The target is not receiving traffic.")
	case ready < threshold && (rep.want > 0 || !pa.Status.IsInactive()):
		pa.Status.MarkActivating("Queued", "Requests to the target are being buffered as resources are provisioned.")
	case ready >= threshold && (rep.want > 0 || !pa.Status.IsInactive()):
		pa.Status.MarkActive()
	default:
		pa.Status.MarkInactive("NoTraffic", "The target is not receiving traffic.")
	}
}

// activeThreshold is how many Ready pods the revision needs to take traffic.
// Pods of a new revision that cannot be scheduled are not waited for: the
// predecessor may hold the GPUs that they need. After the progress deadline
// what Knative itself asks for is enough.
func activeThreshold(pa *v1alpha1.PodAutoscaler, rep report) int32 {
	least := max(rep.settings.Spec.MinReplicas, 1)
	switch {
	case pa.Status.IsScaleTargetInitialized():
		return least
	case rep.settings.InitialScale == 0 && rep.settings.Spec.MinReplicas == 0 && rep.start == 0:
		return 0 // with allow-zero-initial-scale
	case rep.late:
		return max(least, rep.settings.InitialScale)
	}
	return max(least, rep.start-rep.counts.unschedulable)
}

// fresh is how long numbers that move while count and reason stay are not written:
// every write of a status is an event for everybody who watches. The decision loops notify
// of such numbers half as often, see multiscaler.
const fresh = 30 * time.Second

// markScaling reports the decision.
func markScaling(pa *v1alpha1.PodAutoscaler, record multiscaler.Record, want int32) {
	old := pa.Status.GetCondition(autoscaling.ConditionScaling)
	same := old != nil && old.Reason == string(record.Decision.Reason) && pa.Status.GetDesiredScale() == want
	// a clock that was set back delays nothing
	if same && record.Time.Sub(old.LastTransitionTime.Inner.Time).Abs() < fresh {
		return
	}
	message := record.Decision.String()
	if record.Failure != "" {
		message = failureMessage(record)
	}
	set(pa, apis.Condition{
		Type: autoscaling.ConditionScaling, Status: corev1.ConditionTrue, Severity: apis.ConditionSeverityInfo,
		Reason: string(record.Decision.Reason), Message: message,
	})
}

// failureMessage is for a user whose revision met a bug of ours.
func failureMessage(record multiscaler.Record) string {
	return fmt.Sprintf("The count stays at %d, because the decision ended with an internal error: %s. The autoscaler tries again every 2 s, without the history of this revision. Please report the error with the line of the autoscaler's log that names this revision.",
		record.Decision.Replicas, record.Failure)
}

// warnFailure puts an internal error where users look, once for each time that it begins.
func (r *Reconciler) warnFailure(ctx context.Context, pa *v1alpha1.PodAutoscaler, record multiscaler.Record) {
	old := pa.Status.GetCondition(autoscaling.ConditionScaling)
	if record.Failure == "" || old != nil && old.Reason == string(multiscaler.InternalError) {
		return
	}
	r.warnOwners(ctx, pa, autoscaling.ReasonInternalError, failureMessage(record))
}

// markScaleToZero says that a revision is at zero, or why it cannot go there.
func (r *Reconciler) markScaleToZero(pa *v1alpha1.PodAutoscaler, rep report) {
	c := apis.Condition{Type: autoscaling.ConditionScaleToZero, Severity: apis.ConditionSeverityInfo}
	routed := pa.Spec.Reachability == v1alpha1.ReachabilityReachable
	old := pa.Status.GetCondition(c.Type)
	waking := routed && old != nil && old.IsTrue() && replicasOf(rep.target) == 0
	activator, picker := r.collector.ActivatorProblem(), r.collector.PickerProblem(revisionOf(pa))
	switch {
	case rep.asleep || waking:
		c.Status, c.Reason = corev1.ConditionTrue, autoscaling.ReasonNoTraffic
		c.Message = "No request is open, so the revision needs no pod. The next request waits for one in Knative's activator, or in the endpoint picker of an inference gateway."
		if rep.negativeWaits {
			c.Message += " Requests of a negative priority wait for another one to wake the revision, because the Service's annotation knative-inference.dev/negative-priority is \"wait\"."
		}
		r.starts.set(pa.UID, start{asleep: true})
	case routed && rep.pooled:
		c.Status, c.Reason = corev1.ConditionFalse, autoscaling.ReasonKeptAtOne
		c.Message = "One pod is kept, because an InferencePool that several Services share, or that is not ours, selects the revision's pods: nobody would see that a request of its inference gateway waits for this revision. Give the Service a pool of its own."
	case routed && rep.settings.Zero.Allowed && (activator != nil || picker != nil):
		c.Status, c.Reason = corev1.ConditionFalse, autoscaling.ReasonKeptAtOne
		c.Message = unseen(activator, picker)
		if old != nil && old.IsFalse() && old.Reason == c.Reason &&
			time.Since(old.LastTransitionTime.Inner.Time).Abs() < fresh {
			return
		}
	default:
		_ = pa.GetConditionSet().Manage(&pa.Status).ClearCondition(c.Type) // fails for Ready's own conditions only
		return
	}
	set(pa, c)
}

// unseen says why a revision without pods would sleep blind, and what to do; one of the two
// problems may be nil.
func unseen(activator, picker error) string {
	const why = "One pod is kept, because a request that waits for a revision without pods would not be seen: "
	if activator != nil {
		return fmt.Sprintf(why+"%v. Set metrics-protocol: prometheus in the ConfigMap config-observability of knative-serving and restart the Deployment activator there; a NetworkPolicy must let the autoscaler reach port 9090 of the activator's pods.", activator)
	}
	return fmt.Sprintf(why+"%v. Have the Service's picker managed by this adapter (annotation knative-inference.dev/epp) with flow control (knative-inference.dev/flow-control, and knative-inference.dev/epp-config if you name one); a NetworkPolicy must let the autoscaler reach port 9090 of the picker's pods.", picker)
}

// markAnnotations says whether the annotations in force are those on the object.
func (r *Reconciler) markAnnotations(ctx context.Context, pa *v1alpha1.PodAutoscaler, refused error) {
	c := apis.Condition{
		Type: autoscaling.ConditionAnnotationsAccepted, Status: corev1.ConditionTrue, Severity: apis.ConditionSeverityInfo,
		Reason: autoscaling.ReasonAccepted,
	}
	if refused != nil {
		c.Status, c.Severity, c.Reason = corev1.ConditionFalse, apis.ConditionSeverityWarning, autoscaling.ReasonRefused
		c.Message = fmt.Sprintf("The last good annotations stay in force: %v", refused)
		if old := pa.Status.GetCondition(autoscaling.ConditionAnnotationsAccepted); old == nil || old.Message != c.Message {
			r.warnOwners(ctx, pa, autoscaling.ReasonRefused, c.Message)
		}
	}
	set(pa, c)
}

// refuse holds a revision whose annotations were never accepted: no service
// name, Ready=False with our reason, and no pod that would burn a GPU. A
// revision that another class has been serving keeps its pods.
func (r *Reconciler) refuse(ctx context.Context, pa *v1alpha1.PodAutoscaler, target *appsv1.Deployment,
	refused error) error {
	r.forget(revisionOf(pa))
	message := refused.Error()
	if old := pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionActive); old == nil || old.Message != message {
		r.warnOwners(ctx, pa, autoscaling.ReasonRefused, message)
	}
	pa.Status.MarkInactive(autoscaling.ReasonRefused, message)
	if pa.Status.ServiceName != "" || replicasOf(target) == 0 {
		return nil
	}
	return r.patchScale(ctx, target, 0)
}

// warnProgressDeadline names the annotation that a slow model load needs.
func (r *Reconciler) warnProgressDeadline(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep report) {
	if rep.counts.draining > 0 {
		return // Kubernetes counts them as replicas that do not become Ready
	}
	for _, c := range rep.target.Status.Conditions {
		if c.Type != appsv1.DeploymentProgressing || c.Reason != "ProgressDeadlineExceeded" {
			continue
		}
		if r.deadlines.seen(pa.UID, c.LastTransitionTime.Time) {
			return
		}
		r.warnOwners(ctx, pa, autoscaling.ReasonProgressDeadline, fmt.Sprintf(
			"Only %d of %d pods became Ready within %v. If the model takes longer to load, raise the annotation serving.knative.dev/progress-deadline under spec.template.",
			rep.counts.ready, replicasOf(rep.target), progressDeadline(ctx, pa)))
	}
}

// set writes a condition that does not take part in Ready.
func set(pa *v1alpha1.PodAutoscaler, c apis.Condition) {
	pa.GetConditionSet().Manage(&pa.Status).SetCondition(c)
}

// warnOwners puts a warning where users look: on the PodAutoscaler, its
// Revision and its Service, because a Service never carries its PodAutoscaler's reason.
func (r *Reconciler) warnOwners(ctx context.Context, pa *v1alpha1.PodAutoscaler, reason, message string) {
	recorder := controller.GetEventRecorder(ctx)
	recorder.Event(pa, corev1.EventTypeWarning, reason, message)
	for _, ref := range r.owners(ctx, pa) {
		recorder.Event(ref, corev1.EventTypeWarning, reason, message)
	}
}
