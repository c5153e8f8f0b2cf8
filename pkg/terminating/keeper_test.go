package terminating

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"knative.dev/pkg/network/handlers"
	"knative.dev/serving/pkg/autoscaler/metrics"
)

// pod is a queue-proxy with Knative's own drainer; the network is a function call.
type pod struct {
	drainer *handlers.Drainer
	name    string
	// open is the requests in flight; negative when the report cannot be read.
	open   func() float64
	h2c    bool
	orphan bool
	seen   int
}

func newPod(open func() float64) *pod {
	p := &pod{name: "llama", open: open}
	p.drainer = &handlers.Drainer{QuietPeriod: 30 * time.Second, Inner: http.NotFoundHandler()}
	return p
}

// RoundTrip implements http.RoundTripper.
func (p *pod) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	switch port := r.URL.Port(); {
	case port == "9090" && p.open() >= 0:
		report := metrics.Stat{PodName: p.name, AverageConcurrentRequests: p.open()}
		body, err := report.Marshal()
		if err != nil {
			return nil, err
		}
		_, _ = answer.Write(body)
	case port == "8012" && !p.h2c, port == "8013" && p.h2c:
		p.seen++
		p.drainer.ServeHTTP(answer, r)
	default:
		return nil, syscall.ECONNREFUSED
	}
	return answer.Result(), nil
}

// drained is how long Knative's drainer takes while a Keeper runs.
func drained(t *testing.T, p *pod) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		k := Keeper{Client: &http.Client{Transport: p}}
		go k.Run(t.Context(), func() []Pod { return []Pod{{"prod", "llama", "10.0.0.1", p.orphan}} })
		begin := time.Now()
		p.drainer.Drain()
		took = time.Since(begin)
	})
	return took
}

func TestKeeper_holdsKnativesDrainerWhileRequestsAreOpen(t *testing.T) {
	for _, tt := range []struct {
		name     string
		open     float64
		lasts    time.Duration
		h2c      bool
		from, to time.Duration
	}{
		{"nothing is open", 0, 0, false, 30 * time.Second, 30 * time.Second},
		{"one stream of 200 s", 1, 200 * time.Second, false, 225 * time.Second, 235 * time.Second},
		{"over h2c", 3, 100 * time.Second, true, 125 * time.Second, 135 * time.Second},
		{"what cannot be read is not nothing", -1, 90 * time.Second, false, 115 * time.Second, 125 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var begin time.Time
			p := newPod(func() float64 {
				if begin.IsZero() {
					begin = time.Now()
				}
				if time.Since(begin) < tt.lasts {
					return tt.open
				}
				return 0
			})
			p.h2c = tt.h2c
			if got := drained(t, p); got < tt.from || got > tt.to {
				t.Errorf("drained after %v, want %v to %v", got, tt.from, tt.to)
			}
			if tt.lasts == 0 && p.seen != 0 {
				t.Errorf("%d requests to a pod that holds none", p.seen)
			}
		})
	}
}

// A pod whose Service was deleted is kept like others if it is an inference engine. A server of
// another kind is asked once, and ends as with Knative alone.
func TestKeeper_orphans(t *testing.T) {
	const lasts, alone = 200 * time.Second, 35 * time.Second
	for status, kept := range map[int]bool{
		http.StatusOK: true, http.StatusServiceUnavailable: true, http.StatusUnauthorized: true, http.StatusTooManyRequests: true,
		http.StatusNotFound: false, http.StatusBadRequest: false, http.StatusMethodNotAllowed: false, http.StatusUpgradeRequired: false,
	} {
		for _, orphan := range []bool{true, false} {
			var begin time.Time
			p := newPod(func() float64 {
				if begin.IsZero() {
					begin = time.Now()
				}
				if time.Since(begin) < lasts {
					return 1
				}
				return 0
			})
			p.orphan = orphan
			p.drainer.Inner = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			got := drained(t, p)
			if want := kept || !orphan; (got > lasts) != want || !want && (got > alone || p.seen != 1+len(otherPaths)) {
				t.Errorf("status %d, orphan %t: drained after %v and %d requests, want it kept: %t", status, orphan, got, p.seen, want)
			}
		}
	}
}

// Triton and Ray Serve have other paths.
func TestAnswersOther(t *testing.T) {
	for path, want := range map[string]bool{"/v2/health/live": true, "/-/healthz": true, "/": false} {
		p := newPod(func() float64 { return 1 })
		p.drainer.Inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		k := Keeper{Client: &http.Client{Transport: p}}
		if got := k.answersOther(t.Context(), Pod{Namespace: "prod", Name: "llama", IP: "10.0.0.1"}); got != want {
			t.Errorf("a server with %s: %t, want %t", path, got, want)
		}
	}
}

func TestKeeper_leavesAnotherPodAtTheAddressAlone(t *testing.T) {
	p := newPod(func() float64 { return 5 })
	p.name = "mistral"
	if got := drained(t, p); got != 30*time.Second || p.seen != 0 {
		t.Errorf("drained after %v with %d requests, want 30 s and none", got, p.seen)
	}
}

func TestOpen_refusesWhatIsNoReport(t *testing.T) {
	for name, body := range map[string]string{"text": "# HELP x", "cut": "\x0a\x40abc"} {
		k := Keeper{Client: &http.Client{Transport: answer(body)}}
		if _, err := k.open(t.Context(), Pod{Namespace: "prod", Name: "llama", IP: "10.0.0.1"}); err == nil || !strings.Contains(err.Error(), "prod/llama") {
			t.Errorf("%s: error %v, want one that names the pod", name, err)
		}
	}
}

func TestTouch_failsWhereNobodyListens(t *testing.T) {
	k := Keeper{Client: &http.Client{Transport: refused{}}}
	if _, err := k.touch(t.Context(), Pod{IP: "fd00::1"}, path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want that the connection was refused", err)
	}
}

type answer string

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

type refused struct{}

func (refused) RoundTrip(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }
