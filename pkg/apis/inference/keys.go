// Package inference names what users write and read of the inference gateway:
// annotation and label keys, and the conditions of an InferenceBinding. It holds no logic.
package inference

// Domain prefixes every annotation and label of ours.
const Domain = "knative-inference.dev"

// ManagedByKey is the label that says whose an object is, ManagedBy its value on
// every object of ours.
const ManagedByKey = "app.kubernetes.io/managed-by"

// ManagedBy is the value of ManagedByKey on every object of ours.
const ManagedBy = "knative-inference-gateway"

// Annotations in metadata of a Knative Service, never under spec.template: a
// change of one must not make a new revision.
const (
	// AIGatewayKey is "inference" (asked for) or "disabled".
	AIGatewayKey = Domain + "/ai-gateway"
	// PriorityKey is a number, or Critical, Standard, Sheddable.
	PriorityKey = Domain + "/priority"
	// ObjectivesKey offers several priorities, each on a host of its own: "batch=-10,vip=20".
	ObjectivesKey = Domain + "/objectives"
	// ObjectiveHeaderKey is auto, set or none.
	ObjectiveHeaderKey = Domain + "/objective-header"
	// FairnessIDKey is remove or client: what becomes of a client's name for its flow.
	FairnessIDKey = Domain + "/fairness-id"
	// NegativePriorityKey is shed or wait: what becomes of requests of a negative priority while
	// the pool is saturated or has no pod. It is also on InferencePools of ours.
	NegativePriorityKey = Domain + "/negative-priority"
	// GatewayKey is namespace/name, ListenerKey the listener's name.
	GatewayKey  = Domain + "/gateway"
	ListenerKey = Domain + "/listener"
	// ProviderKey overrides what the GatewayClass's controller name says.
	ProviderKey = Domain + "/provider"
	// HostnamesKey lists hosts besides those of the Knative route.
	HostnamesKey = Domain + "/hostnames"
	// PathsKey lists the exact POST paths.
	PathsKey = Domain + "/paths"
	// OtherPathsKey is knative or none: the route of requests that are not for inference.
	OtherPathsKey = Domain + "/other-paths"
	// RequestTimeoutKey is the route's timeout; 0s is none.
	RequestTimeoutKey = Domain + "/request-timeout"
	// PoolModeKey is service or revision.
	PoolModeKey = Domain + "/pool-mode"
	// PoolKey names a pool shared with other Services, or a foreign one. As a
	// label of pods it is the shared pool that they belong to.
	PoolKey = Domain + "/pool"
	// SelectorKey overrides the pool's selector: "release=qwen".
	SelectorKey = Domain + "/selector"
	// TargetKey is queue-proxy or user-container.
	TargetKey = Domain + "/target"
	// FailureModeKey is FailOpen or FailClose.
	FailureModeKey = Domain + "/failure-mode"
	// PickerKey is managed, none, or service:port.
	PickerKey         = Domain + "/epp"
	PickerImageKey    = Domain + "/epp-image"
	PickerReplicasKey = Domain + "/epp-replicas"
	// PickerConfigKey names a ConfigMap whose config.yaml replaces ours.
	PickerConfigKey = Domain + "/epp-config"
	// PickerFlavorKey is auto, gie or llm-d.
	PickerFlavorKey = Domain + "/epp-flavor"
	// FlowControlKey is true or false.
	FlowControlKey      = Domain + "/flow-control"
	QueueTTLKey         = Domain + "/queue-ttl"
	QueueMaxRequestsKey = Domain + "/queue-max-requests"
	// QueueDepthKey is how many requests may wait in the engines, as the mean over the
	// pool's pods, before the picker lets further ones wait.
	QueueDepthKey        = Domain + "/queue-depth"
	ModelKey             = Domain + "/model"
	MatchHeadersKey      = Domain + "/match-headers"
	ModelRewriteKey      = Domain + "/model-rewrite"
	EndpointHoldKey      = Domain + "/endpoint-hold"
	AdoptKey             = Domain + "/adopt"
	AllowWeightedPoolKey = Domain + "/allow-weighted-pools"
)

// Alibaba ACK's own keys, understood verbatim; ours win where both are given.
const (
	ACKGatewayKey  = "knative.aliyun.com/ai-gateway"
	ACKPriorityKey = "knative.aliyun.com/ai-gateway-inference-priority"
)

// Values of AIGatewayKey and ACKGatewayKey.
const (
	Enabled  = "inference"
	Disabled = "disabled"
)

// Labels that we write.
const (
	// RoutedKey is "true" on pods of revisions that the pool serves.
	RoutedKey = Domain + "/routed"
	// ComponentKey distinguishes our objects: pool, picker, route, objective, filter, body-router.
	ComponentKey = Domain + "/component"
	// PickerPodKey is on the picker's pods; its value is the pool's name.
	PickerPodKey = Domain + "/picker"
	// BodyRouterPodKey is on the body-based router's pods; its value is the Gateway's name.
	BodyRouterPodKey = Domain + "/body-router"
	// OwnerNamespaceKey and OwnerServiceKey name the Knative Service of an object in
	// the Gateway's namespace, which no owner reference can reach.
	OwnerNamespaceKey = Domain + "/service-namespace"
	OwnerServiceKey   = Domain + "/service"
	// GatewayNameKey is on objects that serve a whole Gateway.
	GatewayNameKey = Domain + "/gateway-name"
	// ServesKey, an annotation of our InferencePools, names the revisions that the pool's
	// requests are for with their percent of them, as JSON: {"qwen-00001":90,"qwen-00002":10}.
	// While the pool has no pod, nothing else says whom a request in its picker waits for.
	ServesKey = Domain + "/serves"
	// ConfigHashKey, an annotation of the picker's pods, rolls them when their configuration changes.
	ConfigHashKey = Domain + "/config-hash"
)

// PickerMetricsPort is the port of our pickers' metrics endpoint.
const PickerMetricsPort = 9090

// Upstream's label and annotation of model server pods.
const (
	EngineTypeKey  = "inference.networking.k8s.io/engine-type"
	ActivePortsKey = "inference.networking.k8s.io/active-ports"
	// The same in llm-d's domain.
	LLMDEngineTypeKey  = "llm-d.ai/engine-type"
	LLMDActivePortsKey = "llm-d.ai/active-ports"
)
