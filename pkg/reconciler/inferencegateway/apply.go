package inferencegateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

const (
	// fieldManager names us to server-side apply.
	fieldManager = "autoscaler-adapter-gateway"
	// appliedKey, an annotation, is the hash of what was applied last: with it a
	// field that we no longer want is seen, which the object alone does not show.
	appliedKey = inference.Domain + "/applied"
)

// outcome is what became of one object.
type outcome struct {
	finding *manifest.Finding
	err     error
	// wait is true when the object cannot be written yet.
	wait bool
}

func (o outcome) done() bool { return o.finding == nil && o.err == nil && !o.wait }

// wanted is an object as it should be, with its kind.
type wanted struct {
	resource
	object *unstructured.Unstructured
}

// ensure brings one object about. A steady state makes no call.
func (r *Reconciler) ensure(ctx context.Context, b bound, obj manifest.Object) outcome {
	res, ok := resourceOf(obj.GroupVersionKind())
	if !ok {
		return outcome{err: fmt.Errorf("%s is no kind that this reconciler writes", obj.GroupVersionKind())}
	}
	if unknown := r.unlisted(res); unknown != "" {
		return outcome{wait: true, finding: &manifest.Finding{
			Type: conditionOf(res), Status: string(metav1.ConditionUnknown), Reason: "KindNotListed",
			Message: fmt.Sprintf("%s %s waits: %s is defined but cannot be listed, so all stays as it is; see the adapter's log, its rights and the CRD's conversion webhook.", res.kind, obj.GetName(), unknown),
		}}
	}
	if res.custom && !r.watches.serves(res.GroupVersionResource) {
		return outcome{wait: true} // its CRD went between looking and writing; its own event comes
	}
	object, err := b.decorate(obj)
	if err != nil {
		return outcome{err: err}
	}
	want := wanted{res, object}
	live, err := r.live(ctx, want)
	if err != nil {
		return outcome{err: err}
	}
	if live == nil {
		return r.write(ctx, b, want, false)
	}
	switch b.owner.claimOn(live, obj.Ownership) {
	case leaving:
		return outcome{wait: true}
	case foreign:
		return outcome{finding: notOwned(res, live)}
	case orphan:
		// what is in the Gateway's namespace is not the user's to give
		if !b.intent.Adopt || live.GetNamespace() != b.owner.namespace {
			return outcome{finding: notOwned(res, live)}
		}
		r.event(b.owner, corev1.EventTypeNormal, "Adopted", fmt.Sprintf("%s %s was taken over, as annotation %s asks.", res.kind, live.GetName(), inference.AdoptKey))
	case mine:
		if upToDate(object, live) {
			return outcome{}
		}
	}
	return r.write(ctx, b, want, true)
}

// unlisted names a kind that must be known before an object is written, and is
// not: its own, and for filters that of routes too, whose live rules they keep up.
func (r *Reconciler) unlisted(res resource) string {
	if !res.custom {
		return "" // looked up one by one
	}
	needed := []schema.GroupVersionResource{res.GroupVersionResource}
	if res.stage == manifest.StageFilter {
		needed = append(needed, httpRoutes)
	}
	for _, n := range needed {
		if !r.watches.listed(n) {
			return n.GroupResource().String()
		}
	}
	return ""
}

