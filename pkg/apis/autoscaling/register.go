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
	// MetricsPortKey is the container port of the metrics endpoint; by default the engine's own, or the user
	// container's first port.
	MetricsPortKey = Domain + "/metrics-port"
	// MetricsPathKey is the path of the metrics endpoint; by default the engine's own.
	MetricsPathKey = Domain + "/metrics-path"
	// MetricsSchemeKey is http or https; certificates of pods are not verified.
	MetricsSchemeKey = Domain + "/metrics-scheme"
	// MetricsTokenSecretKey names the Secret that has the bearer token of the engine's page,
	// and its key.
	MetricsTokenSecretKey = Domain + "/metrics-token-secret"
	// StartScaleKey is "predecessor" (default: a new revision starts with the replicas of
	// the one it replaces) or "initial" (Knative's initial-scale alone decides).
	StartScaleKey = Domain + "/start-scale"
	// SLOTTFTKey and SLOITLKey are the latencies that the metric slo holds: the
	// time to the first token and the mean time per further token.
	SLOTTFTKey = Domain + "/slo-ttft"
	SLOITLKey  = Domain + "/slo-itl"
	// SLOGoalKey is the share of requests that are to meet both, e.g. 0.99.
	SLOGoalKey = Domain + "/slo-goal"
	// SLOTTFTPerTokenKey is what every prompt token adds to SLOTTFTKey, e.g. "200us".
	SLOTTFTPerTokenKey = Domain + "/slo-ttft-per-token"
	// SLOMarginKey multiplies the demand that is planned for, e.g. 2 keeps enough
	// spare replicas for demand to double at once.
	SLOMarginKey = Domain + "/slo-margin"
	// DrainTimeoutKey is the longest time that a pod which is given up works off its requests;
	// without it the revision's timeoutSeconds.
	DrainTimeoutKey = Domain + "/drain-timeout"
	// MaxUnavailableKey is how many pods of a revision Kubernetes may evict at a time,
	// e.g. "1" or "25%"; without it there is no PodDisruptionBudget.
	MaxUnavailableKey = Domain + "/max-unavailable"
)

// What we write on a PodAutoscaler.
const (
	// AcceptedKey holds the last autoscaling annotations that were accepted, as
	// JSON, so that a refused edit keeps its last good spec over a restart.
	AcceptedKey = Domain + "/accepted-annotations"

	// ConditionScaling has the newest decision's reason, and the decision in sentences.
	ConditionScaling = "Scaling"
	// ConditionAnnotationsAccepted is False while an annotation is refused.
	ConditionAnnotationsAccepted = "AnnotationsAccepted"
	// ConditionScaleToZero is True while a routed revision is at zero, and False while it
	// may go there and cannot; else it is absent.
	ConditionScaleToZero = "ScaleToZero"
	// ConditionDraining is True while pods that were given up work off their requests.
	ConditionDraining = "Draining"
	// ConditionPodsStart is False while a container does not start at the first start of a revision; the
	// reason is that of Kubernetes.
	ConditionPodsStart = "PodsStart"
	// ConditionEngineReadable is False while the metrics endpoint of some engine, or
	// of an endpoint picker, cannot be read; the reason is the cause.
	ConditionEngineReadable = "EngineReadable"
	// ConditionObjectiveReachable is False while no number of replicas reaches the
	// objective of the metric slo.
	ConditionObjectiveReachable = "ObjectiveReachable"
)

// Event and condition reasons.
const (
	ReasonRefused          = "AnnotationRefused"
	ReasonAccepted         = "AnnotationsAccepted"
	ReasonKeptAtOne        = "OnePodKept"
	ReasonNoTraffic        = "NoTraffic"
	ReasonScaled           = "Scaled"
	ReasonProgressDeadline = "ProgressDeadlineMissed"
	ReasonStateIgnored     = "StoredStateIgnored"
	ReasonReadable         = "EngineReadable"
	ReasonReachable        = "ObjectiveReachable"
	ReasonOutOfReach       = "ObjectiveOutOfReach"
	ReasonPageTooLarge     = "EnginePageTooLarge"
	ReasonInternalError    = "InternalError"
	ReasonAnotherWriter    = "AnotherWriter"
	ReasonDraining         = "Draining"
	ReasonRescued          = "Rescued"
	ReasonDrainTimeout     = "DrainTimeout"
	ReasonNothingDrains    = "NothingDrains"
	ReasonBudgetNotOurs    = "BudgetNotOurs"
	ReasonPodsStart        = "PodsStart"
)

// ServingGate is the readiness gate of pods of our class, and the type of its condition in
// the pod's status: True lets the pod become Ready, False takes it out of routing.
const ServingGate = Domain + "/serving"
