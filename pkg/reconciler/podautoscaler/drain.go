package podautoscaler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/controller"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	knativedefaults "knative.dev/serving/pkg/apis/config"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
)

// draining is what a status says of pods that are given up.
type draining struct {
	pods int
	// of is the number of all pods.
	of int
	// open is the requests that those hold that can be read; unknown counts the others.
	open    float64
	unknown int
	timeout time.Duration
}

// act brings the pods and the scale target to what the decision asks for: pods that are
// not needed leave routing first, and the count is lowered when they have ended. Where pods
// cannot be written the count is raised all the same; a plan lowers it for what the cache
// shows, and not for what it writes.
func (r *Reconciler) act(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep *report) error {
	rev := revisionOf(pa)
	wall, running := r.now()
	in := drain.Input{
		Now: wall, Want: r.toZero(ctx, pa, rep), Replicas: replicasOf(rep.target),
		Pods: r.pods.drainPods(rev, r.collector.Loads(rev)), Timeout: r.drainTimeout(pa, rep.settings.DrainTimeout),
	}
	for i, p := range in.Pods {
		if p.Gate == drain.Closed {
			in.Pods[i].ClosedAt = wall.Add(-r.drains.lasting(pa.Namespace+"/"+p.Name, p.ClosedAt, wall, running))
		}
	}
	plan := drain.Next(in)
	rep.drain = tally(in, plan)
	if rep.unwritten = r.writePods(ctx, pa, plan); rep.unwritten == nil {
		r.reportDrain(ctx, pa, *rep, plan)
	}
	if plan.Again > 0 {
		r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, plan.Again)
	}
	return r.scale(ctx, pa, *rep, plan.Replicas)
}

// drainTimeout is what the annotation gives, if not 0, else the time after which Knative ends a request.
func (r *Reconciler) drainTimeout(pa *v1alpha1.PodAutoscaler, given time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	seconds := int64(knativedefaults.DefaultRevisionTimeoutSeconds)
	if rev, err := r.revisions.Revisions(pa.Namespace).Get(pa.Name); err == nil && rev.Spec.TimeoutSeconds != nil {
		seconds = *rev.Spec.TimeoutSeconds
	}
	return time.Duration(seconds) * time.Second
}

func tally(in drain.Input, plan drain.Plan) draining {
	d := draining{pods: plan.Draining, of: len(in.Pods), timeout: in.Timeout}
	for _, p := range in.Pods {
		switch {
		case p.Gate != drain.Closed || p.Unborn:
		case math.IsNaN(p.Open):
			d.unknown++
		default:
			d.open += p.Open
		}
	}
	return d
}

// writePods writes what a plan says of pods. All of it is tried; what fails is tried again
// with the next plan.
func (r *Reconciler) writePods(ctx context.Context, pa *v1alpha1.PodAutoscaler, plan drain.Plan) error {
	var errs []error
	each := func(names []string, write func(ctx context.Context, namespace, name string) error) {
		for _, name := range names {
			if err := write(ctx, pa.Namespace, name); err != nil && !apierrs.IsNotFound(err) {
				errs = append(errs, err)
			}
		}
	}
	each(plan.Keep, r.unsetCost)
	each(plan.Open, r.openGate)
	each(plan.Close, r.closeGate)
	each(plan.Release, r.setCost)
	return errors.Join(errs...)
}