// live is the object as it is: from the cache, or from the API server for one
// without our label, which the cache does not hold.
func (r *Reconciler) live(ctx context.Context, want wanted) (*unstructured.Unstructured, error) {
	namespace, name := want.object.GetNamespace(), want.object.GetName()
	if live := r.watches.get(want.GroupVersionResource, namespace, name); live != nil {
		return live, nil
	}
	live, err := r.client.Resource(want.GroupVersionResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrs.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// write applies. What is new is not forced, so that an object of another that
// came in between is a conflict and not ours.
func (r *Reconciler) write(ctx context.Context, b bound, want wanted, force bool) outcome {
	namespace, name := want.object.GetNamespace(), want.object.GetName()
	_, err := r.client.Resource(want.GroupVersionResource).Namespace(namespace).
		Apply(ctx, name, want.object, metav1.ApplyOptions{FieldManager: fieldManager, Force: force})
	if err != nil {
		return refusedBy(err, want)
	}
	r.log.Info("applied", "kind", want.kind, "namespace", namespace, "name", name, "service", b.owner.name)
	return outcome{}
}

// refusedBy returns why the API server refused an object. A conflict is left out:
// the next reconciliation reads the newer object.
func refusedBy(err error, want wanted) outcome {
	err = fmt.Errorf("applying %s %s/%s: %w", want.kind, want.object.GetNamespace(), want.object.GetName(), err)
	if apierrs.IsConflict(err) {
		return outcome{err: err}
	}
	return outcome{err: err, finding: &manifest.Finding{
		Type: conditionOf(want.resource), Status: string(metav1.ConditionFalse), Reason: "ApplyFailed", Message: err.Error() + "; it is tried again.",
	}}
}

// decorate adds owners, labels and the hash to a rendered object.
func (b bound) decorate(obj manifest.Object) (*unstructured.Unstructured, error) {
	want, err := normal(obj.Unstructured)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be written as JSON: %w", obj.GetKind(), obj.GetName(), err)
	}
	switch obj.Ownership {
	case manifest.Controlled:
		want.SetOwnerReferences([]metav1.OwnerReference{b.owner.reference(true)})
	case manifest.Shared:
		var refs []metav1.OwnerReference
		for _, o := range b.members {
			refs = append(refs, o.reference(false))
		}
		want.SetOwnerReferences(refs)
	case manifest.Labelled, manifest.GatewayWide: // no owner: labels say whose
	}
	l := want.GetLabels()
	if l == nil {
		l = map[string]string{}
	}
	l[inference.ManagedByKey] = inference.ManagedBy
	if obj.Ownership == manifest.Labelled {
		l[inference.OwnerNamespaceKey], l[inference.OwnerServiceKey] = b.owner.namespace, b.owner.name
	}
	want.SetLabels(l)
	text, err := json.Marshal(want.Object)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	a := want.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[appliedKey] = hex.EncodeToString(sum[:8])
	want.SetAnnotations(a)
	return want, nil
}

// normal is the object with the types that JSON has, and none of an empty status.
func normal(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	delete(out.Object, "status")
	unstructured.RemoveNestedField(out.Object, "metadata", "creationTimestamp")
	return out, nil
}

// notOwned says whose the object is and what can be done.
func notOwned(res resource, live *unstructured.Unstructured) *manifest.Finding {
	by, fix := "was not made by this adapter", fmt.Sprintf("rename or delete it, or set annotation %s to \"true\" to have it taken over", inference.AdoptKey)
	if c := metav1.GetControllerOf(live); c != nil {
		by, fix = fmt.Sprintf("belongs to %s %s", c.Kind, c.Name), "rename or delete it"
	}
	return &manifest.Finding{
		Type: conditionOf(res), Status: string(metav1.ConditionFalse), Reason: inference.ReasonNotOwned,
		Message: fmt.Sprintf("%s %s/%s %s and is left alone: %s.", res.kind, live.GetNamespace(), live.GetName(), by, fix),
	}
}

// conditionOf is the condition that an object of the kind counts for.
func conditionOf(res resource) string {
	switch res.stage {
	case manifest.StagePool:
		return inference.ConditionPoolAccepted
	case manifest.StageObjective:
		return inference.ConditionObjectiveApplied
	case manifest.StageFilter, manifest.StageRoute:
		return inference.ConditionRouteAccepted
	default:
		return inference.ConditionEndpointPickerReady
	}
}

// upToDate is true when nothing that we want differs, and nothing that we
// applied earlier is left over.
func upToDate(want, live *unstructured.Unstructured) bool {
	return want.GetAnnotations()[appliedKey] == live.GetAnnotations()[appliedKey] && within(want.Object, live.Object)
}

// within is true when every value of want is in live. The API server adds
// defaults, and drops what is empty.
func within(want, live any) bool {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		for k, v := range w {
			if !ok && !empty(v) || ok && !within(v, l[k]) {
				return false
			}
		}
		return ok || live == nil
	case []any:
		l, _ := live.([]any)
		if len(w) != len(l) {
			return false
		}
		for i := range w {
			if !within(w[i], l[i]) {
				return false
			}
		}
		return true
	}
	return equal(want, live) || live == nil && empty(want)
}

func equal(a, b any) bool {
	return a == b || isNumber(a) && isNumber(b) && fmt.Sprint(a) == fmt.Sprint(b)
}

func isNumber(v any) bool {
	return strings.HasPrefix(fmt.Sprintf("%T", v), "int") || strings.HasPrefix(fmt.Sprintf("%T", v), "float")
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return v == "" || v == false || equal(v, int64(0))
}
