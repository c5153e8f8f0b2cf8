// Package autoscaling names what users write and read: the PodAutoscaler class,
// our annotation keys and event reasons. It holds no logic.
package autoscaling

// Class is the PodAutoscaler class of this project. Knative's webhook accepts it
// because its suffix is not Knative's own domain.
const Class = "ipa.autoscaling.knative-inference.dev"

// Domain prefixes every annotation and label of ours.
const Domain = "knative-inference.dev"

// Annotations under spec.template of a Knative Service: they reach the Revision,
// its PodAutoscaler and its pods.
const (
	// EngineKey names the inference engine; without it the engine is detected from its page.
	EngineKey = Domain + "/engine"
	// MetricsPortKey is the container port of the engine's page; the user container's first port by default.
	MetricsPortKey = Domain + "/metrics-port"
	// MetricsPathKey is the path of the engine's page; the engine's own default without it.
	MetricsPathKey = Domain + "/metrics-path"
	// StartScaleKey is "predecessor" (default: a new revision starts with the replicas of
	// the one it replaces) or "initial" (Knative's initial-scale alone decides).
	StartScaleKey = Domain + "/start-scale"
)