// openNew lets the pods in that were born with the gate. It comes before everything else
// of a reconciliation: a start is never slower for the gate.
func (r *Reconciler) openNew(ctx context.Context, rev collector.Key) error {
	var errs []error
	for _, pod := range r.pods.list(rev) {
		if gate, _ := gateOf(pod); gate == drain.Unset {
			if err := r.openGate(ctx, pod.Namespace, pod.Name); err != nil && !apierrs.IsNotFound(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// strayInterval is the time between two searches for pods and budgets that nothing else takes care of.
const strayInterval = 5 * time.Second

// TendStrays opens, until ctx ends, the gates of pods whose revision is not of our class
// (any more): of Services that changed to another class, and of pods that were born while
// the cluster's default class was ours. It deletes the budgets of such revisions.
func (c *Controller) TendStrays(ctx context.Context) {
	_ = wait.PollUntilContextCancel(ctx, strayInterval, false, func(ctx context.Context) (bool, error) {
		c.tendStrays(ctx)
		return false, nil
	})
}

func (r *Reconciler) openStrays(ctx context.Context, leads func(collector.Key) bool) {
	for _, obj := range r.pods.List() {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !alive(pod) {
			continue
		}
		gate, _ := gateOf(r.pods.written.newest(pod))
		rev := collector.Key{Namespace: pod.Namespace, Name: pod.Labels[serving.RevisionLabelKey]}
		if gate != drain.Unset && gate != drain.Closed || !leads(rev) || r.isOurs(rev) {
			continue
		}
		if err := r.openGate(ctx, pod.Namespace, pod.Name); err != nil && !apierrs.IsNotFound(err) {
			r.log.Warn("cannot let a pod in that is not of our class; trying again", "namespace", pod.Namespace, "pod", pod.Name, "error", err)
		}
	}
}

func (r *Reconciler) openGate(ctx context.Context, namespace, name string) error {
	return r.setGate(ctx, namespace, name, corev1.PodCondition{Status: corev1.ConditionTrue, Reason: "Serving", Message: "The autoscaler lets requests reach this pod."})
}

func (r *Reconciler) closeGate(ctx context.Context, namespace, name string) error {
	return r.setGate(ctx, namespace, name, corev1.PodCondition{Status: corev1.ConditionFalse,
		Reason: autoscaling.ReasonDraining, Message: "The autoscaler gives this pod up: it works off its requests and gets no new ones."})
}

// setGate writes the condition of a pod's readiness gate.
func (r *Reconciler) setGate(ctx context.Context, namespace, name string, c corev1.PodCondition) error {
	c.Type, c.LastTransitionTime = autoscaling.ServingGate, metav1.Now()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []map[string]any{{
		"type": c.Type, "status": c.Status, "reason": c.Reason, "message": c.Message, "lastTransitionTime": c.LastTransitionTime,
	}}}})
	if err != nil {
		return err
	}
	pod, err := r.kube.CoreV1().Pods(namespace).Patch(ctx, name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("setting the condition %s of pod %s/%s to %s: %w", c.Type, namespace, name, c.Status, err)
	}
	r.pods.written.note(pod)
	return nil
}

func (r *Reconciler) setCost(ctx context.Context, namespace, name string) error {
	return r.patchCost(ctx, namespace, name, strconv.Itoa(drain.ReleaseCost))
}

func (r *Reconciler) unsetCost(ctx context.Context, namespace, name string) error {
	return r.patchCost(ctx, namespace, name, nil)
}

// patchCost writes a pod's deletion cost. The count is lowered only when the informer has
// the cost, so that the ReplicaSet's controller most likely has it, too: it is not noted
// in r.pods.written.
func (r *Reconciler) patchCost(ctx context.Context, namespace, name string, cost any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{corev1.PodDeletionCost: cost}}})
	if err != nil {
		return err
	}
	if _, err = r.kube.CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("setting the deletion cost of pod %s/%s: %w", namespace, name, err)
	}
	return nil
}

// reportDrain writes events and the log of what a plan begins and ends.
func (r *Reconciler) reportDrain(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep report, plan drain.Plan) {
	why := rep.why(rep.want)
	recorder := controller.GetEventRecorder(ctx)
	if n := len(plan.Close); n > 0 {
		r.log.Info("draining", "namespace", pa.Namespace, "revision", pa.Name, "pods", strings.Join(plan.Close, " "), "want", rep.want, "why", why)
		recorder.Eventf(pa, corev1.EventTypeNormal, autoscaling.ReasonDraining, "Gave up %d of %d pods, which end their requests first: %s", n, rep.drain.of, why)
	}
	if plan.Rescued > 0 {
		r.log.Info("rescued", "namespace", pa.Namespace, "revision", pa.Name, "pods", strings.Join(plan.Open, " "), "want", rep.want, "why", why)
		recorder.Eventf(pa, corev1.EventTypeNormal, autoscaling.ReasonRescued, "Brought %d draining pods back: %s", plan.Rescued, why)
	}
	if len(plan.TimedOut) > 0 {
		r.warnOwners(ctx, pa, autoscaling.ReasonDrainTimeout, fmt.Sprintf(
			"Deleting %d pods (%s) that still hold requests, or cannot be read, %v after they were given up. If answers take longer, raise the annotation %s under spec.template, or timeoutSeconds.",
			len(plan.TimedOut), strings.Join(plan.TimedOut, ", "), rep.drain.timeout, autoscaling.DrainTimeoutKey))
	}
}

// markDraining says how many pods are given up and what they wait for.
func markDraining(pa *v1alpha1.PodAutoscaler, rep report) {
	c := apis.Condition{
		Type: autoscaling.ConditionDraining, Status: corev1.ConditionFalse, Severity: apis.ConditionSeverityInfo,
		Reason: autoscaling.ReasonNothingDrains,
	}
	if d := rep.drain; d.pods > 0 {
		c.Status, c.Reason = corev1.ConditionTrue, autoscaling.ReasonDraining
		c.Message = fmt.Sprintf("%d pods are given up and hold %.0f requests", d.pods, math.Ceil(d.open))
		if d.unknown > 0 {
			c.Message += fmt.Sprintf("; %d of them cannot be read", d.unknown)
		}
		c.Message += fmt.Sprintf(". Each is deleted when it holds none, at the latest %v after it was given up.", d.timeout)
	}
	old := pa.Status.GetCondition(c.Type)
	if old == nil && c.Status == corev1.ConditionFalse {
		return
	}
	if old != nil && old.Status == c.Status && time.Since(old.LastTransitionTime.Inner.Time).Abs() < fresh {
		return // the numbers move every second, a status shall not
	}
	set(pa, c)
}
