package webhook

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness/livenesstest"
)

const standstill = 30 * time.Second

// The CA bundles are written by a queue that never hangs on a silent API server, and whose
// reconciliation is seen when it hangs on anything else.
func TestBundles_standstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &livenesstest.SilentServer{}
		kube, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: "http://cluster"}, &http.Client{Transport: api})
		if err != nil {
			t.Fatal(err)
		}
		c := newCluster(t, fakeAuthority("ca"), mutatingConfig("old"))
		c.lead(t)
		alive := liveness.New()
		authority := &hangingAuthority{fakeAuthority: "ca", end: make(chan struct{})}
		c.kube, c.queue, c.authority = kube, alive.Queue(bundlesQueue), authority
		s := &Server{bundles: c.bundles, alive: alive}
		s.impl = controller.NewContext(t.Context(), notLeading{c.bundles}, controller.ControllerOptions{WorkQueueName: bundlesQueue, Logger: logging.FromContext(t.Context())})
		ctx, cancel := context.WithCancel(t.Context())
		c.queue.Follow(s.impl.WorkQueue().Len)
		go s.enqueueRegularly(ctx)
		go func() { _ = s.impl.Run(ctx) }()
		if after, err := livenesstest.Probe(alive, standstill, time.Hour); err != nil || api.Asked.Load() < 10 {
			t.Errorf("a silent API server: %v after %v and %d requests, want no error", err, after, api.Asked.Load())
		}
		authority.hangs.Store(true)
		after, err := livenesstest.Probe(alive, standstill, time.Hour)
		if err == nil || !strings.Contains(err.Error(), "the work on ours/"+Name+" of the queue "+bundlesQueue) {
			t.Errorf("a reconciliation that hangs: %v after %v, want the key", err, after)
		}
		close(authority.end)
		cancel()
		time.Sleep(2 * time.Minute)
	})
}

// notLeading hides that the reconciler is leader-aware, so that no elector is built.
type notLeading struct{ of controller.Reconciler }

func (n notLeading) Reconcile(ctx context.Context, key string) error { return n.of.Reconcile(ctx, key) }

// hangingAuthority is an authority that can hang until its end.
type hangingAuthority struct {
	fakeAuthority
	hangs atomic.Bool
	end   chan struct{}
}

func (a *hangingAuthority) Bundle() []byte {
	if a.hangs.Load() {
		<-a.end
		return nil
	}
	return a.fakeAuthority.Bundle()
}

// A review that hangs is seen; one whose client is slow is the client's.
func TestHandler_standstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive, hang := liveness.New(), make(chan struct{})
		h, err := newHandler(nil, alive, map[string]admit{"/x": func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
			<-hang
			return allow()
		}})
		if err != nil {
			t.Fatal(err)
		}
		go ask(h, "/x", `{"request": {"uid": "u1", "operation": "CREATE", "object": {}}}`)
		after, err := livenesstest.Probe(alive, standstill, time.Minute)
		if err == nil || !strings.Contains(err.Error(), "a review of /x has not ended") || after != standstill+time.Second {
			t.Errorf("%v after %v, want the review after 31s", err, after)
		}
		close(hang)
		synctest.Wait()
		if _, err := livenesstest.Probe(alive, standstill, time.Hour); err != nil {
			t.Errorf("after its end: %v", err)
		}
	})
}
