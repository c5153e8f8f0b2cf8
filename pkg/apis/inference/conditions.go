package inference

// Conditions of an InferenceBinding.
const (
	ConditionReady               = "Ready"
	ConditionPoolAccepted        = "PoolAccepted"
	ConditionRouteAccepted       = "RouteAccepted"
	ConditionEndpointPickerReady = "EndpointPickerReady"
	ConditionPodsLabelled        = "PodsLabelled"
	ConditionObjectiveApplied    = "ObjectiveApplied"
	// ConditionTrafficSplit is True when traffic is split exactly, False with a reason when it is
	// not. It does not count for Ready.
	ConditionTrafficSplit = "TrafficSplit"
	// ConditionAnnotationsAccepted is False while an annotation is refused.
	ConditionAnnotationsAccepted = "AnnotationsAccepted"
)

// Reasons of those conditions; each message names the fix.
const (
	ReasonRefused             = "AnnotationRefused"
	ReasonNotOwned            = "NotOwned"
	ReasonPoolCRDMissing      = "InferencePoolCRDMissing"
	ReasonRouteCRDMissing     = "HTTPRouteCRDMissing"
	ReasonObjectiveCRDMissing = "InferenceObjectiveCRDMissing"
	ReasonRewriteCRDMissing   = "InferenceModelRewriteCRDMissing"
	ReasonIstioCRDMissing     = "IstioCRDMissing"
	ReasonPatchCRDMissing     = "EnvoyPatchPolicyCRDMissing"
	ReasonPatchNotApplied     = "PatchNotApplied"
	ReasonPickerAskedOften    = "PickerAskedOften"
	ReasonGatewayNotFound     = "GatewayNotFound"
	ReasonGatewayNotSet       = "GatewayNotConfigured"
	ReasonGatewayClassMissing = "GatewayClassNotFound"
	ReasonGatewayNoAddress    = "GatewayHasNoAddress"
	ReasonListenerNotFound    = "ListenerNotFound"
	ReasonListenerRefuses     = "ListenerRefusesNamespace"
	ReasonListenerHostname    = "ListenerRefusesHost"
	ReasonHostConflict        = "HostConflict"
	ReasonHostNotAllowed      = "HostNotAllowed"
	ReasonNoHosts             = "NoHosts"
	ReasonNoTraffic           = "NoTraffic"
	ReasonProviderUnknown     = "ProviderUnknown"
	ReasonProviderUnsupported = "ProviderUnsupported"
	ReasonSplitApproximated   = "TrafficSplitApproximated"
	ReasonSplitExact          = "TrafficSplitExact"
	ReasonPoolMismatch        = "PoolMembersDisagree"
	ReasonPickerNotFound      = "EndpointPickerNotFound"
	ReasonPortsDiffer         = "RevisionPortsDiffer"
	ReasonModelRoutingOff     = "ModelRoutingDisabled"
	ReasonNoObjective         = "NoObjective"
	ReasonPriorityNotEnforced = "PriorityHeaderNotSet"
	ReasonFailsClosed         = "FailOpenNotSafe"
	ReasonTooManyMatches      = "TooManyMatches"
)
