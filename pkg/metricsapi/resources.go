package metricsapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
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

// Metrics returns the names of the metrics that can be served. Every resource may
// have each of them but those of slo, the parts of a decision, which revisions have.
func Metrics() []string {
	return []string{
		"concurrency",
		"requests_per_second",
		"num_requests_running",
		"num_requests_waiting",
		"kv_cache_usage_percent",
		"prompt_tokens_per_second",
		"generation_tokens_per_second",
		"ttft_p95_ms",
		"itl_p95_ms",
		"slo_capacity_rps",
		"slo_demand_rps",
		"slo_work_seconds",
		"slo_backlog_requests",
		"slo_lead_time_seconds",
		"slo_envelope_ratio",
		"slo_trim_ratio",
		"slo_attainment_percent",
		"slo_need_replicas",
		"slo_unmet_replicas",
		"slo_concurrency_target",
	}
}

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

func isMetric(name string) bool { return slices.Contains(Metrics(), name) }
