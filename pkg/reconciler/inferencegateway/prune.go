package inferencegateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// drainTime is how long pools and pickers outlive the route that led to them, at least.
const drainTime = 30 * time.Second

// child is a live object of ours.
type child struct {
	*unstructured.Unstructured
	resource
}

// id names an object among all kinds.
type id struct {
	schema.GroupKind
	types.NamespacedName
}

func idOf(u *unstructured.Unstructured) id {
	return id{u.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}}
}

// pruneAll removes what the plan of a Service does not have, and objects of Gateways that no Service needs. It
// returns when to come again.
func (r *Reconciler) pruneAll(ctx context.Context, o owner, plan manifest.Plan) (time.Duration, error) {
	wanted := map[id]bool{}
	for _, obj := range plan.Objects {
		wanted[idOf(obj.Unstructured)] = true
	}
	own, err := r.prune(ctx, o, wanted)
	wide, err2 := r.pruneGateways(ctx)
	return max(own, wide), errors.Join(err, err2)
}

// tearDown removes everything of a Service that does not, or no longer, ask
// for the gateway: route first, pool and picker after open answers have drained.
func (r *Reconciler) tearDown(ctx context.Context, o owner) error {
	r.ledger.forget(o.key())
	wide, err := r.pruneGateways(ctx)
	if err != nil {
		return err
	}
	if len(r.children(o)) == 0 && r.watches.get(bindings, o.namespace, o.name) == nil {
		return again(wide)
	}
	wait, err := r.prune(ctx, o, nil)
	if err := errors.Join(err, r.unlabel(ctx, o, wait > 0)); err != nil {
		return err
	}
	if wait == 0 {
		err = r.removeBinding(ctx, o)
	}
	return cmp.Or(err, again(wait, wide))
}

// gone removes what a deleted Service's owner references did not take along.
func (r *Reconciler) gone(ctx context.Context, o owner) error {
	r.ledger.forget(o.key())
	for _, c := range r.children(o) {
		if len(c.GetOwnerReferences()) > 0 {
			continue // garbage collection takes it
		}
		if err := r.remove(ctx, c); err != nil {
			return err
		}
	}
	wait, err := r.pruneGateways(ctx)
	if err != nil {
		return err
	}
	return again(wait)
}

// children lists everything that belongs to a Service, what is removed first first.
func (r *Reconciler) children(o owner) (out []child) {
	for _, res := range resources() {
		if !res.ours {
			continue
		}
		for _, u := range r.watches.list(res.GroupVersionResource, byOwner, string(o.uid)) {
			if managed(u) {
				out = append(out, child{u, res})
			}
		}
		for _, u := range r.watches.list(res.GroupVersionResource, byService, o.namespace+"/"+o.name) {
			if len(u.GetOwnerReferences()) == 0 {
				out = append(out, child{u, res})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b child) int { return cmp.Compare(b.stage, a.stage) })
	return out
}

// prune removes what belongs to the Service and is not wanted. It returns how
// long to wait for what has to drain first, 0 when nothing is left.
func (r *Reconciler) prune(ctx context.Context, o owner, wanted map[id]bool) (time.Duration, error) {
	var wait time.Duration
	for _, c := range r.children(o) {
		if wanted[idOf(c.Unstructured)] {
			r.stale.forget(c.GetUID())
			continue
		}
		if c.GetDeletionTimestamp() != nil || !o.soleOwner(c.Unstructured) {
			continue // going already, or kept by others, who drop us from its owners
		}
		if c.stage <= manifest.StagePool {
			if left := r.answersLast(o, c.GetName()) - r.stale.age(c.GetUID(), r.now()); left > 0 {
				wait = max(wait, min(left, r.drain)) // to see meanwhile whether the pods have gone
				continue
			}
		}
		if err := r.remove(ctx, c); err != nil {
			return wait, err
		}
	}
	return wait, nil
}

func (r *Reconciler) remove(ctx context.Context, c child) error {
	uid := c.GetUID()
	err := r.client.Resource(c.GroupVersionResource).Namespace(c.GetNamespace()).Delete(
		ctx, c.GetName(), metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid},
		})
	if err != nil && !apierrs.IsNotFound(err) && !apierrs.IsConflict(err) {
		return fmt.Errorf("deleting %s %s/%s: %w", c.kind, c.GetNamespace(), c.GetName(), err)
	}
	r.stale.forget(uid)
	r.log.Info("deleted", "kind", c.kind, "namespace", c.GetNamespace(), "name", c.GetName())
	return nil
}

// pruneGateways removes what serves a whole Gateway and no Service has needed for
// the drain: a filter that comes or goes makes the gateway drain its connections,
// everybody's. Until every Service has been reconciled once, nothing is known to be unneeded.
func (r *Reconciler) pruneGateways(ctx context.Context) (time.Duration, error) {
	var unwanted []child
	for _, c := range r.gatewayWide() {
		if r.ledger.wants(idOf(c.Unstructured)) || c.GetDeletionTimestamp() != nil {
			r.stale.forget(c.GetUID())
			continue
		}
		unwanted = append(unwanted, c)
	}
	if len(unwanted) == 0 || !r.ledger.built(r.asking()) {
		return 0, nil
	}
	var wait time.Duration
	for _, c := range unwanted {
		if left := r.drain - r.stale.age(c.GetUID(), r.now()); left > 0 {
			wait = max(wait, left)
			continue
		}
		if err := r.remove(ctx, c); err != nil {
			return wait, err
		}
	}
	return wait, nil
}

// gatewayWide lists what serves whole Gateways, what is removed first first.
func (r *Reconciler) gatewayWide() (out []child) {
	for _, res := range resources() {
		if !res.ours {
			continue
		}
		for _, u := range r.watches.list(res.GroupVersionResource, gatewayWide, gatewayWide) {
			out = append(out, child{u, res})
		}
	}
	slices.SortStableFunc(out, func(a, b child) int { return cmp.Compare(b.stage, a.stage) })
	return out
}

// removeBinding deletes the InferenceBinding of a Service that is no longer bound.
func (r *Reconciler) removeBinding(ctx context.Context, o owner) error {
	live := r.watches.get(bindings, o.namespace, o.name)
	if live == nil {
		return nil
	}
	res, _ := resourceOf(v1alpha1.GroupVersion().WithKind(v1alpha1.Kind))
	return r.remove(ctx, child{live, res})
}
