package manifest

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// World is what the reconciler observed; Build reads nothing else.
type World struct {
	// ServiceUID and Created are the Knative Service's; the older of two that
	// contend for a host or disagree about a shared pool wins.
	ServiceUID types.UID
	Created    time.Time
	// ClusterDomain is the suffix of Service hosts, cluster.local.
	ClusterDomain string

	Gateway Gateway
	Served  Served

	// Main is the traffic of the Service's own hosts, Tags that of each tag, both from
	// the KIngress, so that a gradual rollout counts.
	Main Traffic
	Tags []Traffic
	// Revisions by name: every one that Main or Tags names, at least.
	Revisions map[string]Revision

	// HostOwners names the Knative Service whose KIngress has a host, for each of Claims,
	// the neighbours' too, that one has.
	HostOwners map[string]binding.Name

	// Neighbours are the other bindings, in any namespace: all that share the pool, all on the same
	// Gateway that have a host in common with the Service, and, for a Service in the body-based
	// router's filter, all others in the filter with those that have a host in common with them.
	Neighbours []Neighbour
	// Pool is the pool that the annotation names, if it exists; nil otherwise.
	Pool *Pool
	// PickerService is true when the Service of an external picker exists.
	PickerService bool
	// LiveRules are the rule names of the HTTPRoutes that we own now: their
	// weights stay in force until the new route has replaced them.
	LiveRules []string
	// LivePools are the InferencePools that the Service controls now, also those that it leaves.
	LivePools []string
	// ServingPools are those that our live routes lead requests to, KnownPools those that the Gateway
	// has known for long enough by the live ComingRoute.
	ServingPools, KnownPools []string
}

// Gateway is the configured Gateway as it is.
type Gateway struct {
	Exists bool
	// Class is spec.gatewayClassName, Controller the controllerName of that
	// GatewayClass, empty when the class does not exist.
	Class, Controller string
	Listeners         []Listener
	// Addresses are status.addresses.
	Addresses []string
}

// Listener is one of a Gateway.
type Listener struct {
	Name     string
	Port     int32
	Protocol string
	// Hostname is empty for all.
	Hostname string
	// Allowed is true when allowedRoutes lets HTTPRoutes of the Service's namespace attach.
	Allowed bool
}

// Served says which kinds the API server serves.
type Served struct {
	HTTPRoute bool
	// InferencePool is inference.networking.k8s.io/v1; PoolAppProtocol that its schema has appProtocol.
	InferencePool, PoolAppProtocol bool
	// Objective and Rewrite hold the API groups that serve InferenceObjective and
	// InferenceModelRewrite in v1alpha2: inference.networking.x-k8s.io, llm-d.ai.
	Objective, Rewrite []string
	// DestinationRule is networking.istio.io/v1, EnvoyFilter networking.istio.io/v1alpha3.
	DestinationRule, EnvoyFilter bool
	// EnvoyPatchPolicy is gateway.envoyproxy.io/v1alpha1.
	EnvoyPatchPolicy bool
}

// Traffic is how the requests for some hosts are split.
type Traffic struct {
	// Tag is empty for the Service's own hosts.
	Tag string
	// Hosts are the external ones.
	Hosts  []string
	Splits []Split
}

// Split gives a revision its share, 0 to 100.
type Split struct {
	Revision string
	Percent  int32
}

// Revision is what the gateway must know of one.
type Revision struct {
	// Port is the user container's, H2C whether it is named h2c.
	Port int32
	H2C  bool
	// Timeout is spec.timeoutSeconds.
	Timeout time.Duration
	// Engine is what its annotations say; a Name may also have been detected.
	Engine annotations.Engine
}

// Neighbour is another Knative Service with a binding.
type Neighbour struct {
	Intent  binding.Intent
	UID     types.UID
	Created time.Time
	// Hosts are those of its Main traffic and of its tags.
	Hosts []string
	// Revision is that of its largest share, zero without traffic; Timeout must be the longest of all.
	Revision Revision
}

// Pool is a pool that exists already.
type Pool struct {
	// Managed is true when it carries our managed-by label.
	Managed  bool
	Selector map[string]string
}
