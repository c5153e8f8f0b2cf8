package metricsapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// GroupName is the API group that this package serves.
const GroupName = "custom.metrics.k8s.io"

// Pods, Revisions, Services and Pools are the resources that have metrics.
func Pods() schema.GroupResource { return schema.GroupResource{Resource: "pods"} }

// Revisions are Knative revisions: revisions.serving.knative.dev.
func Revisions() schema.GroupResource {
	return schema.GroupResource{Group: "serving.knative.dev", Resource: "revisions"}
}

// Services are Knative services: services.serving.knative.dev.
func Services() schema.GroupResource {
	return schema.GroupResource{Group: "serving.knative.dev", Resource: "services"}
}

// Pools are InferencePools: inferencepools.inference.networking.k8s.io.
func Pools() schema.GroupResource {
	return schema.GroupResource{Group: "inference.networking.k8s.io", Resource: "inferencepools"}
}

// PartPrefix begins the names of the parts of a decision on the metric slo.
const PartPrefix = "slo_"

// Metrics returns the names of the metrics that can be served. Every resource may
// have each of them but those of slo, the parts of a decision, which revisions have.
func Metrics() []string { return slices.Clone(metrics) }

var metrics = func() (names []string) {
	for _, d := range decider.Metrics() {
		if d.API != "" {
			names = append(names, d.API)
		}
	}
	for _, p := range decider.Parts() {
		if !p.LogOnly {
			names = append(names, PartPrefix+p.PublishedName())
		}
	}
	return names
}()

// resources lists what is served in the order of the list endpoint.
func resources() []schema.GroupResource {
	return []schema.GroupResource{Pods(), Revisions(), Services(), Pools()}
}

// kindOf names the kind behind a resource, as DescribedObject does; ok is false for a
// resource that this API does not serve.
func kindOf(r schema.GroupResource) (gvk schema.GroupVersionKind, ok bool) {
	switch r {
	case Pods():
		return schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, true
	case Revisions():
		return schema.GroupVersionKind{Group: r.Group, Version: "v1", Kind: "Revision"}, true
	case Services():
		return schema.GroupVersionKind{Group: r.Group, Version: "v1", Kind: "Service"}, true
	case Pools():
		return schema.GroupVersionKind{Group: r.Group, Version: "v1", Kind: "InferencePool"}, true
	default:
		return schema.GroupVersionKind{}, false
	}
}

func isMetric(name string) bool { return slices.Contains(metrics, name) }
