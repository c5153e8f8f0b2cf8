package inferencegateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// report writes the InferenceBinding and notes what changed.
func (r *Reconciler) report(ctx context.Context, b bound, w manifest.World, res result) error {
	status := v1alpha1.InferenceBindingStatus{
		ObservedGeneration: b.svc.Generation,
		Gateway:            b.intent.Gateway.Namespace + "/" + b.intent.Gateway.Name, Listener: b.intent.Listener,
		Provider: string(res.plan.Provider), Pools: poolsOf(res.plan), ObjectiveGroup: res.plan.ObjectiveGroup,
		URLs: urls(b.intent.Listener, w.Gateway, res.plan.Hosts), Conditions: r.conditions(b, res),
	}
	if len(w.Gateway.Addresses) > 0 {
		status.Address = w.Gateway.Addresses[0]
	}
	if len(status.Pools) > 0 {
		status.Pool = status.Pools[0]
	}
	if len(status.URLs) > 0 {
		status.URL = mainURL(status.URLs, urls(b.intent.Listener, w.Gateway, w.Main.Hosts))
	}
	return r.publish(ctx, b, status)
}

// reportRefused leaves all as it is but the word on the annotations. Pods come
// and go all the same.
func (r *Reconciler) reportRefused(ctx context.Context, b bound) error {
	status := r.last(b.owner)
	c := accepted(b.problems)
	conditions := slices.DeleteFunc(status.Conditions, func(old metav1.Condition) bool {
		return old.Type == c.Type || old.Type == inference.ConditionReady
	})
	conditions = append(conditions, c)
	conditions = append(conditions, summary(conditions))
	status.Conditions = conditions
	status.ObservedGeneration = b.svc.Generation
	_, labelled := r.label(ctx, b.owner, r.lastPlan(b.svc))
	_, shown := r.show(ctx, b.owner, manifest.Plan{}) // the webhook goes on hiding new pods
	return errors.Join(labelled, shown, r.publish(ctx, b, status))
}

// mainURL prefers one of the Service's own hosts.
func mainURL(all, main []string) string {
	for _, u := range main {
		if slices.Contains(all, u) {
			return u
		}
	}
	return all[0]
}

// urls are the hosts with the scheme and port of the listener.
func urls(listener string, gw manifest.Gateway, hosts []string) (out []string) {
	i := slices.IndexFunc(gw.Listeners, func(l manifest.Listener) bool {
		return listener == "" && l.Allowed || l.Name == listener
	})
	scheme, port := "http", int32(0)
	if i >= 0 {
		port = gw.Listeners[i].Port
		if gw.Listeners[i].Protocol == "HTTPS" {
			scheme = "https"
		}
	}
	usual := map[string]int32{"http": 80, "https": 443}[scheme]
	for _, h := range hosts {
		if port != 0 && port != usual {
			h = fmt.Sprintf("%s:%d", h, port)
		}
		out = append(out, scheme+"://"+h)
	}
	return out
}

// last is the status that the cache has.
func (r *Reconciler) last(o owner) (status v1alpha1.InferenceBindingStatus) {
	if live := typed[v1alpha1.InferenceBinding](r.watches, bindings, o.namespace, o.name); live != nil {
		return live.Status // one written by something else does not fit, and is replaced
	}
	return status
}

// publish writes a status that differs from the last, and events for conditions that do.
func (r *Reconciler) publish(ctx context.Context, b bound, status v1alpha1.InferenceBindingStatus) error {
	old := r.last(b.owner)
	status.Conditions = r.dated(b, old.Conditions, status.Conditions)
	r.notify(b, old.Conditions, status.Conditions)
	if !r.watches.serves(bindings) {
		return nil // events have reported it; the CRD comes with our own manifests
	}
	live := r.watches.get(bindings, b.owner.namespace, b.owner.name)
	if live != nil && metav1.IsControlledBy(live, b.svc) && equality.Semantic.DeepEqual(old, status) {
		return nil
	}
	object, err := bindingObject(b.owner, status)
	if err != nil {
		return err
	}
	client := r.client.Resource(bindings).Namespace(b.owner.namespace)
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if live == nil || !metav1.IsControlledBy(live, b.svc) {
		bare := object.DeepCopy()
		delete(bare.Object, "status")
		if _, err := client.Apply(ctx, b.owner.name, bare, options); err != nil {
			return fmt.Errorf("applying InferenceBinding %s/%s: %w", b.owner.namespace, b.owner.name, err)
		}
	}
	if _, err := client.ApplyStatus(ctx, b.owner.name, object, options); err != nil {
		return fmt.Errorf("writing the status of InferenceBinding %s/%s: %w", b.owner.namespace, b.owner.name, err)
	}
	return nil
}

func bindingObject(o owner, status v1alpha1.InferenceBindingStatus) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.InferenceBinding{Status: status})
	if err != nil {
		return nil, fmt.Errorf("rendering the InferenceBinding: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": content["status"]}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.Kind))
	u.SetNamespace(o.namespace)
	u.SetName(o.name)
	u.SetLabels(map[string]string{inference.ManagedByKey: inference.ManagedBy, serving.ServiceLabelKey: o.name})
	u.SetOwnerReferences([]metav1.OwnerReference{o.reference(true)})
	return u, nil
}

// maxMessage is what the CRD allows for the message of a condition, in characters.
// A longer message, of a webhook's answer for example, would have the whole status refused.
const maxMessage = 32768

// dated gives each condition the time of its last change and the generation it is for.
func (r *Reconciler) dated(b bound, old, conditions []metav1.Condition) []metav1.Condition {
	out := make([]metav1.Condition, 0, len(conditions))
	for _, c := range conditions {
		c.ObservedGeneration = b.svc.Generation
		c.Message = strings.ToValidUTF8(c.Message[:min(len(c.Message), maxMessage)], "")
		c.LastTransitionTime = metav1.NewTime(r.now().UTC().Truncate(1e9))
		if was := find(old, c.Type); was != nil && was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
		out = append(out, c)
	}
	return out
}

func find(conditions []metav1.Condition, kind string) *metav1.Condition {
	i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &conditions[i]
}

// notify writes events on the Service: conditions that became False, and Ready that became True.
func (r *Reconciler) notify(b bound, old, conditions []metav1.Condition) {
	if e, ok := r.ledger.get(b.key()); ok && e.conditions != nil {
		old = e.conditions // newer than the cache
	}
	for _, c := range conditions {
		was := find(old, c.Type)
		same := was != nil && was.Status == c.Status && was.Reason == c.Reason
		switch {
		case c.Type == inference.ConditionReady && c.Status == metav1.ConditionTrue && !same:
			r.event(b.owner, corev1.EventTypeNormal, "InferenceGatewayReady", c.Message)
		case c.Type != inference.ConditionReady && c.Status == metav1.ConditionFalse && !(same && was.Message == c.Message):
			r.event(b.owner, corev1.EventTypeWarning, c.Reason, c.Message)
		}
	}
	r.ledger.change(b.key(), func(e *entry) { e.conditions = conditions })
}

func (r *Reconciler) event(o owner, kind, reason, message string) {
	r.recorder.Event(&corev1.ObjectReference{
		APIVersion: knativeAPIVersion, Kind: knativeKind, Namespace: o.namespace, Name: o.name, UID: o.uid,
	}, kind, reason, message)
}

func sortOwners(owners []owner) {
	slices.SortFunc(owners, func(a, b owner) int { return cmp.Compare(a.uid, b.uid) })
}
