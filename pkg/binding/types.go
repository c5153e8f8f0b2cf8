// Package binding turns the annotations of a Knative Service into what it asks
// of the inference gateway. It is used by the webhook, which refuses and warns,
// and by the reconciler, which acts. Strings in, values out: no client, no clock.
package binding

import (
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
)

// Intent is what one Knative Service asks of the inference gateway, with the
// defaults of config-inference-gateway filled in.
type Intent struct {
	Namespace, Service string

	// Gateway and Listener are where the route attaches; an empty Listener is all of them.
	Gateway  Name
	Listener string
	// Provider overrides what the GatewayClass's controller name says; empty is auto.
	Provider string
	// Hostnames are hosts besides those of the Knative route; Paths the exact POST
	// paths, nil for those of the engine.
	Hostnames, Paths []string
	// AllowedHosts are the patterns of hosts that Services may name, a setting of the
	// cluster only; DeniedHosts are those that this one named in vain.
	AllowedHosts, DeniedHosts []string
	// Domains are the domains that the cluster serves Knative Services on: those of
	// Knative's config-domain, and the one within the cluster. Empty until read.
	Domains []string
	// AllowedGateways, AllowedImages and AllowedKeys are what Services may choose of the
	// settings that reach beyond their namespace, settings of the cluster only: patterns
	// of namespace/name, patterns of picker images, and keys of annotations.
	AllowedGateways, AllowedImages, AllowedKeys []string
	// OtherPaths is knative or none: the route of requests that are not for inference.
	OtherPaths string
	// RequestTimeout is the route's; 0 is none.
	RequestTimeout time.Duration

	// PoolMode is service (one pool) or revision (one per revision, exact weights).
	PoolMode PoolMode
	// Pool names a pool shared with other Services, or a foreign one; empty is one of our own.
	Pool string
	// Selector overrides the pool's selector.
	Selector map[string]string
	// PoolPort is queue-proxy (8012 or 8013) or user-container.
	PoolPort PoolPort
	// FailOpen sends requests on when the picker is gone.
	FailOpen bool
	Picker   Picker
	Flow     FlowControl
	// BodyRouter writes the model's name from the JSON body into a header; one per Gateway.
	BodyRouter BodyRouter

	// Engine is the default of revisions that name none.
	Engine string

	// Priority is nil without an objective.
	Priority *int32
	// Objectives are more of them, each with a host of its own.
	Objectives []Objective
	// ObjectiveHeader is auto, set or none.
	ObjectiveHeader string
	// NegativePriority is shed or wait.
	NegativePriority string
	// FairnessID is remove or client.
	FairnessID string

	// Models are names that the JSON body must carry (any of them); MatchHeaders further conditions (all of them).
	Models       []string
	MatchHeaders []Header
	ModelRewrite []Rewrite

	// EndpointHold is how long a Ready pod is hidden from the picker.
	EndpointHold time.Duration
	// Adopt takes over objects of our names that nobody controls; AllowWeightedPools
	// trusts the gateway with two pools in one rule.
	Adopt, AllowWeightedPools bool
}

// Name is a namespaced name.
type Name struct{ Namespace, Name string }

// Header is an exact match of a request header.
type Header struct{ Name, Value string }

// Objective is a priority with a name; its host is the name, a dash, and the Service's host (as a tag's).
type Objective struct {
	Name     string
	Priority int32
}

// Rewrite splits the requests for one model name over target names by weight; Model empty is any.
type Rewrite struct {
	Model   string
	Targets []RewriteTarget
}

// RewriteTarget is one of a Rewrite's targets.
type RewriteTarget struct {
	Model  string `json:"target"`
	Weight int32  `json:"weight"`
}

// PoolMode is how revisions map to pools.
type PoolMode string

// The pool modes.
const (
	PoolPerService  PoolMode = annotations.PoolPerService
	PoolPerRevision PoolMode = annotations.PoolPerRevision
)

// PoolPort is the port that the gateway sends requests to.
type PoolPort string

// The ports of a pool.
const (
	PortQueueProxy    PoolPort = annotations.PortQueueProxy
	PortUserContainer PoolPort = annotations.PortUserContainer
)

// Picker is the endpoint picker.
type Picker struct {
	// Mode is managed, external (Service and Port), or none (built into the gateway).
	Mode    PickerMode
	Service string
	Port    int32
	Image   string
	// Replicas above 1 elect a leader; ConfigMap replaces the configuration we render.
	Replicas  int32
	ConfigMap string
	// Flavor is gie or llm-d: what the image understands, and the API group of its objectives; never auto in an Intent.
	Flavor string
}

// PickerMode is who runs the picker.
type PickerMode string

// The picker modes.
const (
	PickerManaged  PickerMode = "managed"
	PickerExternal PickerMode = "external"
	PickerNone     PickerMode = "none"
)

// The picker's flavors.
const (
	FlavorAuto = annotations.Auto
	FlavorGIE  = annotations.FlavorGIE
	FlavorLLMD = annotations.FlavorLLMD
)

// What is done about the header that names a request's objective.
const (
	// HeaderAuto sets it where the provider can; where it cannot, a condition says so.
	HeaderAuto = annotations.Auto
	// HeaderSet refuses the binding's objective where the provider cannot.
	HeaderSet = annotations.HeaderSet
	// HeaderNone leaves it to the client.
	HeaderNone = annotations.HeaderNone
)

// What is done about the header that names a request's flow, between which a
// picker's flow control is fair.
const (
	// FairnessRemoved takes it off where the gateway can.
	FairnessRemoved = annotations.FairnessRemoved
	// FairnessClient leaves it to the client, for clients that are trusted not to make up names.
	FairnessClient = annotations.FairnessClient
)

// NegativeWait lets requests of a negative priority wait, and wake no revision alone.
const NegativeWait = annotations.NegativeWait

// OtherPathsNone gives requests that are not for inference no route.
const OtherPathsNone = annotations.OtherPathsNone

// FlowControl is the picker's waiting room.
type FlowControl struct {
	Enabled     bool
	TTL         time.Duration
	MaxRequests int32
	// QueueDepth is the mean number of requests waiting in the engines from which on
	// the pool counts as saturated; one pod with a multiple of it is enough.
	QueueDepth int32
}

// BodyRouter is the body-based router of the Gateway, a setting of the cluster only.
type BodyRouter struct {
	Mode  BodyRouterMode
	Image string
}

// BodyRouterMode is who runs the body-based router.
type BodyRouterMode string

// The body-based router's modes.
const (
	// BodyRouterOff: nobody; routes by model are not made.
	BodyRouterOff BodyRouterMode = "disabled"
	// BodyRouterManaged: we do, one per Gateway that has routes by model.
	BodyRouterManaged BodyRouterMode = "managed"
	// BodyRouterExternal: somebody else writes the header X-Gateway-Model-Name.
	BodyRouterExternal BodyRouterMode = "external"
)

// Problem is something wrong or unwise in what the user wrote.
type Problem struct {
	// Path is the field, e.g. metadata.annotations[knative-inference.dev/objectives].
	Path string
	// Message says what is wrong, with the allowed values and the fix.
	Message string
	// Warning is true for what works but will hurt.
	Warning bool
}
