package collector

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var rev = Revision{"default", "llm-00001"}

// fakePods is the network of pods: a RoundTripper that never leaves the test.
type fakePods struct {
	mu   sync.Mutex
	pods map[string]*fakePod
	// asked counts requests by host:port.
	asked map[string]int
	times map[string][]time.Time
}

// fakePod is one pod's two pages.
type fakePod struct {
	stat asmetrics.Stat
	// statPage answers instead of stat when it is not nil; enginePage is the engine's body.
	statPage   func(*http.Request) (*http.Response, error)
	enginePage func(*http.Request) (*http.Response, error)
}

func newFakePods() *fakePods {
	return &fakePods{pods: map[string]*fakePod{}, asked: map[string]int{}, times: map[string][]time.Time{}}
}

// set replaces one pod's pages.
func (f *fakePods) set(ip string, change func(*fakePod)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &fakePod{}
	if old := f.pods[ip]; old != nil {
		*p = *old
	}
	change(p)
	f.pods[ip] = p
}

func (f *fakePods) load(ip string, concurrency, rps float64) {
	f.set(ip, func(p *fakePod) {
		p.stat.AverageConcurrentRequests, p.stat.RequestCount, p.statPage = concurrency, rps, nil
	})
}

func (f *fakePods) engine(ip string, running, waiting, kv float64) {
	f.enginePage(ip, vllmPage(running, waiting, kv, 100, 200))
}

func (f *fakePods) enginePage(ip, page string) {
	f.set(ip, func(p *fakePod) {
		p.enginePage = func(*http.Request) (*http.Response, error) { return ok("text/plain", page), nil }
	})
}

func vllmPage(running, waiting, kv, prompt, generation float64) string {
	return fmt.Sprintf("vllm:num_requests_running{engine=\"0\"} %v\nvllm:num_requests_waiting{engine=\"0\"} %v\n"+
		"vllm:kv_cache_usage_perc{engine=\"0\"} %v\nvllm:prompt_tokens_total{engine=\"0\"} %v\nvllm:generation_tokens_total{engine=\"0\"} %v\n",
		running, waiting, kv, prompt, generation)
}

func ok(kind, body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}
}

func status(code int) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		r := ok("text/plain", "")
		r.StatusCode = code
		return r, nil
	}
}

// hang answers only when the request is given up.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (f *fakePods) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.asked[r.URL.Host]++
	f.times[r.URL.Host] = append(f.times[r.URL.Host], time.Now())
	p := f.pods[r.URL.Hostname()]
	f.mu.Unlock()
	switch {
	case p == nil:
		return nil, fmt.Errorf("no pod at %s", r.URL.Host)
	case r.URL.Port() == "9090" && p.statPage != nil:
		return p.statPage(r)
	case r.URL.Port() == "9090":
		b, err := p.stat.Marshal()
		return ok("application/protobuf", string(b)), err
	case p.enginePage == nil:
		return status(http.StatusNotFound)(r)
	default:
		return p.enginePage(r)
	}
}

func (f *fakePods) count(host string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[host]
}

// world is a running collector with its pods, inside a synctest bubble.
type world struct {
	*Collector
	*fakePods
	t        *testing.T
	registry *prometheus.Registry
	mu       sync.Mutex
	notified int
}

// newWorld watches rev with an engine page on port 8000.
func newWorld(t *testing.T, pods ...Pod) *world {
	t.Helper()
	return newWorldWith(t, Options{}, pods...)
}

// newWorldWith is newWorld with options of the collector.
func newWorldWith(t *testing.T, o Options, pods ...Pod) *world {
	t.Helper()
	w := &world{fakePods: newFakePods(), t: t, registry: prometheus.NewRegistry()}
	o.Transport, o.Registerer = w.fakePods, w.registry
	w.Collector = New(o)
	w.Notify(func(Revision) { w.mu.Lock(); w.notified++; w.mu.Unlock() })
	w.Watch(Target{Revision: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	w.SetPods(rev, pods)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *world) notifications() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notified
}

func (w *world) observe() decider.Observation {
	w.t.Helper()
	o, ok := w.Observe(rev)
	if !ok {
		w.t.Fatal("revision is not watched")
	}
	return o
}

func (w *world) pod(name string) decider.Pod {
	w.t.Helper()
	for _, p := range w.observe().Pods {
		if p.Name == name {
			return p
		}
	}
	w.t.Fatalf("no pod %s", name)
	return decider.Pod{}
}

func (w *world) scrapes(source, result string) float64 {
	return testutil.ToFloat64(w.Collector.metrics.scrapes.WithLabelValues(source, result))
}

// ready returns n Ready pods p1.. with IPs 10.0.0.1.., each with an idle engine.
func ready(n int) []Pod {
	pods := make([]Pod, n)
	for i := range pods {
		pods[i] = Pod{Name: fmt.Sprintf("p%d", i+1), UID: fmt.Sprintf("uid-%d", i+1), IP: fmt.Sprintf("10.0.0.%d", i+1), Ready: true, Created: time.Now()}
	}
	return pods
}
