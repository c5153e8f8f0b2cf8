package engine

import "github.com/knative-inference/autoscaler-adapter/pkg/engines"

// Picker names the table of an endpoint picker's page. A picker is no engine: it
// is not detected, and no user can name it.
const Picker = "endpoint-picker"

// picker reads the endpoint picker of the Gateway API Inference Extension
// (v1.5.0, pkg/epp/metrics/metrics.go): how many requests its flow control holds
// back. The gauge is not there before the first one; that of the saturation is.
func picker() engines.Engine {
	return engines.Engine{
		Name: Picker, Prefix: "inference_extension_",
		Rows: []engines.Row{
			{Field: engines.Waiting, Family: "inference_extension_flow_control_queue_size", Fold: engines.Sum},
			{Field: engines.Waiting, Family: "inference_extension_flow_control_pool_saturation", Kind: engines.Presence},
			// The label priority is a whole number. Series without it are of no negative priority.
			{Field: engines.WaitingNegative, Family: "inference_extension_flow_control_queue_size", Fold: engines.Sum,
				Where: engines.Filter{Label: "priority", Prefix: "-"}},
			{Field: engines.WaitingNegative, Family: "inference_extension_flow_control_pool_saturation", Kind: engines.Presence},
			// Without flow control nothing is known to be held, and the page is a picker's.
			{Field: engines.Running, Family: "inference_extension_info", Kind: engines.Presence},
		},
	}
}
