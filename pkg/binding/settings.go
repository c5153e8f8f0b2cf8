package binding

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// setting is one value that a user gives: how its text becomes part of an Intent.
type setting struct {
	// key is the annotation of a Service; its last part is the key of the config map.
	key string
	set func(*Intent, string) error
	// cluster settings may stand in config-inference-gateway too.
	cluster bool
}

// settings lists every annotation of a Service except those that switch the gateway on.
func settings() []setting {
	return slices.Concat(routeSettings(), poolSettings(), pickerSettings(), prioritySettings(), modelSettings())
}

func routeSettings() []setting {
	return []setting{
		{inference.GatewayKey, func(in *Intent, v string) (err error) { in.Gateway, err = gatewayName(v); return err }, true},
		{inference.ListenerKey, setListener, true},
		{inference.ProviderKey, func(in *Intent, v string) error { return oneOf(&in.Provider, v, providers()...) }, true},
		{inference.HostnamesKey, func(in *Intent, v string) (err error) { in.Hostnames, err = hostnames(v); return err }, false},
		{inference.PathsKey, func(in *Intent, v string) (err error) { in.Paths, err = paths(v); return err }, true},
		{inference.RequestTimeoutKey, func(in *Intent, v string) error { return duration(&in.RequestTimeout, v, noTimeout) }, true},
	}
}

func poolSettings() []setting {
	return []setting{
		{inference.PoolModeKey, func(in *Intent, v string) error { return oneOf(&in.PoolMode, v, PoolPerService, PoolPerRevision) }, true},
		{inference.PoolKey, func(in *Intent, v string) (err error) { in.Pool, err = objectName(v, maxPoolName); return err }, false},
		{inference.SelectorKey, func(in *Intent, v string) (err error) { in.Selector, err = selector(v); return err }, false},
		{inference.TargetKey, func(in *Intent, v string) error {
			return oneOf(&in.Target, v, TargetQueueProxy, TargetUserContainer)
		}, true},
		{inference.FailureModeKey, setFailureMode, true},
		{inference.EndpointHoldKey, func(in *Intent, v string) error { return duration(&in.EndpointHold, v, holds) }, true},
		{inference.AdoptKey, func(in *Intent, v string) error { return boolean(&in.Adopt, v) }, false},
		{inference.AllowWeightedPoolKey, func(in *Intent, v string) error { return boolean(&in.AllowWeightedPools, v) }, true},
	}
}

func pickerSettings() []setting {
	return []setting{
		{inference.PickerKey, setPicker, true},
		{inference.PickerImageKey, func(in *Intent, v string) (err error) { in.Picker.Image, err = image(v); return err }, true},
		{inference.PickerReplicasKey, func(in *Intent, v string) error { return number(&in.Picker.Replicas, v, 1, 10) }, true},
		{inference.PickerConfigKey, func(in *Intent, v string) (err error) {
			in.Picker.ConfigMap, err = objectName(v, maxObjectName)
			return err
		}, false},
		{inference.PickerFlavorKey, func(in *Intent, v string) error {
			return oneOf(&in.Picker.Flavor, v, FlavorAuto, FlavorGIE, FlavorLLMD)
		}, true},
		{inference.FlowControlKey, func(in *Intent, v string) error { return boolean(&in.Flow.Enabled, v) }, true},
		{inference.QueueTTLKey, func(in *Intent, v string) error { return duration(&in.Flow.TTL, v, queueTTLs) }, true},
		{inference.QueueDepthKey, func(in *Intent, v string) error { return number(&in.Flow.QueueDepth, v, 1, 10_000) }, true},
		{inference.QueueMaxRequestsKey, func(in *Intent, v string) error { return number(&in.Flow.MaxRequests, v, 1, 1_000_000) }, true},
	}
}

func prioritySettings() []setting {
	return []setting{
		{inference.ACKPriorityKey, setPriority, false},
		{inference.PriorityKey, setPriority, false},
		{inference.ObjectivesKey, func(in *Intent, v string) (err error) { in.Objectives, err = objectives(v); return err }, false},
		{inference.ObjectiveHeaderKey, func(in *Intent, v string) error {
			return oneOf(&in.ObjectiveHeader, v, HeaderAuto, HeaderSet, HeaderNone)
		}, true},
		{inference.FairnessIDKey, func(in *Intent, v string) error { return oneOf(&in.FairnessID, v, FairnessRemoved, FairnessClient) }, true},
	}
}

func modelSettings() []setting {
	return []setting{
		{inference.ModelKey, func(in *Intent, v string) (err error) { in.Models, err = models(v); return err }, false},
		{inference.MatchHeadersKey, func(in *Intent, v string) (err error) { in.MatchHeaders, err = matchHeaders(v); return err }, false},
		{inference.ModelRewriteKey, func(in *Intent, v string) (err error) { in.ModelRewrite, err = rewrites(v); return err }, false},
	}
}

// providers are the values of the provider annotation; auto is empty in an Intent.
func providers() []string {
	return []string{"auto", "istio", "agentgateway", "envoy-gateway", "nginx", "gke", "ack"}
}

// setListener reads a name, or "*" for every listener of the Gateway.
func setListener(in *Intent, v string) error {
	if v == "*" {
		in.Listener = ""
		return nil
	}
	if len(validation.IsDNS1123Subdomain(v)) > 0 {
		return fmt.Errorf("%q is neither the name of a listener nor \"*\" for all of them", v)
	}
	in.Listener = v
	return nil
}

func setFailureMode(in *Intent, v string) error {
	mode := ""
	if err := oneOf(&mode, v, "FailOpen", "FailClose"); err != nil {
		return err
	}
	in.FailOpen = mode == "FailOpen"
	return nil
}

func setPriority(in *Intent, v string) error {
	p, err := priority(v)
	if err != nil {
		return err
	}
	in.Priority = &p
	return nil
}
