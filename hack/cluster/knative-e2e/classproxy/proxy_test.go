package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

const services = "/apis/serving.knative.dev/v1/namespaces/n/services"

func TestProxy_writesTheClass(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, body, want string
		w                              writer
	}{
		{"a Service without annotations", "POST", services, `{"spec":{"template":{"spec":{}}}}`,
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/class":"ours"}},"spec":{}}}}`, writer{class: "ours"}},
		{"a metric where none is named", "PUT", services + "/a", `{"spec":{"template":{}}}`,
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/class":"ours","autoscaling.knative.dev/metric":"concurrency"}}}}}`, writer{"ours", "concurrency"}},
		{"a metric that is named stays, a class does not", "POST", services,
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/class":"kpa","autoscaling.knative.dev/metric":"rps","x":"y"}}}}}`,
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/class":"ours","autoscaling.knative.dev/metric":"rps","x":"y"}}}}}`, writer{"ours", "concurrency"}},
		{"no class: nothing changes", "POST", services, `{"spec":{"template":{}}}`, `{"spec":{"template":{}}}`, writer{}},
		{"a Route has no template", "POST", "/apis/serving.knative.dev/v1/namespaces/n/routes", `{"spec":{"traffic":[]}}`, `{"spec":{"traffic":[]}}`, writer{class: "ours"}},
		{"a patch", "PATCH", services + "/a", `{"spec":{"template":{}}}`, `{"spec":{"template":{}}}`, writer{class: "ours"}},
		{"another API", "POST", "/apis/apps/v1/namespaces/n/deployments", `{"spec":{"template":{}}}`, `{"spec":{"template":{}}}`, writer{class: "ours"}},
		{"not an object", "POST", services, `[1]`, `[1]`, writer{class: "ours"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.URL.Path + " " + string(b)
			}))
			defer api.Close()
			h, err := newProxy(&rest.Config{Host: api.URL}, tt.w)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(httptest.NewRecorder(), r)
			line, body, _ := strings.Cut(got, "{")
			if !strings.HasPrefix(got, tt.method+" "+tt.path) || !sameJSON("{"+body, tt.want) && tt.body != "[1]" {
				t.Errorf("the API server got %s{%s\nwant %s", line, body, tt.want)
			}
		})
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// The program's kubeconfig leads through the proxy, and its exit status comes back.
func TestRun_programTalksThroughTheProxy(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer api.Close()
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	config := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(config, []byte(plainKubeconfig(strings.TrimPrefix(api.URL, "http://"))), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(config, "", writer{}, []string{"sh", "-c", `cp "$KUBECONFIG" "` + seen + `"; exit 3`})
	if err == nil || err.Error() != "exit status 3" {
		t.Errorf("error %v, want exit status 3", err)
	}
	if b, err := os.ReadFile(seen); err != nil || !strings.Contains(string(b), "http://127.0.0.1:") {
		t.Errorf("the program's kubeconfig: %s %v", b, err)
	}
}
