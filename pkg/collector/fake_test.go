package collector

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

var rev = Key{Namespace: "default", Name: "llm-00001"}

// fakePods is the network of pods, which never leaves the test: connections are pipes.
type fakePods struct {
	mu   sync.Mutex
	pods map[string]*fakePod
	// asked counts requests by host:port.
	asked map[string]int
	times map[string][]time.Time
	// serving are the connections that have not ended.
	serving sync.WaitGroup
}

// fakePod is one pod's two pages.
type fakePod struct {
	stat asmetrics.Stat
	// statPage answers instead of stat when it is not nil; enginePage is the engine's body.
	statPage   func(*http.Request) (*http.Response, error)
	enginePage func(*http.Request) (*http.Response, error)
	// speak, when it is not nil, is the other end of the connections to the engine's port.
	speak func(net.Conn)
	// poisoned makes what is read of its engine a panic.
	poisoned bool
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

// pod counts a request to an address and returns the pod there, nil without one.
func (f *fakePods) pod(address string) *fakePod {
	f.mu.Lock()
	defer f.mu.Unlock()
	host, _, _ := net.SplitHostPort(address)
	f.asked[address]++
	f.times[address] = append(f.times[address], time.Now())
	return f.pods[host]
}

func (f *fakePods) dial(_ context.Context, _, address string) (net.Conn, error) {
	f.mu.Lock()
	host, port, _ := net.SplitHostPort(address)
	there := f.pods[host] != nil
	var speak func(net.Conn)
	if there && port != "9090" {
		speak = f.pods[host].speak
	}
	f.mu.Unlock()
	if !there {
		f.pod(address)
		return nil, fmt.Errorf("no pod at %s", address)
	}
	ours, theirs := net.Pipe()
	if speak != nil {
		f.pod(address)
		f.serving.Go(func() { defer theirs.Close(); speak(theirs) })
		return ours, nil
	}
	f.serving.Go(func() {
		serve(theirs, func(r *http.Request) (*http.Response, error) {
			p := f.pod(r.Host)
			if p == nil {
				return nil, errors.New("the pod has gone")
			}
			return p.answer(r)
		})
	})
	return poisonable{ours, f, host, port}, nil
}

// poisonable panics when a poisoned engine is read from.
type poisonable struct {
	net.Conn
	f          *fakePods
	host, port string
}

func (c poisonable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if p := c.f.pods[c.host]; p != nil && p.poisoned && c.port != "9090" {
		panic("poisoned")
	}
	return n, err
}

// serve answers the requests of a connection until an answer is an error. The context
// of a request ends when the client closes the connection.
func serve(c net.Conn, answer func(*http.Request) (*http.Response, error)) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		next := make(chan struct{})
		go func() { _, _ = in.Peek(1); cancel(); close(next) }()
		r.URL.Host = r.Host
		if !reply(c, r.WithContext(ctx), answer) {
			return
		}
		<-next
	}
}

// reply writes the answer to one request, in chunks.
func reply(c net.Conn, r *http.Request, answer func(*http.Request) (*http.Response, error)) bool {
	res, err := answer(r)
	if err != nil {
		return false
	}
	res.ProtoMajor, res.ProtoMinor, res.TransferEncoding = 1, 1, []string{"chunked"}
	out := bufio.NewWriterSize(c, 64<<10)
	return res.Write(out) == nil && out.Flush() == nil
}

func (p *fakePod) answer(r *http.Request) (*http.Response, error) {
	switch {
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
	o.Dial, o.Registerer = w.fakePods.dial, w.registry
	o.EngineInterval = cmp.Or(o.EngineInterval, 500*time.Millisecond) // as often as the queue-proxies
	w.Collector = New(o)
	w.Notify(func(Key, bool) { w.mu.Lock(); w.notified++; w.mu.Unlock() })
	w.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	w.SetPods(rev, pods)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done; w.serving.Wait() })
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
