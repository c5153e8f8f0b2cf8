package metricsapi

import (
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
)

// fakeView holds objects by resource. It is never modified once served.
type fakeView map[schema.GroupResource][]Object

func (v fakeView) Get(resource schema.GroupResource, namespace, name string) (Object, bool) {
	for _, o := range v[resource] {
		if o.Namespace == namespace && o.Name == name {
			return o, true
		}
	}
	return Object{}, false
}

func (v fakeView) List(q Query) Listing {
	var objects []Object
	for _, o := range v[q.Resource] {
		if q.Namespace == "" || o.Namespace == q.Namespace {
			objects = append(objects, o)
		}
	}
	return Listing{Objects: objects, Until: time.Now().Add(time.Hour)}
}

// sampleTime is 0.6 s past a full second: the API's times have whole seconds.
func sampleTime() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 6e8, time.UTC) }

func pod(namespace, name, revision string, samples ...Sample) Object {
	return Object{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + name),
		Labels:  map[string]string{"serving.knative.dev/revision": revision},
		Samples: samples,
	}
}

func sample(metric string, value float64, window time.Duration) Sample {
	return Sample{Metric: metric, Value: value, Time: sampleTime(), Window: window}
}

// twoModels is a cluster with three pods of one model and one of another; the third
// pod's KV cache is unknown and the fourth one's value is broken.
func twoModels() fakeView {
	return fakeView{
		Pods(): {
			pod("default", "llama-a", "llama-00001", sample("kv_cache_usage_percent", 70.21349, 0), sample("concurrency", 3.5, time.Second)),
			pod("default", "llama-b", "llama-00001", sample("kv_cache_usage_percent", 0, 0), sample("concurrency", 1, time.Second)),
			pod("default", "llama-c", "llama-00001", sample("concurrency", 0, time.Second)),
			pod("other", "qwen-a", "qwen-00001", sample("kv_cache_usage_percent", math.NaN(), 0), sample("num_requests_waiting", 4, 0)),
		},
		Revisions(): {{
			Namespace: "default", Name: "llama-00001", UID: "uid-revision",
			Labels:  map[string]string{"serving.knative.dev/service": "llama"},
			Samples: []Sample{sample("requests_per_second", 12, time.Minute)},
		}},
		Services(): {{
			Namespace: "default", Name: "llama", UID: "uid-service",
			Samples: []Sample{sample("generation_tokens_per_second", 512.25, 6*time.Second)},
		}},
	}
}

// allowAll lets anyone in, as no request of a handler test carries a credential.
func allowAll() access {
	a := access{}
	a.authn.Authenticator = authenticator.WrapAudienceAgnosticRequest(nil, anonymous.NewAuthenticator(nil))
	a.authz.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	return a
}

// serve runs the real API server's handler chain over a view.
func serve(tb testing.TB, view View) *httptest.Server {
	tb.Helper()
	l, err := newLatency(nil)
	if err != nil {
		tb.Fatal(err)
	}
	api, err := newAPIServer(view, allowAll(), l.observe, withRecording(nil))
	if err != nil {
		tb.Fatal(err)
	}
	api.PrepareRun()
	server := httptest.NewServer(api.Handler)
	tb.Cleanup(server.Close)
	return server
}
