package inferencegateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// A panic on one Service's data is counted and reported on that Service, whose
// objects stay, and the next Service is served.
func TestReconcile_panicIsContained(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.service("bad", asked)
		c.settle("bad")
		c.told()
		c.r.build = func(in binding.Intent, w manifest.World) manifest.Plan {
			if in.Service == "bad" {
				panic("a fault of ours")
			}
			return manifest.Build(in, w)
		}
		err := c.r.Reconcile(c.Context(), "default/bad")
		if err == nil || !strings.Contains(err.Error(), "default/bad: a fault of ours") || c.panics != 1 {
			t.Errorf("error %v after %d counted panics, want the panic and 1", err, c.panics)
		}
		if told := c.told(); !slices.ContainsFunc(told, func(e string) bool { return strings.Contains(e, "InferenceGatewayPanic") }) {
			t.Errorf("events %q, want one of the panic", told)
		}
		if c.live(pools, "bad") == nil || c.live(httpRoutes, "bad-inference") == nil {
			t.Error("objects of the Service went with the panic")
		}
		c.service("good", asked)
		c.settle("good")
	})
}
