package server

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	sksinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/serverlessservice"
	deploymentinformer "knative.dev/pkg/client/injection/kube/informers/apps/v1/deployment/filtered"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	budgetinformer "knative.dev/pkg/client/injection/kube/informers/policy/v1/poddisruptionbudget/filtered"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"
	revisioninformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/revision"
	serviceinformer "knative.dev/serving/pkg/client/injection/informers/serving/v1/service"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// informersOf are the keys of the injected informers that each part reads. A
// part's ClusterRole has list and watch for exactly these.
func informersOf(p Part) []any {
	pods := podinformer.Key{Selector: podautoscaler.Selector}
	switch p {
	case Autoscaler:
		return []any{painformer.Key{}, sksinformer.Key{}, revisioninformer.Key{}, pods,
			deploymentinformer.Key{Selector: podautoscaler.Selector}, budgetinformer.Key{Selector: podautoscaler.Selector}}
	case Webhook:
		return []any{serviceinformer.Key{}, ingressinformer.Key{}, revisioninformer.Key{}}
	default:
		return []any{serviceinformer.Key{}, ingressinformer.Key{}, revisioninformer.Key{}, pods}
	}
}

// inject does what injection.EnableInjectionOrDie does, for the informers of some
// parts only: that function starts every informer that is linked in, and one that
// the process may not list never syncs. Get of an informer that is left out panics.
func inject(ctx context.Context, cfg *rest.Config, parts []Part) (context.Context, []controller.Informer) {
	ctx = injection.WithConfig(ctx, cfg)
	for _, client := range injection.Default.GetClients() {
		ctx = client(ctx, cfg)
	}
	for _, factory := range injection.Default.GetInformerFactories() {
		ctx = factory(ctx)
	}
	var keys []any
	for _, p := range parts {
		keys = append(keys, informersOf(p)...)
	}
	var informers []controller.Informer
	for _, add := range injection.Default.GetInformers() {
		if next, informer := add(ctx); adds(ctx, next, keys) {
			ctx, informers = next, append(informers, informer)
		}
	}
	for _, add := range injection.Default.GetFilteredInformers() {
		if next, more := add(ctx); adds(ctx, next, keys) {
			ctx, informers = next, append(informers, more...)
		}
	}
	return ctx, informers
}

// adds reports whether next has the informer of a key that before lacks.
func adds(before, next context.Context, keys []any) bool {
	for _, key := range keys {
		if before.Value(key) == nil && next.Value(key) != nil {
			return true
		}
	}
	return false
}

// startInformers blocks until the caches are synced, or ctx ends.
func startInformers(ctx context.Context, informers []controller.Informer) error {
	if err := controller.StartInformers(ctx.Done(), informers...); err != nil && ctx.Err() == nil {
		return fmt.Errorf("starting informers: %w", err)
	}
	return nil
}
