package collector

import "testing"

// Triton serves its metrics beside its requests; a port that the user names wins.
func TestNewTarget_port(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"the requests' port", Spec{Engine: "vllm", Port: 8000}, "http://10.0.0.1:8000/metrics"},
		{"detected", Spec{Port: 8000}, "http://10.0.0.1:8000/metrics"},
		{"a port of its own", Spec{Engine: "triton-tensorrt-llm", Port: 8000}, "http://10.0.0.1:8002/metrics"},
		{"named by the user", Spec{Engine: "triton", Port: 9002, PortNamed: true}, "http://10.0.0.1:9002/metrics"},
		{"a path of its own", Spec{Engine: "trtllm-serve", Port: 8000}, "http://10.0.0.1:8000/prometheus/metrics"},
		{"a path with a query", Spec{Port: 8000, Path: "/metrics?model=qwen&x=a%2Fb"}, "http://10.0.0.1:8000/metrics?model=qwen&x=a%2Fb"},
		{"an encoded path", Spec{Port: 8000, Path: "/m%20x/metrics"}, "http://10.0.0.1:8000/m%20x/metrics"},
		{"no path, which is refused before", Spec{Port: 8000, Path: "metrics"}, "http://10.0.0.1:8000/metrics"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRevision(New(Options{}), Key{Namespace: "n", Name: "r"})
			r.spec = tt.spec
			p := &pod{Pod: Pod{UID: "u", IP: "10.0.0.1"}}
			if got := newTarget(enginePage, r, p).connection.URL(); got != tt.want {
				t.Errorf("scraped at %s, want %s", got, tt.want)
			}
		})
	}
}
