package engine

// Picker names the table of an endpoint picker's page. A picker is no engine: it
// is not detected, and no user can name it.
const Picker = "endpoint-picker"

// picker reads the endpoint picker of the Gateway API Inference Extension
// (v1.5.0, pkg/epp/metrics/metrics.go): how many requests its flow control holds
// back. The gauge is not there before the first one; that of the saturation is.
func picker() table {
	return table{
		name: Picker, prefix: "inference_extension_", path: "/metrics",
		rows: []row{
			{field: waiting, family: "inference_extension_flow_control_queue_size", fold: sum},
			{field: waiting, family: "inference_extension_flow_control_pool_saturation", kind: presence},
			// Without flow control nothing is known to be held, and the page is a picker's.
			{field: running, family: "inference_extension_info", kind: presence},
		},
	}
}
