package annotations

import (
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

func TestReadEngine(t *testing.T) {
	given := func(keyValues ...string) map[string]string {
		m := map[string]string{autoscaling.EngineKey: "triton", autoscaling.MetricsPortKey: "8002",
			autoscaling.MetricsPathKey: "/metrics?model=qwen", autoscaling.MetricsSchemeKey: "https"}
		for i := 0; i < len(keyValues); i += 2 {
			m[keyValues[i]] = keyValues[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		name    string
		given   map[string]string
		want    Engine
		invalid string
	}{
		{"all", given(), Engine{Name: "triton", MetricsPort: 8002, MetricsPath: "/metrics?model=qwen", MetricsTLS: true}, ""},
		{"none", nil, Engine{}, ""},
		{"http", map[string]string{autoscaling.MetricsSchemeKey: "http"}, Engine{}, ""},
		{"an unknown engine", given(autoscaling.EngineKey, "vlm"), Engine{MetricsPort: 8002, MetricsPath: "/metrics?model=qwen", MetricsTLS: true}, autoscaling.EngineKey},
		{"no port", given(autoscaling.MetricsPortKey, "70000"), Engine{Name: "triton", MetricsPath: "/metrics?model=qwen", MetricsTLS: true}, autoscaling.MetricsPortKey},
		{"no path", given(autoscaling.MetricsPathKey, "metrics"), Engine{Name: "triton", MetricsPort: 8002, MetricsTLS: true}, autoscaling.MetricsPathKey},
		{"no scheme", given(autoscaling.MetricsSchemeKey, "ftp"), Engine{Name: "triton", MetricsPort: 8002, MetricsPath: "/metrics?model=qwen"}, autoscaling.MetricsSchemeKey},
	} {
		got, invalid := ReadEngine(tt.given)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if tt.invalid == "" && len(invalid) > 0 || tt.invalid != "" && (len(invalid) != 1 || invalid[0].Key != tt.invalid || invalid[0].Err == nil) {
			t.Errorf("%s: invalid %v, want %q", tt.name, invalid, tt.invalid)
		}
	}
}

// Several that are wrong come in the order of the documents, so that a message is the same each time.
func TestReadEngine_orderOfInvalid(t *testing.T) {
	wrong := map[string]string{autoscaling.EngineKey: "vlm", autoscaling.MetricsPortKey: "0", autoscaling.MetricsPathKey: "m", autoscaling.MetricsSchemeKey: "ftp"}
	for range 20 {
		_, invalid := ReadEngine(wrong)
		var keys []string
		for _, i := range invalid {
			keys = append(keys, i.Key)
		}
		if want := []string{autoscaling.EngineKey, autoscaling.MetricsPortKey, autoscaling.MetricsPathKey, autoscaling.MetricsSchemeKey}; len(keys) != 4 || [4]string(keys) != [4]string(want) {
			t.Fatalf("invalid %v, want %v", keys, want)
		}
	}
}
