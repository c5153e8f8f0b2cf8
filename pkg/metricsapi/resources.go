package metricsapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group that this package serves.
const GroupName = "custom.metrics.k8s.io"

// Pods, Revisions and Services are the resources that have metrics.
func Pods() schema.GroupResource { return schema.GroupResource{Resource: "pods"} }

// Revisions are Knative revisions: revisions.serving.knative.dev.
func Revisions() schema.GroupResource {
	return schema.GroupResource{Group: "serving.knative.dev", Resource: "revisions"}
}

// Services are Knative services: services.serving.knative.dev.
func Services() schema.GroupResource {
	return schema.GroupResource{Group: "serving.knative.dev", Resource: "services"}
}

// Metrics returns the names of the metrics that can be served, for every resource alike.
func Metrics() []string {
	return []string{
		"concurrency",
		"requests_per_second",
		"num_requests_running",
		"num_requests_waiting",
		"kv_cache_usage_percent",
		"prompt_tokens_per_second",
		"generation_tokens_per_second",
	}
}

// resources lists what is served in the order of the list endpoint.
func resources() []schema.GroupResource {
	return []schema.GroupResource{Pods(), Revisions(), Services()}
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
	default:
		return schema.GroupVersionKind{}, false
	}
}

func isMetric(name string) bool { return slices.Contains(Metrics(), name) }
