package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// otherPaths lists the routes for requests that are not for inference as "name: hosts -> revisions".
func otherPaths(t *testing.T, p Plan) (out []string) {
	t.Helper()
	for _, o := range p.Objects {
		if o.GetKind() != "HTTPRoute" || !strings.Contains(o.GetName(), "-knative") {
			continue
		}
		var route gatewayv1.HTTPRoute
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &route); err != nil {
			t.Fatal(err)
		}
		line := route.Name + ":"
		for _, h := range route.Spec.Hostnames {
			line += " " + string(h)
		}
		line += " ->"
		for _, ref := range route.Spec.Rules[0].BackendRefs {
			line += " " + string(ref.Name)
		}
		out = append(out, line)
	}
	return out
}

// Requests that are not for inference go to the revisions by Knative's own way, where it
// is known whose they are.
func TestOtherPaths(t *testing.T) {
	const whole = "qwen-knative: qwen.default.example.com -> qwen-00001"
	split := func(w *World) { w.Main.Splits = []Split{{"qwen-00001", 10}, {"qwen-00002", 90}} }
	for _, tc := range []struct {
		name   string
		pairs  []string
		change func(*World)
		want   []string
	}{
		{"by default", nil, nil, []string{whole}},
		{"not wanted", []string{"other-paths", "none"}, nil, nil},
		{"only some models", []string{"model", "a"}, nil, nil},
		{"only with a header", []string{"match-headers", "x=y"}, nil, nil},
		{"a split", nil, split, []string{"qwen-knative: qwen.default.example.com -> qwen-00002 qwen-00001"}},
		{"a split on a gateway without filters of a backend", []string{"provider", "gke"}, split, []string{"qwen-knative: qwen.default.example.com -> qwen-00002"}},
		{"no traffic", nil, func(w *World) { w.Main.Splits = nil }, nil},
		{"no Gateway", nil, func(w *World) { w.Gateway = Gateway{} }, nil},
		{"a host of another, too", []string{"hostnames", "llm.default.example.com"}, func(w *World) {
			w.Neighbours = neighbourOf("default", "llama", "hostnames: llm.default.example.com\nmodel: llama", 0)
		}, []string{whole}},
		{"a tag with a pool of its own", []string{"pool-mode", "revision"}, func(w *World) {
			w.Tags = []Traffic{{Tag: "next", Hosts: []string{"next-qwen.default.example.com"}, Splits: []Split{{"qwen-00002", 100}}}}
		}, []string{whole, "qwen-knative-tag-next: next-qwen.default.example.com -> qwen-00002"}},
	} {
		w := usual()
		if tc.change != nil {
			tc.change(&w)
		}
		if diff := cmp.Diff(tc.want, otherPaths(t, Build(asking(t, "qwen", tc.pairs...), w))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// Requests of a negative priority are shed, or wait as others do, and the pool says that they
// wake nobody.
func TestNegativePriority(t *testing.T) {
	for _, tc := range []struct {
		name       string
		pairs      []string
		shed, says bool
	}{
		{"none", nil, false, false},
		{"shed", []string{"objectives", "batch=-10"}, true, false},
		{"wait", []string{"objectives", "batch=-10", "negative-priority", "wait"}, false, true},
	} {
		shed, says := false, false
		for _, o := range Build(asking(t, "qwen", tc.pairs...), usual()).Objects {
			switch o.GetKind() {
			case "ConfigMap":
				shed = strings.Contains(o.Object["data"].(fields)["config.yaml"].(string), "priority: -10")
			case poolKind:
				says = o.GetAnnotations()["knative-inference.dev/negative-priority"] == "wait"
			}
		}
		if shed != tc.shed || says != tc.says {
			t.Errorf("%s: shed %v, the pool says so %v; want %v, %v", tc.name, shed, says, tc.shed, tc.says)
		}
	}
}

// A request waits in the picker for as long as was asked, and less than the gateway gives it.
func TestHold(t *testing.T) {
	for _, tc := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"by default", nil, "10m0s"},
		{"asked", []string{"queue-ttl", "30s"}, "30s"},
		{"longer than Istio waits for a picker", []string{"queue-ttl", "1h"}, "16m39s"},
		{"another gateway", []string{"queue-ttl", "1h", "provider", "agentgateway"}, "1h0m0s"},
		{"longer than the route's timeout", []string{"request-timeout", "2m"}, "1m59s"},
		{"a route's timeout that leaves nothing", []string{"request-timeout", "500ms"}, "1s"},
		{"a shared pool, whose members may have other gateways", []string{"pool", "shared", "queue-ttl", "1h"}, "1h0m0s"},
	} {
		held := ""
		for _, o := range Build(asking(t, "qwen", tc.pairs...), usual()).Objects {
			if o.GetKind() == "ConfigMap" {
				_, after, _ := strings.Cut(o.Object["data"].(fields)["config.yaml"].(string), "defaultRequestTTL: ")
				held, _, _ = strings.Cut(after, "\n")
			}
		}
		if held != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, held, tc.want)
		}
	}
}
