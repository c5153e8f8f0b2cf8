package collector

import (
	"math"
	"net"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	netstats "knative.dev/networking/pkg/http/stats"
	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/queue"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// The queue-proxy's own reporter is read as it answers over HTTP.
func TestDecodeRequests_fromKnativesReporter(t *testing.T) {
	reporter := queue.NewProtobufStatsReporter("p1", time.Second)
	server := httptest.NewServer(reporter)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(u.Host)
	n, _ := strconv.Atoi(port)
	c := New(Options{QueueProxyPort: n})
	c.Watch(Spec{Key: rev, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	c.SetPods(rev, []Pod{{Name: "p1", UID: "u1", IP: host, Ready: true}})
	p := c.revisions[rev].pods["u1"]

	scrapeOnce(c, p.targets[queueProxy])
	if !p.targets[queueProxy].known || p.requests != (requestSample{}) {
		t.Errorf("before the first report: known %v, %+v, want zeros", p.targets[queueProxy].known, p.requests)
	}
	reporter.Report(netstats.RequestStatsReport{AverageConcurrency: 3.5, AverageProxiedConcurrency: 1, RequestCount: 7, ProxiedRequestCount: 2})
	scrapeOnce(c, p.targets[queueProxy])
	if want := (requestSample{concurrency: 3.5, rps: 7}); p.requests != want {
		t.Errorf("report = %+v, want %+v", p.requests, want)
	}
	wantReading(t, "concurrency", mustObserve(t, c).Concurrency.Panic, 3.5)
}

func TestDecodeRequests_refusals(t *testing.T) {
	good := asmetrics.Stat{PodName: "p1", AverageConcurrentRequests: 1, RequestCount: 1}
	tests := []struct {
		name, kind, want string
		change           func(*asmetrics.Stat)
	}{
		{"good", "application/protobuf", "ok", func(*asmetrics.Stat) {}},
		{"parameters of the type", "application/protobuf; charset=utf-8", "ok", func(*asmetrics.Stat) {}},
		{"text", "text/plain; version=0.0.4", "content_type", func(*asmetrics.Stat) {}},
		{"no type", "", "content_type", func(*asmetrics.Stat) {}},
		{"NaN", "application/protobuf", "implausible", func(s *asmetrics.Stat) { s.AverageConcurrentRequests = math.NaN() }},
		{"infinite", "application/protobuf", "implausible", func(s *asmetrics.Stat) { s.RequestCount = math.Inf(1) }},
		{"negative", "application/protobuf", "implausible", func(s *asmetrics.Stat) { s.RequestCount = -1 }},
		{"huge", "application/protobuf", "implausible", func(s *asmetrics.Stat) { s.AverageConcurrentRequests = 2e6 }},
		{"another pod", "application/protobuf", "wrong_pod", func(s *asmetrics.Stat) { s.PodName = "p2" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stat := good
			tt.change(&stat)
			body, err := stat.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			s := &scratch{response: httpget.Response{ContentType: tt.kind}, room: newRoom()}
			s.body.Write(body)
			if got := cause(decodeRequests(s, "p1")); got != tt.want {
				t.Errorf("result = %s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzDecodeRequests holds that no report panics and that what is accepted is
// within bounds.
func FuzzDecodeRequests(f *testing.F) {
	body, _ := (&asmetrics.Stat{PodName: "p1", AverageConcurrentRequests: 3, RequestCount: 7, Timestamp: 5}).Marshal()
	f.Add(body)
	f.Add([]byte("# TYPE queue_average_concurrent_requests gauge\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &scratch{response: httpget.Response{ContentType: "application/protobuf"}, room: newRoom()}
		s.body.Write(body)
		if decodeRequests(s, "p1") != nil {
			return
		}
		for _, v := range []float64{s.requests.concurrency, s.requests.rps} {
			if !(v >= 0 && v <= maxRequests) {
				t.Errorf("accepted %v", v)
			}
		}
	})
}
