package inferencegateway

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	apierrs "k8s.io/apimachinery/pkg/api/errors"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// An object that all Services of a Gateway share and that the API server refuses
// is reported, and a Service's own objects are kept up all the same; only a new
// route waits, for it would serve without the filter.
func TestReconcile_aSharedObjectFails(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("old", asked)
		c.settle("old")
		c.delete(envoyFilters, "knative-serving", "knative-gateway-inference-objective")
		c.client.PrependReactor("patch", "envoyfilters", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if strings.HasSuffix(a.(clienttesting.PatchAction).GetName(), "-inference-objective") {
				return true, nil, apierrs.NewRequestEntityTooLargeError("the object is larger than etcd takes")
			}
			return false, nil, nil
		})
		c.annotate(svc, with(map[string]string{inference.PriorityKey: "7", inference.RequestTimeoutKey: "90s"}))
		c.service("new", asked)
		for range 3 {
			for _, name := range []string{"old", "new"} {
				_ = c.r.Reconcile(c.Context(), "default/"+name) // the error is what is tried again
				c.pass(0)
			}
			c.ready()
		}
		if c.live(objectives(objectiveGroup), "old") == nil {
			t.Error("the objective of a Service waits for an object of others")
		}
		rules := slice(c.live(httpRoutes, "old-inference").Object, "spec", "rules")
		if got := rules[0]["timeouts"].(map[string]any)["request"]; got != "1m30s" {
			t.Errorf("timeout %v of a route that is there, want the new one", got)
		}
		if c.live(pools, "new") == nil || c.live(httpRoutes, "new-inference") != nil {
			t.Error("want the pool of a new Service and not yet its route")
		}
		got := c.condition("old", inference.ConditionRouteAccepted)
		if got.Status != metav1.ConditionFalse || got.Reason != "ApplyFailed" || !strings.Contains(got.Message, "larger than etcd takes") {
			t.Errorf("RouteAccepted %s %s: %s", got.Status, got.Reason, got.Message)
		}
	})
}
