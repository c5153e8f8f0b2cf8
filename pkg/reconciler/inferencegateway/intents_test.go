package inferencegateway

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// flip changes the priority of the first of n Services on one Gateway and does all
// that follows. It returns how often annotations were parsed and how many Services
// were reconciled.
func flip(c *cluster, n int) (parses int64, reconciled int) {
	c.Helper()
	svc := c.service("s-0", asked)
	for i := 1; i < n; i++ {
		c.service(fmt.Sprintf("s-%d", i), asked)
	}
	c.reconcile("s-0") // everything is known from here on
	before := c.r.intents.parses.Load()
	c.annotate(svc, with(map[string]string{inference.PriorityKey: "7"}))
	after, err := c.r.services.Services("default").Get("s-0")
	if err != nil {
		c.Fatal(err)
	}
	names := []string{"s-0"}
	for _, key := range c.r.affected(svc, after) {
		names = append(names, key.Name)
	}
	for _, name := range names {
		c.reconcile(name)
	}
	return c.r.intents.parses.Load() - before, len(names)
}

// A change of one Service costs the same whatever the number of others on its
// Gateway: it is read once, its past state once, and no other Service is.
func TestServiceChanged_costDoesNotGrow(t *testing.T) {
	for _, n := range []int{10, 1000} {
		inCluster(t, func(c *cluster) {
			if parses, reconciled := flip(c, n); parses > 2 || reconciled != 1 {
				t.Errorf("%d Services: %d parses and %d reconciliations for one change, want at most 2 and 1", n, parses, reconciled)
			}
		})
	}
}

// Finding out what a change concerns and what must be known for it allocates the
// same whatever the number of other Services on the Gateway: they are in indexes.
func TestServiceChanged_allocationsDoNotGrow(t *testing.T) {
	allocations := func(n int) (average float64) {
		inCluster(t, func(c *cluster) {
			svc := c.service("s-0", asked)
			for i := 1; i < n; i++ {
				c.service(fmt.Sprintf("s-%d", i), asked)
			}
			in, problems := c.r.intent(svc)
			b := bound{owner: ownerOf(svc), svc: svc, intent: *in, problems: problems}
			average = testing.AllocsPerRun(5, func() {
				c.r.affected(svc, svc)
				c.r.world(svc, *in)
				c.r.members(b)
			})
		})
		return average
	}
	if few, many := allocations(10), allocations(1000); many > few+2 {
		t.Errorf("%v allocations with 1,000 Services, %v with 10", many, few)
	}
}

// Only neighbours that share something with a Service are reconciled when it changes.
func TestAffected(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", with(map[string]string{inference.HostnamesKey: "llm.default.example.com", inference.PoolKey: "gpus", inference.ModelKey: "qwen"}))
		c.service("pool", with(map[string]string{inference.PoolKey: "gpus"}))
		c.service("host", with(map[string]string{inference.HostnamesKey: "llm.default.example.com"}))
		c.service("claims", with(map[string]string{inference.HostnamesKey: "qwen.default.example.com"}))
		c.service("model", with(map[string]string{inference.ModelKey: "llama"}))
		c.service("nothing", asked)
		c.service("elsewhere", with(map[string]string{inference.GatewayKey: "other/gw", inference.HostnamesKey: "llm.default.example.com"}))
		c.service("plain", nil)
		for i, namespace := range []string{"other", "third"} {
			far := svc.DeepCopy()
			far.Namespace, far.Name, far.UID = namespace, "far", types.UID(namespace)
			far.Annotations = with(map[string]string{inference.ModelKey: fmt.Sprintf("far-%d", i)})
			put(c, c.services, far)
		}
		names := func() (out []string) {
			for _, key := range c.r.affected(svc, nil) {
				out = append(out, key.Name)
			}
			return sorted(out)
		}
		if diff := cmp.Diff([]string{"claims", "host", "pool"}, names()); diff != "" {
			t.Errorf("without a body router (-want +got):\n%s", diff)
		}
		d := *c.r.defaults()
		d.BodyRouter.Mode = binding.BodyRouterManaged
		c.r.defaults = func() *binding.Defaults { return &d }
		if diff := cmp.Diff([]string{"claims", "far", "host", "model", "pool"}, names()); diff != "" {
			t.Errorf("with a body router (-want +got):\n%s", diff)
		}
	})
}

// What a Service asks for is read anew when it or the cluster's settings change.
func TestIntents(t *testing.T) {
	inCluster(t, func(c *cluster) {
		svc := c.service("qwen", asked)
		for range 3 {
			c.r.intent(svc)
		}
		if got := c.r.intents.parses.Load(); got != 1 {
			t.Errorf("%d parses of one state, want 1", got)
		}
		changed := svc.DeepCopy()
		changed.Annotations = with(map[string]string{inference.PoolKey: "gpus"})
		if in, _ := c.r.intent(changed); in.Pool != "gpus" {
			t.Errorf("pool %q after an edit", in.Pool)
		}
		d := *c.r.defaults()
		d.Listener = "other"
		c.r.defaults = func() *binding.Defaults { return &d }
		if in, _ := c.r.intent(changed); in.Listener != "other" {
			t.Errorf("listener %q after an edit of the cluster's settings", in.Listener)
		}
	})
}
