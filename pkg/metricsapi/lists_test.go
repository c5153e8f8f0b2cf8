package metricsapi

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// libraryOnly has fastLists decline: it asks for one more parameter, which the library ignores.
const libraryOnly = "pretty=false"

// hostileView has names and values at the edges of what is encoded.
func hostileView() fakeView {
	v := twoModels()
	v[Pods()] = append(v[Pods()],
		Object{Namespace: "default", Name: `a"\<&>` + "\u2028é\x01", Labels: map[string]string{"serving.knative.dev/revision": "llama-00001"},
			Samples: []Sample{{Metric: "concurrency", Value: 1e-3, Window: time.Millisecond}}},
		pod("default", "big", "r", sample("concurrency", 1e300, 36*time.Hour)), pod("default", "large", "r", sample("concurrency", 1<<53, 0)),
		pod("default", "kilo", "r", sample("concurrency", 12000, 1500*time.Millisecond)), pod("default", "tiny", "r", sample("concurrency", 1e-9, 0)),
		pod("default", "inf", "r", sample("concurrency", math.Inf(1), 0)), pod("default", "negative", "r", sample("concurrency", -1, 0)),
		pod("default", "nan", "r", sample("concurrency", math.NaN(), 0)))
	return v
}

// What fastLists answers is byte for byte what the library does.
func TestFastLists_answerAsTheLibrary(t *testing.T) {
	handler, err := OpenHandler(hostileView())
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range versions() {
		for _, path := range []string{
			"/namespaces/default/pods/*/concurrency", "/namespaces/default/pods/*/kv_cache_usage_percent", "/namespaces/none/pods/*/concurrency",
			"/namespaces/default/pods/*/concurrency?labelSelector=serving.knative.dev%2Frevision%3Dllama-00001",
			"/namespaces/default/pods/*/concurrency?labelSelector=serving.knative.dev%2Frevision%20in%20(r,q)", "/pods/*/concurrency",
			"/namespaces/default/revisions.serving.knative.dev/*/requests_per_second", "/namespaces/default/services.serving.knative.dev/*/generation_tokens_per_second",
			"/namespaces/default/pods/*/concurrency?labelSelector=!!", "/namespaces/default/pods/*/unknown_metric", "/namespaces/default/widgets/*/concurrency",
		} {
			url := "/apis/" + GroupName + "/" + version + path
			fast, slow := ask(t, handler, url), ask(t, handler, with(url, libraryOnly))
			if fast.code != slow.code || fast.body != slow.body || fast.kind != slow.kind {
				t.Errorf("%s:\n fast    %d %s %q\n library %d %s %q", url, fast.code, fast.kind, fast.body, slow.code, slow.kind, slow.body)
			}
		}
	}
}

// The short chain's headers are those of the library's chain.
func TestShortChain_headers(t *testing.T) {
	handler, err := OpenHandler(twoModels())
	if err != nil {
		t.Fatal(err)
	}
	url := v1beta2Root + "/namespaces/default/pods/*/concurrency"
	headers := func(url string) http.Header {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		r.Header.Set("Audit-ID", "given")
		handler.ServeHTTP(w, r)
		w.Header().Del("Content-Length") // the library's answer is as long, and chunked
		return w.Header()
	}
	if diff := cmp.Diff(headers(with(url, libraryOnly)), headers(url)); diff != "" {
		t.Errorf("headers (-library +short):\n%s", diff)
	}
}

// Other encodings, other parameters and long lists are the library's.
func TestFastQuery_leavesTheRest(t *testing.T) {
	list := v1beta2Root + "/namespaces/default/pods/*/concurrency"
	for _, tt := range []struct {
		url, accept string
		want        bool
	}{
		{list, "", true}, {list, "*/*", true}, {list, "application/json, */*", true},
		{list, "application/vnd.kubernetes.protobuf,application/json", false}, {list, "application/yaml", false},
		{list, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", false},
		{list + "?labelSelector=a%3Db", "", true}, {list + "?labelSelector=a%3Db&limit=5", "", false}, {list + "?metricLabelSelector=a", "", false},
		{v1beta2Root + "/namespaces/default/pods/llama-a/concurrency", "", false}, {v1beta2Root, "", false},
		{v1beta2Root + "/namespaces/default/pods/*/none", "", false}, {"/apis/" + GroupName + "/v1/namespaces/default/pods/*/concurrency", "", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, nil)
		r.Header.Set("Accept", tt.accept)
		if tt.accept == "" {
			r.Header.Del("Accept")
		}
		if _, ok := parsed(withInfo(t, r)); ok != tt.want {
			t.Errorf("%s (Accept %q): fast %v, want %v", tt.url, tt.accept, ok, tt.want)
		}
	}
}

type reply struct {
	code       int
	kind, body string
}

func ask(t *testing.T, h http.Handler, url string) reply {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, url, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{w.Code, w.Header().Get("Content-Type"), string(body)}
}

func with(url, parameter string) string {
	for _, c := range url {
		if c == '?' {
			return url + "&" + parameter
		}
	}
	return url + "?" + parameter
}

// withInfo gives a request what the handler chain knows of it.
func withInfo(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	l, err := newLatency(nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := l.info.NewRequestInfo(r)
	if err != nil {
		t.Fatal(err)
	}
	return r.WithContext(request.WithRequestInfo(r.Context(), info))
}
