package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func ask(e *engine, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("X-Gateway-Destination-Endpoint", "10.0.0.1:8012")
	e.complete(w, r)
	return w
}

func TestStreamHasAnEventForEachToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ask(newEngine(time.Second, 0, 0), `{"max_tokens":3,"stream":true}`)
		if n := strings.Count(w.Body.String(), "data: "); n != 4 || !strings.HasSuffix(w.Body.String(), "data: [DONE]\n\n") {
			t.Errorf("got %q", w.Body)
		}
		if w.Header().Get(pickedHeader) != "10.0.0.1:8012" || w.Header().Get(podHeader) == "" {
			t.Errorf("headers %v", w.Header())
		}
	})
}

func TestRequestsBeyondTheSlotsWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(time.Second, 0, 1)
		var wg sync.WaitGroup
		var places [3]string
		for i := range places {
			wg.Go(func() { places[i] = ask(e, `{"max_tokens":2}`).Header().Get(placeHeader) })
			synctest.Wait()
		}
		if page := metricsOf(e); !strings.Contains(page, "num_requests_running{engine=\"0\",model_name=\"stand-in\"} 1\n") ||
			!strings.Contains(page, "num_requests_waiting{engine=\"0\",model_name=\"stand-in\"} 2\n") {
			t.Errorf("page %s", page)
		}
		wg.Wait()
		if places != [3]string{"1", "2", "3"} {
			t.Errorf("places %v", places)
		}
	})
}

func TestTritonPage(t *testing.T) {
	e := newEngine(time.Second, 0, 0)
	e.triton = true
	if page := metricsOf(e); !strings.Contains(page, "nv_inference_pending_request_count{") || strings.Contains(page, "vllm:") {
		t.Errorf("page %s", page)
	}
}

func TestPageAsksForItsToken(t *testing.T) {
	e := newEngine(time.Second, 0, 0)
	e.page.Token = "one"
	get := func(authorization string) int {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", authorization)
		e.metrics(w, r)
		return w.Code
	}
	set := func(body string) {
		e.set(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/set", strings.NewReader(body)))
	}
	if a, b, c := get(""), get("Bearer two"), get("Bearer one"); a != 401 || b != 401 || c != 200 {
		t.Errorf("status %d without a token, %d with another, %d with its own", a, b, c)
	}
	set(`{"mode":"ok"}`)
	if a := get(""); a != 401 {
		t.Errorf("status %d after its page was set without a token", a)
	}
	set(`{"mode":"ok","token":"two"}`)
	if a, b := get("Bearer one"), get("Bearer two"); a != 401 || b != 200 {
		t.Errorf("status %d with the old token, %d with the new one", a, b)
	}
}

func metricsOf(e *engine) string {
	w := httptest.NewRecorder()
	e.metrics(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}
