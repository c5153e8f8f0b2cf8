package playground

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// One server answers as all pods: by address and port for the collector, by name for people.
func TestPages(t *testing.T) {
	w := lockedWorld(t)
	one := page{decider.Pod{Running: 3, Waiting: 2, KVCache: 10}, asmetrics.Stat{PodName: "a", AverageConcurrentRequests: 5}}
	w.pages = pages{byIP: map[string]page{"10.42.0.1": one}, byName: map[string]page{"a": one}}
	stat, err := one.stat.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, pod, kind, want string
		code                  int
	}{
		{"10.42.0.1:8000", "", "text/plain; version=0.0.4", "vllm:num_requests_running{engine=\"0\",model_name=\"playground\"} 3\n", 200},
		{"10.42.0.1:9090", "", "application/protobuf", string(stat), 200},
		{"10.42.0.2:8000", "", "text/plain; charset=utf-8", "no Ready pod has this address", 404},
		{"10.42.0.1", "", "text/plain; charset=utf-8", "no pod and port in the Host header", 404},
		{"", "a", "text/plain; version=0.0.4", "vllm:num_requests_waiting{", 200},
		{"", "b", "text/plain; charset=utf-8", "no Ready pod of this name; / lists them", 404},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
		answer := httptest.NewRecorder()
		if c.pod != "" {
			r.SetPathValue("pod", c.pod)
			w.servePage(answer, r)
		} else {
			r.Host = c.host
			w.servePod(answer, r)
		}
		if kind := answer.Header().Get("Content-Type"); answer.Code != c.code || kind != c.kind || !strings.Contains(answer.Body.String(), c.want) {
			t.Errorf("%s%s: %d, %s, %q; want %d, %s, %q", c.host, c.pod, answer.Code, kind, answer.Body, c.code, c.kind, c.want)
		}
	}
}
