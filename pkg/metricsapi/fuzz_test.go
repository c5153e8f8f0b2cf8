package metricsapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// FuzzRequest sends raw paths and selectors through the API server's whole handler
// chain: a client gets an answer or a refusal, never a failure of the server.
func FuzzRequest(f *testing.F) {
	l, err := newLatency(nil)
	if err != nil {
		f.Fatal(err)
	}
	api, err := newAPIServer(twoModels(), allowAll(), l.observe, withRecording(nil))
	if err != nil {
		f.Fatal(err)
	}
	api.PrepareRun()
	const root = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
	f.Add(root+"default/pods/*/concurrency", "app=qwen", "")
	f.Add(root+"default/revisions.serving.knative.dev/qwen-00001/slo", "", "a in (b,c)")
	f.Add(root+"%2e%2e/pods//", "!x,==", "\x00")
	f.Add(root+"default/pods./x/rps", "", "") // found by fuzzing: no such label of our latency
	f.Add("/apis/custom.metrics.k8s.io/v1beta1/namespaces/default/metrics/rps", "a notin ()", "a=b=c")
	f.Fuzz(func(t *testing.T, path, selector, metricSelector string) {
		query := url.Values{"labelSelector": {selector}, "metricLabelSelector": {metricSelector}}
		request := &http.Request{
			Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "api", Path: "/" + path, RawQuery: query.Encode()},
			Host: "api", Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "192.0.2.1:1",
		}
		answer := httptest.NewRecorder()
		api.Handler.ServeHTTP(answer, request.WithContext(t.Context()))
		if answer.Code >= http.StatusInternalServerError {
			t.Fatalf("GET %q ? %q: status %d: %.200s", path, query.Encode(), answer.Code, answer.Body)
		}
	})
}
