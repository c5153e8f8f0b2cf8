package metricsapi

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/client/custom_metrics"
)

// The client of the HorizontalPodAutoscaler controller reads every resource, in the
// version it finds by discovery and in the old one.
func TestTypedClient(t *testing.T) {
	config := &rest.Config{Host: serve(t, twoModels()).URL}
	for name, client := range map[string]custom_metrics.CustomMetricsClient{
		"discovered": discovered(t, config),
		"v1beta1":    ofVersion(t, config, "v1beta1"),
		"v1beta2":    ofVersion(t, config, "v1beta2"),
	} {
		t.Run(name, func(t *testing.T) {
			pods, err := client.NamespacedMetrics("default").GetForObjects(schema.GroupKind{Kind: "Pod"},
				labels.SelectorFromSet(labels.Set{"serving.knative.dev/revision": "llama-00001"}), "kv_cache_usage_percent", labels.Everything())
			if err != nil {
				t.Fatal(err)
			}
			if len(pods.Items) != 2 || pods.Items[0].Value.MilliValue() != 70213 || pods.Items[0].Metric.Name != "kv_cache_usage_percent" {
				t.Errorf("pods = %+v, want two, the first at 70213m", pods.Items)
			}
			if got, want := pods.Items[0].Timestamp.Time, sampleTime().Truncate(time.Second); !got.Equal(want) {
				t.Errorf("timestamp = %v, want the sample's own %v", got, want)
			}
			revision, err := client.NamespacedMetrics("default").GetForObject(
				schema.GroupKind{Group: "serving.knative.dev", Kind: "Revision"}, "llama-00001", "requests_per_second", labels.Everything())
			if err != nil {
				t.Fatal(err)
			}
			if revision.Value.Value() != 12 || *revision.WindowSeconds != 60 {
				t.Errorf("revision = %+v, want 12 over 60 s", revision)
			}
		})
	}
}

func TestTypedClient_unknown_is_not_found(t *testing.T) {
	client := discovered(t, &rest.Config{Host: serve(t, twoModels()).URL})
	for pod, metric := range map[string]string{"llama-c": "kv_cache_usage_percent", "gone": "concurrency", "llama-a": "gpu_temperature"} {
		_, err := client.NamespacedMetrics("default").GetForObject(schema.GroupKind{Kind: "Pod"}, pod, metric, labels.Everything())
		if !errors.IsNotFound(err) {
			t.Errorf("%s of %s: %v, want not found", metric, pod, err)
		}
	}
}

func discovered(t *testing.T, config *rest.Config) custom_metrics.CustomMetricsClient {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return custom_metrics.NewForConfig(config, mapper(), custom_metrics.NewAvailableAPIsGetter(client))
}

func ofVersion(t *testing.T, config *rest.Config, version string) custom_metrics.CustomMetricsClient {
	t.Helper()
	client, err := custom_metrics.NewForVersionForConfig(config, mapper(), schema.GroupVersion{Group: GroupName, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// mapper knows the kinds that have metrics, as a cluster's discovery lists them.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}, {Group: "serving.knative.dev", Version: "v1"}})
	for _, resource := range resources() {
		gvk, _ := kindOf(resource)
		m.AddSpecific(gvk, resource.WithVersion(gvk.Version), resource.WithVersion(gvk.Version), meta.RESTScopeNamespace)
	}
	return m
}
