package binding

import (
	"maps"
	"slices"
	"strings"

	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// PoolLabels splits the selector of a pool that is not ours into the labels that
// make a pod of a Service its member, and the keys that must not be set on a pod
// for a stranger's sake, sorted: a controller counts its pods by them. With
// another pod-template-hash, for example, a ReplicaSet no longer owns its pods
// and creates more, without end. What the pod has anyway is in neither.
func PoolLabels(selector map[string]string, service, pool string) (set map[string]string, refused []string) {
	set = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		value := selector[key]
		switch {
		case key == serving.ServiceLabelKey && value == service,
			key == inference.RoutedKey && value == "true",
			key == inference.PoolKey && value == pool:
		case reservedLabel(key):
			refused = append(refused, key)
		default:
			set[key] = value
		}
	}
	return set, refused
}

// reservedLabel is true for labels that Kubernetes, Knative or this program select
// pods by. The bare names are those of ReplicaSets, StatefulSets and DaemonSets,
// Jobs, and Knative's Deployments.
func reservedLabel(key string) bool {
	domain, _, qualified := strings.Cut(key, "/")
	if !qualified {
		return slices.Contains([]string{"pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name", "app"}, key)
	}
	return slices.ContainsFunc([]string{"kubernetes.io", "k8s.io", "knative.dev", inference.Domain}, func(d string) bool {
		return domain == d || strings.HasSuffix(domain, "."+d)
	})
}
