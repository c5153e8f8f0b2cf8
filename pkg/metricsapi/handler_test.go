package metricsapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const v1beta2Root = "/apis/custom.metrics.k8s.io/v1beta2"

func TestRead_both_versions(t *testing.T) {
	server := serve(t, twoModels())
	revisionSelector := "?labelSelector=" + url.QueryEscape("serving.knative.dev/revision=llama-00001")
	for _, tt := range []struct {
		name, path string
		code       int
		want       []string // namespace/name=value of each item
		message    string   // part of the error
	}{
		{name: "pod by name", path: "/namespaces/default/pods/llama-a/kv_cache_usage_percent", code: 200, want: []string{"Pod default/llama-a=70213m"}},
		{name: "a measured zero is served", path: "/namespaces/default/pods/llama-b/kv_cache_usage_percent", code: 200, want: []string{"Pod default/llama-b=0"}},
		{name: "unknown value by name", path: "/namespaces/default/pods/llama-c/kv_cache_usage_percent", code: 404, message: "could not find the metric kv_cache_usage_percent for pods default/llama-c"},
		{name: "broken value by name", path: "/namespaces/other/pods/qwen-a/kv_cache_usage_percent", code: 404, message: "qwen-a"},
		{name: "unknown pod", path: "/namespaces/default/pods/gone/kv_cache_usage_percent", code: 404, message: "default/gone"},
		{name: "pod of another namespace", path: "/namespaces/other/pods/llama-a/kv_cache_usage_percent", code: 404, message: "other/llama-a"},
		{name: "unknown metric by name", path: "/namespaces/default/pods/llama-a/gpu_temperature", code: 404, message: "gpu_temperature"},
		{name: "all pods of a namespace", path: "/namespaces/default/pods/*/kv_cache_usage_percent", code: 200, want: []string{"Pod default/llama-a=70213m", "Pod default/llama-b=0"}},
		{name: "pods by selector", path: "/namespaces/default/pods/*/concurrency" + revisionSelector, code: 200, want: []string{"Pod default/llama-a=3500m", "Pod default/llama-b=1", "Pod default/llama-c=0"}},
		{name: "a selector that matches nothing", path: "/namespaces/default/pods/*/concurrency?labelSelector=a%3Db", code: 200},
		{name: "a metric without values", path: "/namespaces/default/pods/*/num_requests_running", code: 200},
		{name: "unknown metric by selector", path: "/namespaces/default/pods/*/gpu_temperature", code: 404, message: "gpu_temperature"},
		{name: "pods of every namespace", path: "/pods/*/num_requests_waiting", code: 200, want: []string{"Pod other/qwen-a=4"}},
		{name: "a name without its namespace", path: "/pods/llama-a/kv_cache_usage_percent", code: 404, message: "llama-a"},
		{name: "revision by name", path: "/namespaces/default/revisions.serving.knative.dev/llama-00001/requests_per_second", code: 200, want: []string{"Revision default/llama-00001=12"}},
		{name: "revisions by selector", path: "/namespaces/default/revisions.serving.knative.dev/*/requests_per_second?labelSelector=serving.knative.dev%2Fservice%3Dllama", code: 200, want: []string{"Revision default/llama-00001=12"}},
		{name: "service by name", path: "/namespaces/default/services.serving.knative.dev/llama/generation_tokens_per_second", code: 200, want: []string{"Service default/llama=512250m"}},
		{name: "Kubernetes services have no metrics", path: "/namespaces/default/services/llama/generation_tokens_per_second", code: 404, message: "for services"},
		{name: "other resources have no metrics", path: "/nodes/*/concurrency", code: 404, message: "for nodes"},
		{name: "namespaces have no metrics", path: "/namespaces/default/metrics/concurrency", code: 404, message: "for namespaces"},
		{name: "metric labels", path: "/namespaces/default/pods/*/concurrency?metricLabelSelector=model%3Dllama", code: 400, message: "carry no labels"},
		{name: "metric labels by name", path: "/namespaces/default/pods/llama-a/concurrency?metricLabelSelector=model%3Dllama", code: 400, message: "carry no labels"},
		{name: "metric labels that nothing has", path: "/namespaces/default/pods/llama-a/concurrency?metricLabelSelector=%21model", code: 200, want: []string{"Pod default/llama-a=3500m"}},
		{name: "malformed selector", path: "/namespaces/default/pods/*/concurrency?labelSelector=%3D%3D", code: 400, message: "BadRequest"},
		{name: "no metric in the path", path: "/namespaces/default/pods/llama-a", code: 404},
	} {
		for _, version := range versions() {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				code, body := get(t, server.URL+"/apis/custom.metrics.k8s.io/"+version+tt.path)
				if code != tt.code || !strings.Contains(body, tt.message) {
					t.Fatalf("got %d %s\nwant %d with %q", code, body, tt.code, tt.message)
				}
				if code == 200 {
					if diff := cmp.Diff(tt.want, items(t, body)); diff != "" {
						t.Errorf("items (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// The exact bytes that clients of each version parse.
func TestRead_wire_format(t *testing.T) {
	server := serve(t, twoModels())
	const object = `"describedObject":{"kind":"Revision","namespace":"default","name":"llama-00001","uid":"uid-revision","apiVersion":"serving.knative.dev/v1"}`
	for version, item := range map[string]string{
		"v1beta1": `{` + object + `,"metricName":"requests_per_second","timestamp":"2026-07-01T12:00:00Z","window":60,"value":"12","selector":null}`,
		"v1beta2": `{` + object + `,"metric":{"name":"requests_per_second","selector":null},"timestamp":"2026-07-01T12:00:00Z","windowSeconds":60,"value":"12"}`,
	} {
		_, got := get(t, server.URL+"/apis/custom.metrics.k8s.io/"+version+"/namespaces/default/revisions.serving.knative.dev/*/requests_per_second")
		want := `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/` + version + `","metadata":{},"items":[` + item + `]}`
		if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
}

// An instant has no window at all, rather than a window of 0 s.
func TestRead_instant_has_no_window(t *testing.T) {
	server := serve(t, twoModels())
	_, got := get(t, server.URL+v1beta2Root+"/namespaces/default/pods/llama-a/kv_cache_usage_percent")
	if strings.Contains(got, "windowSeconds") {
		t.Errorf("got %s, want no windowSeconds", got)
	}
}

func TestList_names_every_metric_with_values(t *testing.T) {
	server := serve(t, twoModels())
	want := []string{
		"pods/concurrency", "pods/num_requests_waiting", "pods/kv_cache_usage_percent",
		"revisions.serving.knative.dev/requests_per_second",
		"services.serving.knative.dev/generation_tokens_per_second",
	}
	for _, version := range versions() {
		_, body := get(t, server.URL+"/apis/custom.metrics.k8s.io/"+version)
		var list struct {
			GroupVersion string
			Resources    []struct {
				Name       string
				Namespaced bool
			}
		}
		decode(t, body, &list)
		var got []string
		for _, r := range list.Resources {
			got = append(got, r.Name)
			if !r.Namespaced {
				t.Errorf("%s: not namespaced", r.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", version, list.GroupVersion, diff)
		}
	}
}

func TestList_is_empty_without_values(t *testing.T) {
	server := serve(t, fakeView{})
	code, body := get(t, server.URL+v1beta2Root)
	if want := `"resources":[]`; code != 200 || !strings.Contains(body, want) {
		t.Errorf("got %d %s, want 200 with %s", code, body, want)
	}
}

// kube-apiserver asks for aggregated discovery first; an empty answer would hide the API.
func TestDiscovery_aggregated(t *testing.T) {
	server := serve(t, fakeView{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/apis", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Versions []struct {
				Version   string
				Resources []struct {
					Resource     string
					Subresources []struct{ Subresource string }
				}
			}
		}
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, string(body), &list)
	if len(list.Items) != 1 || list.Items[0].Metadata.Name != GroupName || len(list.Items[0].Versions) != 2 {
		t.Fatalf("got %s, want one group with two versions", body)
	}
	for i, version := range versions() {
		got := list.Items[0].Versions[i]
		if got.Version != version || len(got.Resources) != len(resources()) || len(got.Resources[0].Subresources) != len(Metrics()) {
			t.Errorf("version %d: got %+v, want %s with %d resources of %d metrics", i, got, version, len(resources()), len(Metrics()))
		}
	}
}

func TestDiscovery_prefers_v1beta2(t *testing.T) {
	server := serve(t, fakeView{})
	_, body := get(t, server.URL+"/apis")
	if want := `"preferredVersion":{"groupVersion":"custom.metrics.k8s.io/v1beta2","version":"v1beta2"}`; !strings.Contains(body, want) {
		t.Errorf("got %s, want %s", body, want)
	}
}

func get(tb testing.TB, url string) (code int, body string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func decode(tb testing.TB, body string, into any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
}

// items shortens a list of either version to "Kind namespace/name=value".
func items(tb testing.TB, body string) []string {
	tb.Helper()
	var list struct {
		Items []struct {
			DescribedObject struct{ Kind, Namespace, Name string }
			Value           string
		}
	}
	decode(tb, body, &list)
	var short []string
	for _, i := range list.Items {
		short = append(short, i.DescribedObject.Kind+" "+i.DescribedObject.Namespace+"/"+i.DescribedObject.Name+"="+i.Value)
	}
	slices.Sort(short)
	return short
}

// kube-apiserver merges these; a server without them fills its log with errors.
func TestOpenAPI_is_served(t *testing.T) {
	server := serve(t, fakeView{})
	for _, path := range []string{"/openapi/v2", "/openapi/v3/apis/custom.metrics.k8s.io/v1beta1", "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2"} {
		code, body := get(t, server.URL+path)
		if code != http.StatusOK || !strings.Contains(body, "MetricValueList") {
			t.Errorf("%s: %d, %d bytes; want a schema of MetricValueList", path, code, len(body))
		}
	}
}
