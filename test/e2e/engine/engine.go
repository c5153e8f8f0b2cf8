package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"
)

// page is what /metrics says. A nil number is measured.
type page struct {
	// Mode is ok, garbage (200 with bytes that are no metrics), hang (never
	// answers), slow (answers after 0.9 s), huge (3 MiB of unknown series), or
	// well formed with a wrong number of waiting requests: absurd (1e12),
	// believable (99,999), nan, negative.
	Mode string `json:"mode"`
	// Running and Waiting are requests; KV is the cache's use, 0 to 1.
	Running *float64 `json:"running"`
	Waiting *float64 `json:"waiting"`
	KV      *float64 `json:"kv"`
	// PromptRate and GenerationRate are tokens per second that the counters grow by.
	PromptRate     float64 `json:"promptRate"`
	GenerationRate float64 `json:"generationRate"`
	// Token is the bearer token that the page asks for; the one of before where it is empty.
	Token string `json:"token"`
}

// engine is safe for concurrent use.
type engine struct {
	token time.Duration
	slots chan struct{} // one for each request that runs at a time; nil is no limit
	ready time.Time     // zero: never
	// triton gives the page Triton\'s names in place of vLLM\'s.
	triton bool

	mu                 sync.Mutex
	page               page
	running, waiting   int
	begun              int       // requests that got a slot, ever
	prompt, generation float64   // counters up to since
	since              time.Time // when the rates last changed
}

func newEngine(token, startup time.Duration, seqs int) *engine {
	e := &engine{token: token, since: time.Now(), page: page{Mode: "ok"}}
	if seqs > 0 {
		e.slots = make(chan struct{}, seqs)
	}
	if startup >= 0 {
		e.ready = time.Now().Add(startup)
	}
	return e
}

func (e *engine) health(w http.ResponseWriter, _ *http.Request) {
	if e.ready.IsZero() || time.Now().Before(e.ready) {
		http.Error(w, "starting", http.StatusServiceUnavailable)
	}
}

// admit waits for a slot, first come first served, and gives the request's place
// in the order of all. It reports false when the client left before.
func (e *engine) admit(ctx context.Context) (place int, ok bool) {
	e.count(0, 1)
	if e.slots != nil {
		select {
		case e.slots <- struct{}{}:
		case <-ctx.Done():
			e.count(0, -1)
			return 0, false
		}
	}
	return e.count(1, -1), true
}

func (e *engine) release() {
	e.count(-1, 0)
	if e.slots != nil {
		<-e.slots
	}
}

func (e *engine) count(running, waiting int) (begun int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running += running
	e.waiting += waiting
	if running > 0 {
		e.begun++
	}
	return e.begun
}

// set replaces the page; counters never fall.
func (e *engine) set(w http.ResponseWriter, r *http.Request) {
	next := page{Mode: "ok"}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&next); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.prompt, e.generation = e.counters(time.Now())
	e.since = time.Now()
	next.Token = cmp.Or(next.Token, e.page.Token)
	e.page = next
}

// counters must be called with the lock held.
func (e *engine) counters(now time.Time) (prompt, generation float64) {
	s := now.Sub(e.since).Seconds()
	return e.prompt + s*e.page.PromptRate, e.generation + s*e.page.GenerationRate
}

func (e *engine) metrics(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	p := e.page
	running, waiting := or(p.Running, float64(e.running)), or(p.Waiting, float64(e.waiting))
	prompt, generation := e.counters(time.Now())
	e.mu.Unlock()
	if p.Token != "" && r.Header.Get("Authorization") != "Bearer "+p.Token {
		http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		return
	}
	switch p.Mode {
	case "garbage":
		fmt.Fprint(w, "\x00\x01<html>vllm:num_requests_running{ nonsense 12 12 12\n\xff\xfe")
		return
	case "hang":
		<-r.Context().Done()
		return
	case "slow":
		time.Sleep(900 * time.Millisecond)
	case "huge":
		for i := range 100_000 {
			fmt.Fprintf(w, "padding_%d{of=\"a huge page\"} 1\n", i)
		}
	case "absurd":
		waiting = 1e12
	case "believable":
		waiting = 99_999
	case "nan":
		waiting = math.NaN()
	case "negative":
		waiting = -7
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	if e.triton {
		tritonPage(w, running, waiting)
		return
	}
	for _, f := range []struct {
		name, kind string
		value      float64
	}{
		{"num_requests_running", "gauge", running},
		{"num_requests_waiting", "gauge", waiting},
		{"kv_cache_usage_perc", "gauge", or(p.KV, 0)},
		{"prompt_tokens_total", "counter", prompt},
		{"generation_tokens_total", "counter", generation},
	} {
		fmt.Fprintf(w, "# TYPE vllm:%s %s\nvllm:%s{engine=\"0\",model_name=\"stand-in\"} %g\n", f.name, f.kind, f.name, f.value)
	}
}

// tritonPage has the names of Triton's own metrics, for any backend.
func tritonPage(w io.Writer, running, waiting float64) {
	for name, value := range map[string]float64{"nv_inference_pending_request_count": waiting, "nv_inference_exec_count": running} {
		fmt.Fprintf(w, "# TYPE %s gauge\n%s{model=\"resnet\",version=\"1\"} %g\n", name, name, value)
	}
}

func or(v *float64, measured float64) float64 {
	if v == nil {
		return measured
	}
	return *v
}
