package manifest

// Provider is the implementation behind a GatewayClass.
type Provider string

// The providers that we tell apart.
const (
	Istio        Provider = "istio"
	AgentGateway Provider = "agentgateway"
	EnvoyGateway Provider = "envoy-gateway"
	NGINX        Provider = "nginx"
	GKE          Provider = "gke"
	ACK          Provider = "ack"
	Kgateway     Provider = "kgateway"
	Unknown      Provider = "unknown"
)
