package inferencegateway

import (
	"maps"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// lastPlan is what the pods of a Service need whose annotations are refused: its
// pool is as it was, and a rollout must not leave it empty. It is empty without
// one pool for the whole Service, or while nothing is known of its traffic.
func (r *Reconciler) lastPlan(svc *servingv1.Service) manifest.Plan {
	names := r.last(ownerOf(svc)).Pools
	main, _ := r.traffic(svc)
	if len(names) != 1 || len(main.Splits) == 0 {
		return manifest.Plan{}
	}
	pool := r.watches.get(pools, svc.Namespace, names[0])
	if pool == nil {
		return manifest.Plan{}
	}
	joins := selectorOfPool(pool)
	switch {
	case !managed(pool):
		joins = labelsFor(pool, svc.Name)
		joins[inference.RoutedKey], joins[inference.PoolKey] = "true", names[0]
	case !has(joins, inference.RoutedKey):
		return manifest.Plan{} // a pool of one revision, which Knative's own label selects
	default:
		maps.DeleteFunc(joins, func(key, _ string) bool { return key != inference.RoutedKey && key != inference.PoolKey })
	}
	plan := manifest.Plan{Routed: map[string]bool{}, Pods: map[string]map[string]string{}}
	for _, s := range main.Splits {
		if s.Percent == 0 {
			continue
		}
		l := maps.Clone(joins)
		if rev, err := r.revisions.Revisions(svc.Namespace).Get(s.Revision); err == nil {
			if engine := revisionOf(rev).Engine.Name; engine != "" {
				l[inference.EngineTypeKey], l[inference.LLMDEngineTypeKey] = engine, engine
			}
		}
		plan.Routed[s.Revision], plan.Pods[s.Revision] = true, l
	}
	if len(plan.Routed) > 0 {
		plan.PodLabelKeys = sortedKeys(joins)
	}
	return plan
}
