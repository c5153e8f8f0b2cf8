package collector

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

const (
	ttftOfVLLM = "vllm:time_to_first_token_seconds_bucket{le=\"1\"} 3\nvllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 3\nvllm:time_to_first_token_seconds_count 3\nvllm:time_to_first_token_seconds_sum 1\n"
	gapsOfVLLM = "vllm:inter_token_latency_seconds_bucket{le=\"1\"} 3\nvllm:inter_token_latency_seconds_bucket{le=\"+Inf\"} 3\nvllm:inter_token_latency_seconds_count 3\nvllm:inter_token_latency_seconds_sum 1\n"
)

// Endpoint says which engine was found where, in how many pods, and what its page lacks.
func TestEndpoint(t *testing.T) {
	all := vllmPage(1, 0, 0.5, 100, 200) + ttftOfVLLM + gapsOfVLLM
	moved := func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/metrics/" {
			return ok("text/plain", all), nil
		}
		return redirectTo("/metrics/"), nil
	}
	answer := func(body string) func(*http.Request) (*http.Response, error) { return page(body) }
	for _, tt := range []struct {
		name  string
		pages []func(*http.Request) (*http.Response, error)
		want  Endpoint
	}{
		{"all of it", []func(*http.Request) (*http.Response, error){answer(all), answer(all)}, Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics", Readable: 2, Ready: 2}},
		{"one pod of two", []func(*http.Request) (*http.Response, error){status(404), answer(all)}, Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics", Readable: 1, Ready: 2}},
		{"after a redirect", []func(*http.Request) (*http.Response, error){moved}, Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics/", Readable: 1, Ready: 1}},
		{"none", []func(*http.Request) (*http.Response, error){status(404)}, Endpoint{Port: 8000, Ready: 1}},
		{"histograms that may come", []func(*http.Request) (*http.Response, error){answer(vllmPage(0, 0, 0, 0, 0))}, Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics", Readable: 1, Ready: 1}},
		{"histograms that did not come", []func(*http.Request) (*http.Response, error){answer(vllmPage(0, 0, 0, 10, 20))},
			Endpoint{Engine: "vllm", Port: 8000, URI: "/metrics", Readable: 1, Ready: 1, Lacks: []decider.Metric{decider.TTFTP95, decider.ITLP95}}},
		{"an engine without most", []func(*http.Request) (*http.Response, error){answer("llamacpp:requests_processing 4\nllamacpp:requests_deferred 22\n")},
			Endpoint{Engine: "llama.cpp", Port: 8000, URI: "/metrics", Readable: 1, Ready: 1,
				Lacks: []decider.Metric{decider.KVCache, decider.PromptTokens, decider.GenerationTokens, decider.TTFTP95, decider.ITLP95}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pods := ready(len(tt.pages))
				w := newWorld(t, pods...)
				for i, p := range tt.pages {
					w.set(pods[i].IP, func(f *fakePod) { f.enginePage = p })
				}
				after(5 * time.Second)
				if diff := cmp.Diff(tt.want, w.Endpoint(rev), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("Endpoint (-want +got):\n%s", diff)
				}
			})
		})
	}
	if got := New(Options{}).Endpoint(rev); got.Ready != 0 || got.Port != 0 {
		t.Errorf("of a revision that is not watched: %+v", got)
	}
}

func redirectTo(location string) *http.Response {
	r := ok("text/plain", "")
	r.StatusCode = http.StatusTemporaryRedirect
	r.Header.Set("Location", location)
	return r
}
