package podautoscaler

import (
	"context"
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/pkg/kmeta"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// reconcileBudget keeps the PodDisruptionBudget of a revision as its annotation wants it, and
// removes it when the annotation is gone. One of the same name that is not ours stays as it is.
func (r *Reconciler) reconcileBudget(ctx context.Context, pa *v1alpha1.PodAutoscaler, limit annotations.Pods) error {
	have, err := r.budgets.PodDisruptionBudgets(pa.Namespace).Get(pa.Name)
	if err != nil && !apierrs.IsNotFound(err) {
		return err
	}
	found := err == nil && metav1.IsControlledBy(have, pa)
	if limit == "" {
		if !found {
			return nil
		}
		return r.deleteBudget(ctx, have)
	}
	want := budget(pa, limit)
	budgets := r.kube.PolicyV1().PodDisruptionBudgets(pa.Namespace)
	switch {
	case !found && r.strangers.recent(pa.UID):
		return nil // the API server is not asked at each reconciliation whether it is gone
	case !found:
		_, err = budgets.Create(ctx, want, metav1.CreateOptions{})
		if apierrs.IsAlreadyExists(err) {
			return r.foreignBudget(ctx, pa)
		}
	case !equality.Semantic.DeepEqual(have.Spec, want.Spec) || !hasLabels(have, want.Labels):
		want.ResourceVersion = have.ResourceVersion
		_, err = budgets.Update(ctx, want, metav1.UpdateOptions{})
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing the PodDisruptionBudget %s/%s: %w", pa.Namespace, pa.Name, err)
	}
	return nil
}

// foreignBudget reports that a PodDisruptionBudget of the revision's name is not ours, unless the
// cache only trails behind our own.
func (r *Reconciler) foreignBudget(ctx context.Context, pa *v1alpha1.PodAutoscaler) error {
	live, err := r.kube.PolicyV1().PodDisruptionBudgets(pa.Namespace).Get(ctx, pa.Name, metav1.GetOptions{})
	if err != nil || metav1.IsControlledBy(live, pa) || !r.strangers.due(pa.UID) {
		return nil //nolint:nilerr // where it was deleted meanwhile, the next reconciliation makes ours
	}
	r.warnOwners(ctx, pa, autoscaling.ReasonBudgetNotOurs, fmt.Sprintf(
		"A PodDisruptionBudget %s exists that the autoscaler did not make, so %s has no effect. Delete it, or remove the annotation.",
		pa.Name, autoscaling.MaxUnavailableKey))
	return nil
}

// budget is what Kubernetes holds evictions to. Pods that drain are not Ready and count as
// unavailable, and with the default policy an eviction of them waits, too.
func budget(pa *v1alpha1.PodAutoscaler, limit annotations.Pods) *policyv1.PodDisruptionBudget {
	pods := map[string]string{serving.RevisionUID: pa.Labels[serving.RevisionUID]}
	most := intstr.Parse(string(limit))
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pa.Namespace, Name: pa.Name, OwnerReferences: []metav1.OwnerReference{*kmeta.NewControllerRef(pa)},
			Labels: map[string]string{
				serving.RevisionUID:      pa.Labels[serving.RevisionUID],
				serving.RevisionLabelKey: pa.Name,
			},
		},
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &most, Selector: &metav1.LabelSelector{MatchLabels: pods}},
	}
}

func hasLabels(o metav1.Object, want map[string]string) bool {
	return labels.SelectorFromSet(want).Matches(labels.Set(o.GetLabels()))
}

func (r *Reconciler) deleteBudget(ctx context.Context, b *policyv1.PodDisruptionBudget) error {
	err := r.kube.PolicyV1().PodDisruptionBudgets(b.Namespace).Delete(ctx, b.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &b.UID},
	})
	if err != nil && !apierrs.IsNotFound(err) {
		return fmt.Errorf("deleting the PodDisruptionBudget %s/%s: %w", b.Namespace, b.Name, err)
	}
	return nil
}

// deleteStrayBudgets deletes the budgets of PodAutoscalers that are of another class now.
func (r *Reconciler) deleteStrayBudgets(ctx context.Context, leads func(collector.Key) bool) {
	all, err := r.budgets.List(labels.Everything())
	if err != nil {
		return // a lister reads from memory: there is no error
	}
	for _, b := range all {
		owner, rev := metav1.GetControllerOf(b), collector.Key{Namespace: b.Namespace, Name: b.Name}
		if owner == nil || owner.Kind != "PodAutoscaler" || !leads(rev) || r.isOurs(rev) {
			continue
		}
		if err := r.deleteBudget(ctx, b); err != nil {
			r.log.Warn("cannot delete a budget whose revision is not of our class; trying again", "error", err)
		}
	}
}
