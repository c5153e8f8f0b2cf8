package annotations

// Words that the code compares values with.
const (
	// HTTP and HTTPS are the values of metrics-scheme.
	HTTP  = "http"
	HTTPS = "https"
	// StartAtPredecessor and StartAtInitial are the values of start-scale.
	StartAtPredecessor = "predecessor"
	StartAtInitial     = "initial"

	// OtherPathsKnative and OtherPathsNone are the values of other-paths.
	OtherPathsKnative = "knative"
	OtherPathsNone    = "none"

	// PoolPerService and PoolPerRevision are the values of pool-mode.
	PoolPerService  = "service"
	PoolPerRevision = "revision"

	// PortQueueProxy and PortUserContainer are the values of target.
	PortQueueProxy    = "queue-proxy"
	PortUserContainer = "user-container"

	// FailOpen and FailClose are the values of failure-mode.
	FailOpen  = "FailOpen"
	FailClose = "FailClose"

	// Auto leaves provider, epp-flavor or objective-header to the program.
	Auto = "auto"
	// FlavorGIE and FlavorLLMD are the other values of epp-flavor.
	FlavorGIE  = "gie"
	FlavorLLMD = "llm-d"
	// HeaderSet and HeaderNone are the other values of objective-header.
	HeaderSet  = "set"
	HeaderNone = "none"

	// NegativeShed and NegativeWait are the values of negative-priority.
	NegativeShed = "shed"
	NegativeWait = "wait"

	// FairnessRemoved and FairnessClient are the values of fairness-id.
	FairnessRemoved = "remove"
	FairnessClient  = "client"
)
