package annotations

import "github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"

// Engine is what the annotations of spec.template say of the engine, which Knative copies to
// revisions, PodAutoscalers and pods. Zero values are not said.
type Engine struct {
	// Name is one of pkg/engines; empty when it is to be detected.
	Name string
	// MetricsPort is 0 when the user container's own port serves the metrics endpoint.
	MetricsPort int32
	// MetricsPath is empty for the engine's default.
	MetricsPath string
	// MetricsTLS asks for the metrics endpoint by https.
	MetricsTLS bool
}

// Invalid is an annotation whose value cannot be read. Err names the value and what may be
// written, and not the key.
type Invalid struct {
	Key string
	Err error
}

// ReadEngine reads the engine and where its metrics endpoint is. An annotation that cannot be
// read counts as not given.
func ReadEngine(given map[string]string) (e Engine, invalid []Invalid) {
	scheme := Default[string](autoscaling.MetricsSchemeKey)
	for _, read := range []Invalid{
		{autoscaling.EngineKey, Read(given, autoscaling.EngineKey, &e.Name)},
		{autoscaling.MetricsPortKey, Read(given, autoscaling.MetricsPortKey, &e.MetricsPort)},
		{autoscaling.MetricsPathKey, Read(given, autoscaling.MetricsPathKey, &e.MetricsPath)},
		{autoscaling.MetricsSchemeKey, Read(given, autoscaling.MetricsSchemeKey, &scheme)},
	} {
		if read.Err != nil {
			invalid = append(invalid, read)
		}
	}
	e.MetricsTLS = scheme == HTTPS
	return e, invalid
}
