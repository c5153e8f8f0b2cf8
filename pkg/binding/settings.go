package binding

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// setting is one annotation of a Service: how its text becomes part of an Intent.
type setting struct {
	key string
	set func(*Intent, string) error
}

// settings lists every annotation of a Service except those that switch the gateway on.
func settings() []setting {
	return slices.Concat(routeSettings(), poolSettings(), pickerSettings(), prioritySettings(), modelSettings())
}

// plain reads a value as its row in pkg/annotations says.
func plain[T any](key string, field func(*Intent) *T) setting {
	return setting{key, func(in *Intent, v string) error {
		parsed, err := annotations.Parse[T](key, v)
		if err == nil {
			*field(in) = parsed
		}
		return err
	}}
}

// word reads one of the words of the row in pkg/annotations.
func word[S ~string](key string, field func(*Intent) *S) setting {
	return setting{key, func(in *Intent, v string) error {
		text, err := annotations.Parse[string](key, v)
		if err == nil {
			*field(in) = S(text)
		}
		return err
	}}
}

func routeSettings() []setting {
	return []setting{
		{inference.GatewayKey, func(in *Intent, v string) (err error) { in.Gateway, err = gatewayName(v); return err }},
		{inference.ListenerKey, setListener},
		{inference.ProviderKey, setProvider},
		{inference.HostnamesKey, func(in *Intent, v string) (err error) { in.Hostnames, err = hostnames(v); return err }},
		{inference.PathsKey, func(in *Intent, v string) (err error) { in.Paths, err = paths(v); return err }},
		word(inference.OtherPathsKey, func(in *Intent) *string { return &in.OtherPaths }),
		plain(inference.RequestTimeoutKey, func(in *Intent) *time.Duration { return &in.RequestTimeout }),
	}
}

func poolSettings() []setting {
	return []setting{
		word(inference.PoolModeKey, func(in *Intent) *PoolMode { return &in.PoolMode }),
		{inference.PoolKey, func(in *Intent, v string) (err error) { in.Pool, err = objectName(v, maxPoolName); return err }},
		{inference.SelectorKey, func(in *Intent, v string) (err error) { in.Selector, err = selector(v); return err }},
		word(inference.TargetKey, func(in *Intent) *PoolPort { return &in.PoolPort }),
		{inference.FailureModeKey, setFailureMode},
		plain(inference.EndpointHoldKey, func(in *Intent) *time.Duration { return &in.EndpointHold }),
		plain(inference.AdoptKey, func(in *Intent) *bool { return &in.Adopt }),
		plain(inference.AllowWeightedPoolKey, func(in *Intent) *bool { return &in.AllowWeightedPools }),
	}
}

func pickerSettings() []setting {
	return []setting{
		{inference.PickerKey, setPicker},
		{inference.PickerImageKey, func(in *Intent, v string) (err error) { in.Picker.Image, err = image(v); return err }},
		plain(inference.PickerReplicasKey, func(in *Intent) *int32 { return &in.Picker.Replicas }),
		{inference.PickerConfigKey, func(in *Intent, v string) (err error) {
			in.Picker.ConfigMap, err = objectName(v, maxObjectName)
			return err
		}},
		word(inference.PickerFlavorKey, func(in *Intent) *string { return &in.Picker.Flavor }),
		plain(inference.FlowControlKey, func(in *Intent) *bool { return &in.Flow.Enabled }),
		plain(inference.QueueTTLKey, func(in *Intent) *time.Duration { return &in.Flow.TTL }),
		plain(inference.QueueDepthKey, func(in *Intent) *int32 { return &in.Flow.QueueDepth }),
		plain(inference.QueueMaxRequestsKey, func(in *Intent) *int32 { return &in.Flow.MaxRequests }),
	}
}

func prioritySettings() []setting {
	return []setting{
		{inference.ACKPriorityKey, setPriority}, // before ours, which wins
		{inference.PriorityKey, setPriority},
		{inference.ObjectivesKey, func(in *Intent, v string) (err error) { in.Objectives, err = objectives(v); return err }},
		word(inference.ObjectiveHeaderKey, func(in *Intent) *string { return &in.ObjectiveHeader }),
		word(inference.NegativePriorityKey, func(in *Intent) *string { return &in.NegativePriority }),
		word(inference.FairnessIDKey, func(in *Intent) *string { return &in.FairnessID }),
	}
}

func modelSettings() []setting {
	return []setting{
		{inference.ModelKey, func(in *Intent, v string) (err error) { in.Models, err = models(v); return err }},
		{inference.MatchHeadersKey, func(in *Intent, v string) (err error) { in.MatchHeaders, err = matchHeaders(v); return err }},
		{inference.ModelRewriteKey, func(in *Intent, v string) (err error) { in.ModelRewrite, err = rewrites(v); return err }},
	}
}

// setProvider reads the name of a provider; auto is empty in an Intent.
func setProvider(in *Intent, v string) error {
	name, err := annotations.Parse[string](inference.ProviderKey, v)
	if err != nil {
		return err
	}
	if in.Provider = name; name == annotations.Auto {
		in.Provider = ""
	}
	return nil
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
	mode, err := annotations.Parse[string](inference.FailureModeKey, v)
	if err == nil {
		in.FailOpen = mode == annotations.FailOpen
	}
	return err
}

func setPriority(in *Intent, v string) error {
	p, err := priority(v)
	if err != nil {
		return err
	}
	in.Priority = &p
	return nil
}
