package podautoscaler

import (
	"fmt"
	"strings"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// budgeted is the revision llm-1 with a limit of evictions; empty is none.
func budgeted(limit string) *v1alpha1.PodAutoscaler {
	pa := autoscaler("llm-1", 1)
	if limit != "" {
		pa.Annotations[autoscaling.MaxUnavailableKey] = limit
	}
	pa.Labels[serving.RevisionUID] = "rev-uid"
	return pa
}

// made is the budget as this code made it for a limit.
func made(limit annotations.Pods) *policyv1.PodDisruptionBudget {
	b := budget(budgeted(""), limit)
	b.UID, b.ResourceVersion = "budget-uid", "7"
	return b
}

func changed(b *policyv1.PodDisruptionBudget, change func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	change(b)
	return b
}

// budgetWrites says what was written to budgets, such as "create 25% of rev-uid".
func (b *bench) budgetWrites() string {
	var all []string
	for _, a := range b.kube.Actions() {
		switch a := a.(type) {
		case clienttesting.DeleteAction:
			if a.GetResource().Resource == "poddisruptionbudgets" {
				all = append(all, fmt.Sprintf("delete %s of UID %s", a.GetName(), *a.GetDeleteOptions().Preconditions.UID))
			}
		case clienttesting.CreateAction: // an update has an object, too
			if o, ok := a.GetObject().(*policyv1.PodDisruptionBudget); ok {
				all = append(all, fmt.Sprintf("%s %s: %v of %s", a.GetVerb(), o.Name, o.Spec.MaxUnavailable, o.Spec.Selector.MatchLabels[serving.RevisionUID]))
			}
		}
	}
	return strings.Join(all, "; ")
}

func TestKeepBudget(t *testing.T) {
	for name, tt := range map[string]struct {
		limit string
		have  *policyv1.PodDisruptionBudget
		want  string
	}{
		"no annotation":           {"", nil, ""},
		"a number":                {"1", nil, "create llm-1: 1 of rev-uid"},
		"none at all":             {"0", nil, "create llm-1: 0 of rev-uid"},
		"a share":                 {"25%", nil, "create llm-1: 25% of rev-uid"},
		"as it is wanted":         {"1", made("1"), ""},
		"another number":          {"2", made("1"), "update llm-1: 2 of rev-uid"},
		"somebody edited it":      {"1", changed(made("1"), func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = &metav1.LabelSelector{} }), "update llm-1: 1 of rev-uid"},
		"the annotation is gone":  {"", made("1"), "delete llm-1 of UID budget-uid"},
		"another's is not ours":   {"", changed(made("1"), func(b *policyv1.PodDisruptionBudget) { b.OwnerReferences = nil }), ""},
		"of a PodAutoscaler gone": {"", changed(made("1"), func(b *policyv1.PodDisruptionBudget) { b.OwnerReferences[0].UID = "old" }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			pa, objects := budgeted(tt.limit), []any{target("llm-1", 1)}
			if tt.have != nil {
				objects = append(objects, tt.have)
			}
			b := newBench(t, 1, append(objects, pa, readySKS(pa))...)
			b.kube.ClearActions()
			b.reconcile(pa)
			if got := b.budgetWrites(); got != tt.want {
				t.Errorf("wrote %q, want %q", got, tt.want)
			}
		})
	}
}

// A budget of the same name that somebody else made stays, and the event says so once. The
// cache never shows it: it has not the label.
func TestKeepBudget_foreign(t *testing.T) {
	pa := budgeted("1")
	b := newBench(t, 1, pa, readySKS(pa), target("llm-1", 1))
	theirs := made("3")
	theirs.OwnerReferences = nil
	if _, err := b.kube.PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.reconcile(pa)
	if got := b.eventText(); !strings.Contains(got, "Warning BudgetNotOurs A PodDisruptionBudget llm-1 exists") {
		t.Errorf("events: %s", got)
	}
	b.kube.ClearActions()
	b.reconcile(pa)
	if got := b.eventText(); strings.Contains(got, "BudgetNotOurs") {
		t.Errorf("said twice: %s", got)
	}
	if got := b.budgetWrites(); got != "" {
		t.Errorf("the API server is asked at each reconciliation: %s", got)
	}
	b.strangers.reported[pa.UID] = b.strangers.reported[pa.UID].Add(-remindEvery)
	b.reconcile(pa)
	if got := b.budgetWrites(); got != "create llm-1: 1 of rev-uid" {
		t.Errorf("after ten minutes wrote %q", got)
	}
}

// An API server that refuses a budget stops nothing else: the count is patched.
func TestKeepBudget_refused(t *testing.T) {
	pa := budgeted("1")
	b := newBench(t, 3, pa, readySKS(pa), target("llm-1", 1))
	b.kube.PrependReactor("create", "poddisruptionbudgets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrs.NewForbidden(policyv1.Resource("poddisruptionbudgets"), "llm-1", nil)
	})
	if err := b.ReconcileKind(b.ctx, pa.DeepCopy()); err == nil || !strings.Contains(err.Error(), "PodDisruptionBudget default/llm-1") {
		t.Errorf("error %v", err)
	}
	if got := b.patched(); !strings.Contains(got, "3") {
		t.Errorf("the count was not patched: %s", got)
	}
}

// The budgets of revisions that changed to another class go.
func TestDeleteStrayBudgets(t *testing.T) {
	other := budgeted("1")
	other.Annotations[knautoscaling.ClassAnnotationKey] = knautoscaling.KPA
	for name, tt := range map[string]struct {
		pa    *v1alpha1.PodAutoscaler
		leads bool
		want  string
	}{
		"another class":        {other, true, "delete llm-1 of UID budget-uid"},
		"our class":            {budgeted("1"), true, ""},
		"another replica acts": {other, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1, tt.pa, made("1"))
			b.kube.ClearActions()
			b.deleteStrayBudgets(t.Context(), func(collector.Key) bool { return tt.leads })
			if got := b.budgetWrites(); got != tt.want {
				t.Errorf("wrote %q, want %q", got, tt.want)
			}
		})
	}
}
