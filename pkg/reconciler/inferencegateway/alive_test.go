package inferencegateway

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness/livenesstest"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

const standstill = 30 * time.Second

// stuck is the first error of a Monitor in words, and the time until then.
func stuck(alive *liveness.Monitor, during time.Duration) (why string, after time.Duration) {
	after, err := livenesstest.Probe(alive, standstill, during)
	if err != nil {
		why = err.Error()
	}
	return why, after
}

// Work on a Service that waits for a silent API server ends at its own deadline; work that hangs
// on anything else is seen 30 s after that deadline.
func TestReconcile_standstill(t *testing.T) {
	inCluster(t, func(c *cluster) {
		alive := liveness.New()
		c.r.queue = alive.Queue(queueName)
		c.r.queue.Follow(func() int { return 1 })
		client, err := dynamic.NewForConfigAndClient(&rest.Config{Host: "http://cluster"}, &http.Client{Transport: &livenesstest.SilentServer{}})
		if err != nil {
			t.Fatal(err)
		}
		answering := c.r.client
		c.r.client = client
		c.service("qwen", asked)
		go func() {
			for range 10 {
				if err := c.r.Reconcile(c.Context(), "default/qwen"); err == nil {
					t.Error("no error although nobody answered")
				}
			}
		}()
		if why, after := stuck(alive, 5*time.Minute); why != "" {
			t.Errorf("a silent API server: %s after %v, want no error", why, after)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()

		hang := make(chan struct{})
		c.r.client, c.r.build = answering, func(in binding.Intent, w manifest.World) manifest.Plan {
			<-hang
			return manifest.Build(in, w)
		}
		go func() { _ = c.r.Reconcile(c.Context(), "default/qwen") }()
		why, after := stuck(alive, 5*time.Minute)
		if !strings.Contains(why, "the work on default/qwen of the queue "+queueName) || after != time.Minute+time.Second {
			t.Errorf("work that hangs: %q after %v, want the Service after 1m1s", why, after)
		}
		close(hang)
		synctest.Wait()
	})
}

// A handler of events that does not return is seen: no further event of its kind would come.
func TestHandlers_standstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, call := range map[string]func(c *Controller, hang func()){
			"an event of Services": func(c *Controller, hang func()) { c.watched(func(any) { hang() })(nil) },
			"an event of inferencepools": func(c *Controller, hang func()) {
				c.reconciler.watches.changed = func(resource, *unstructured.Unstructured) { hang() }
				c.reconciler.watches.notify(resource{GroupVersionResource: pools}, &unstructured.Unstructured{})
			},
			"an event of the CRD inferencepools": func(c *Controller, hang func()) {
				c.reconciler.watches.served = hang
				c.reconciler.watches.caches = map[schema.GroupVersionResource]*watched{pools: {stop: func() {}}}
				c.reconciler.watches.defined(t.Context(), resource{GroupVersionResource: pools}, definition{})
			},
		} {
			alive, end := liveness.New(), make(chan struct{})
			c := &Controller{alive: alive, reconciler: &Reconciler{watches: &watches{alive: alive, log: slog.New(slog.DiscardHandler)}}}
			go call(c, func() { <-end })
			if why, after := stuck(alive, time.Minute); !strings.Contains(why, name) || after != standstill+time.Second {
				t.Errorf("%q after %v, want %s after 31s", why, after, name)
			}
			close(end)
			synctest.Wait()
			if why, _ := stuck(alive, time.Minute); why != "" {
				t.Errorf("%s after its end", why)
			}
		}
	})
}
