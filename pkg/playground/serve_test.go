package playground

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// eventually asks an address until it answers with a code and a text; pods are scraped four times a second.
func eventually(t *testing.T, address string, code int, text string) http.Header {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == code && strings.Contains(string(b), text) {
			return resp.Header
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: %d %.300s, want %d with %q", address, resp.StatusCode, b, code, text)
		}
	}
}

// The command prints addresses that answer, and ends without an error with its context.
func TestCommand_serves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	command := New()
	command.SetArgs([]string{"--listen", "127.0.0.1:0", "--lead", "0s", "--load", "steady"})
	command.SetOut(w)
	done := make(chan error, 1)
	go func() { done <- command.ExecuteContext(ctx); w.Close() }()
	addresses := 0
	for lines := bufio.NewScanner(r); addresses < 3 && lines.Scan(); {
		if address := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); address != "" {
			addresses++
			eventually(t, address, http.StatusOK, "")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	cancel()
	if err := <-done; err != nil || addresses != 3 {
		t.Errorf("%d addresses, and at the end %v; want 3 and no error", addresses, err)
	}
}

// What ends first ends the other; the first error is returned.
func TestTogether(t *testing.T) {
	broken, late := errors.New("broken"), errors.New("late")
	ends := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	waits := func(err error) func(context.Context) error {
		return func(ctx context.Context) error { <-ctx.Done(); return err }
	}
	for _, c := range []struct {
		name       string
		one, other func(context.Context) error
		want       error
	}{
		{"the world fails", ends(broken), waits(nil), broken},
		{"the server fails", waits(nil), ends(broken), broken},
		{"both fail", ends(broken), waits(late), broken},
		{"the other fails as it ends", ends(nil), waits(late), late},
		{"neither fails", ends(nil), waits(nil), nil},
	} {
		if err := together(t.Context(), c.one, c.other); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := together(over, waits(nil), waits(nil)); err != nil {
		t.Errorf("ended by the user: %v", err)
	}
}

// In real time the collector reads the pods' pages over HTTP, and the page, the API and every policy get what it read.
func TestServe_realTime(t *testing.T) {
	base, w := startWorld(t, func(c *Control) { c.Shape, c.Rate, c.Lead = "steady", 30, 0 })
	const api = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/"
	const part = "revisions.serving.knative.dev/playground-00001/slo_unschedulable_replicas"
	for _, c := range []struct {
		path       string
		code       int
		kind, text string
	}{
		{"/", 200, "text/html; charset=utf-8", "uPlot"},
		{"/nothing", 404, "", ""},
		{"/choices", 200, "application/json", `"policies":["ipa","kpa",`},
		{"/choices", 200, "application/json", `"shapes":[{"Name":"day",`},
		{"/pods/pod-00000/metrics", 200, "text/plain; version=0.0.4", "vllm:num_requests_running"},
		{"/pods/pod-00009/metrics", 404, "", "no Ready pod"},
		{api + "revisions.serving.knative.dev/playground-00001/num_requests_running", 200, "", `"value"`},
		{api + "revisions.serving.knative.dev/another/num_requests_running", 404, "", "could not find"},
		{api + "services.serving.knative.dev/playground/requests_per_second", 200, "", `"value"`},
		{api + "pods/*/num_requests_running", 200, "", `"name":"pod-00000"`},
		{strings.Replace(api, "default", "kube-system", 1) + "pods/*/num_requests_running", 200, "", `"items":[]`},
		{api + part, 200, "", `"value"`},
	} {
		if kind := eventually(t, base+c.path, c.code, c.text).Get("Content-Type"); c.kind != "" && kind != c.kind {
			t.Errorf("%s: it is %s, want %s", c.path, kind, c.kind)
		}
	}
	frames(t, base, 20*time.Second, func(f Frame) bool { return f.Live && f.Why != "" && len(f.Wants) == 1 })

	p := &readings{seen: make(chan bool, 1)}
	w.mu.Lock()
	w.control.Policy, w.policy = "readings", p // as Set does
	w.asked = w.clock(time.Now())
	w.mu.Unlock()
	select {
	case ok := <-p.seen:
		if !ok {
			t.Error("the policy does not get the Ready pods, their replicas and requests")
		}
	case <-time.After(20 * time.Second):
		t.Error("another policy in real time is not asked")
	}
	eventually(t, base+api+part, http.StatusNotFound, "")
	frames(t, base, 20*time.Second, func(f Frame) bool { return f.Live && f.Wanted == 2 && f.Why == "scripted" && f.Wants == nil })
}

// readings is a policy that says whether it got what the collector reads.
type readings struct {
	scripted
	seen chan bool
}

func (r *readings) Want(o decider.Observation) (simulator.Want, error) {
	select {
	case r.seen <- o.Replicas >= 1 && len(o.Pods) >= 1 && o.Pods[0].Running.Known() && time.Since(o.Time).Abs() < time.Minute: // no simulated time
	default:
	}
	r.want = 2
	return r.scripted.Want(o)
}
