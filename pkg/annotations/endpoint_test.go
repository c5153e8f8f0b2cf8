package annotations

import (
	"maps"
	"slices"
	"testing"

	"knative.dev/pkg/profiling"
	"knative.dev/serving/pkg/networking"
)

// The ports that are refused are those of Knative's queue-proxy. The program itself does not import
// these packages here, because they bring Kubernetes with them.
func TestQueueProxyPorts(t *testing.T) {
	want := []int32{profiling.ProfilingPort, networking.BackendHTTPPort, networking.BackendHTTP2Port, networking.QueueAdminPort,
		networking.BackendHTTPSPort, networking.AutoscalingQueueMetricsPort, networking.UserQueueMetricsPort}
	if got := slices.Sorted(maps.Keys(queueProxyPorts)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("%v are refused; the queue-proxy has %v", got, want)
	}
}
