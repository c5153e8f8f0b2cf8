package manifest

import (
	"strings"
	"time"
)

// Provider is the implementation behind a GatewayClass.
type Provider string

// The providers that we distinguish.
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

// Detect names the provider by the controllerName of a GatewayClass; class is
// the GatewayClass's name.
func Detect(controller, class string) Provider {
	switch controller {
	case "istio.io/gateway-controller":
		return Istio
	case "agentgateway.dev/agentgateway":
		return AgentGateway
	case "gateway.nginx.org/nginx-gateway-controller":
		return NGINX
	case "networking.gke.io/gateway":
		return GKE
	case "kgateway.dev/kgateway":
		return Kgateway
	}
	switch {
	case strings.Contains(controller, "aliyun") || strings.Contains(controller, "alibaba") || class == "ack-gateway":
		return ACK
	case controller == "gateway.envoyproxy.io/gatewayclass-controller":
		return EnvoyGateway
	}
	return Unknown
}

// capabilities are what a provider can do; what is not listed is not rendered for it.
type capabilities struct {
	// pools: it takes an InferencePool as a backend.
	pools bool
	// envoyFilters: it takes Istio's EnvoyFilter and DestinationRule.
	envoyFilters bool
	// filtersFirst: a route's filters run before the picker.
	filtersFirst bool
	// ownEndpoints: it sends a request to endpoints of the pool only, whatever its headers say.
	ownEndpoints bool
	// weightedPools: each pool of a rule is asked its own picker. brokenByPools: a rule with
	// several pools stops every later change of the gateway's configuration.
	weightedPools, brokenByPools bool
	// patchPolicies: it takes Envoy Gateway's EnvoyPatchPolicy.
	patchPolicies bool
	// pickerPerMatch: a picker is asked once for each match and host that leads to its pool.
	pickerPerMatch bool
	// forgetsPools: a pool that no route names is gone at once, with the answers that its picker has.
	forgetsPools bool
	// learnsPools: it answers 500 by a rule that names a pool until it has prepared the pool, which it
	// begins when a route names the pool.
	learnsPools bool
	// alwaysFailsClosed: without its picker a pool's requests fail, whatever its failureMode.
	alwaysFailsClosed bool
	// regexPaths and timeouts are those of HTTPRoute.
	regexPaths, timeouts bool
	// backendFilters: each backend of a rule may set headers of its own.
	backendFilters bool
	// longestHold is how long the gateway waits for the picker's answer; 0 is without end, or not known.
	longestHold time.Duration
	// slowEndpoints: the picker may name a pod before the gateway knows the pod.
	slowEndpoints bool
}

// can is the provider table of docs/inference-gateway.md.
func (p Provider) can() capabilities {
	switch p {
	case Istio:
		return capabilities{pools: true, envoyFilters: true, regexPaths: true, timeouts: true, backendFilters: true,
			longestHold: 1000 * time.Second, slowEndpoints: true, learnsPools: true}
	case AgentGateway:
		return capabilities{pools: true, filtersFirst: true, weightedPools: true, regexPaths: true, timeouts: true,
			backendFilters: true}
	case NGINX:
		return capabilities{pools: true, ownEndpoints: true, weightedPools: true, regexPaths: true}
	case EnvoyGateway: // what it does with Envoy AI Gateway v1.0.0, which is what makes it take pools
		return capabilities{pools: true, brokenByPools: true, patchPolicies: true, pickerPerMatch: true,
			forgetsPools: true, alwaysFailsClosed: true, regexPaths: true, timeouts: true, backendFilters: true}
	case ACK:
		return capabilities{pools: true, regexPaths: true, timeouts: true, backendFilters: true, slowEndpoints: true}
	case GKE:
		return capabilities{pools: true, slowEndpoints: true}
	case Kgateway:
		return capabilities{}
	case Unknown:
	}
	return capabilities{pools: true, slowEndpoints: true}
}
