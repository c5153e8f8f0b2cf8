package inferencegateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	pkgreconciler "knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// accept sets what the Gateway says of the coming route.
func (c *cluster) accept(status string) {
	c.Helper()
	c.set(httpRoutes, manifest.ComingRoute("qwen"), func(o map[string]any) {
		o["status"] = map[string]any{"parents": []any{map[string]any{
			"parentRef": map[string]any{"name": "knative-gateway", "namespace": "knative-serving"},
			"conditions": []any{
				map[string]any{"type": "Accepted", "status": "True"},
				map[string]any{"type": "ResolvedRefs", "status": status, "message": "backend(qwen-00002) not found", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)},
			},
		}}}
	})
}

// promoted gives all traffic to a second revision, whose picker answers.
func (c *cluster) promoted() {
	c.Helper()
	c.service("qwen", with(map[string]string{inference.PoolModeKey: "revision"}))
	c.settle("qwen")
	c.revision("qwen", "qwen-00002")
	c.traffic("qwen", map[string]int{"qwen-00002": 100})
	c.reconcile("qwen")
	for _, d := range c.list(deployments) {
		c.available(d.GetName())
	}
	if after := c.reconcile("qwen"); after != syncRetry {
		c.Errorf("asks again after %v, want %v while the Gateway learns", after, syncRetry)
	}
}

func (c *cluster) available(deployment string) {
	c.Helper()
	c.set(deployments, deployment, func(o map[string]any) {
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Available", "status": "True"}}}
	})
}

// The route leads to a new pool when the Gateway has accepted a rule with the pool for a while, whatever happens
// meanwhile, and not much later when the Gateway does not.
func TestComing(t *testing.T) {
	type step struct {
		// gateway is what the Gateway says then of the coming route's references, if anything.
		gateway string
		after   time.Duration
		// leader is true where another leader begins.
		leader bool
		want   string
	}
	const second = time.Second
	for name, steps := range map[string][]step{
		"accepted":              {{"True", 0, false, "qwen-00001"}, {"", introduction - second, false, "qwen-00001"}, {"", second, false, "qwen-00002"}},
		"not looked at":         {{"", maxIntroduction - second, false, "qwen-00001"}, {"", second, false, "qwen-00002"}},
		"refused":               {{"False", maxIntroduction - second, false, "qwen-00001"}, {"", second, false, "qwen-00002"}},
		"refused, then taken":   {{"False", 20 * second, false, "qwen-00001"}, {"True", 0, false, "qwen-00001"}, {"", introduction, false, "qwen-00002"}},
		"taken, then refused":   {{"True", 0, false, "qwen-00001"}, {"False", 0, false, "qwen-00001"}, {"True", 0, false, "qwen-00001"}, {"", introduction - second, false, "qwen-00001"}, {"", second, false, "qwen-00002"}},
		"another leader begins": {{"True", 0, false, "qwen-00001"}, {"", introduction, true, "qwen-00001"}, {"", introduction, false, "qwen-00002"}},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.promoted()
				for i, s := range steps {
					if s.gateway != "" {
						c.accept(s.gateway)
						c.reconcile("qwen")
					}
					c.pass(s.after)
					if s.leader {
						if err := c.r.beginTerm(pkgreconciler.UniversalBucket(), func(pkgreconciler.Bucket, types.NamespacedName) {}); err != nil {
							t.Fatal(err)
						}
					}
					c.reconcile("qwen")
					if got := backends(c); !slices.Equal(got, []string{s.want}) {
						t.Errorf("step %d: the route leads to %v, want %s", i+1, got, s.want)
					}
				}
				c.reconcile("qwen")
				if c.live(httpRoutes, manifest.ComingRoute("qwen")) != nil {
					t.Error("the coming route stayed although the pool serves")
				}
			})
		})
	}
}

// A coming route that cannot be written keeps no request from its new pool for longer than
// maxIntroduction, whatever is in the way, and however many pools come meanwhile.
func TestComing_withoutTheRoute(t *testing.T) {
	for name, obstacle := range map[string]func(*cluster){
		"a quota": func(c *cluster) {
			c.client.PrependReactor("patch", "httproutes", func(a clienttesting.Action) (bool, runtime.Object, error) {
				name := a.(clienttesting.PatchAction).GetName()
				if name != manifest.ComingRoute("qwen") {
					return false, nil, nil
				}
				return true, nil, apierrs.NewForbidden(schema.GroupResource{Resource: "httproutes"}, name, errors.New("exceeded quota"))
			})
		},
		"somebody else's of its name": func(c *cluster) {
			c.create(httpRoutes, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: default, name: qwen-coming}, spec: {hostnames: [a.example.com]}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.service("qwen", with(map[string]string{inference.PoolModeKey: "revision"}))
				c.settle("qwen")
				obstacle(c)
				began := time.Now()
				for i := range 4 { // a new revision before the last one's introduction has ended
					revision := fmt.Sprintf("qwen-0000%d", 2+i)
					c.revision("qwen", revision)
					c.traffic("qwen", map[string]int{revision: 100})
					for range 4 {
						_ = c.r.Reconcile(c.Context(), "default/qwen")
						for _, d := range c.list(deployments) {
							c.available(d.GetName())
						}
						c.pass(5 * time.Second)
						if after := c.reconcile("qwen"); after <= 0 || after > drainTime {
							t.Errorf("asks again after %v", after)
						}
					}
					if waited := time.Since(began); waited < maxIntroduction && !slices.Equal(backends(c), []string{"qwen-00001"}) {
						t.Errorf("after %v the route leads to %v", waited, backends(c))
					}
				}
				if got := backends(c); slices.Equal(got, []string{"qwen-00001"}) {
					t.Errorf("the route leads to %v after %v", got, time.Since(began))
				}
			})
		})
	}
}

// The condition names the pool and repeats the Gateway's own message. A Gateway without a status yet is no failure.
func TestComing_conditions(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.promoted()
		for _, tt := range []struct{ gateway, want string }{
			{"", "the Gateway has not said anything about it yet"},
			{"False", "backend(qwen-00002) not found"},
			{"True", "the Gateway has just accepted it"},
		} {
			if tt.gateway != "" {
				c.accept(tt.gateway)
			}
			c.told()
			c.reconcile("qwen")
			got := c.condition("qwen", inference.ConditionRouteAccepted)
			if got.Status != metav1.ConditionUnknown || got.Reason != "WaitingForGateway" || !strings.Contains(got.Message, "Requests go where they went until the Gateway has accepted InferencePool qwen-00002 for 3s") || !strings.Contains(got.Message, tt.want) {
				t.Errorf("%s: RouteAccepted %s %s: %s; want %q", tt.gateway, got.Status, got.Reason, got.Message, tt.want)
			}
			if events := c.told(); len(events) > 0 {
				t.Errorf("%s: events %v", tt.gateway, events)
			}
		}
		c.settleComing()
		if got := c.condition("qwen", inference.ConditionReady); got.Status != metav1.ConditionTrue {
			t.Errorf("Ready %s: %s", got.Reason, got.Message)
		}
	})
}

// settleComing waits until coming pools serve.
func (c *cluster) settleComing() {
	c.Helper()
	for range 2 {
		c.ready()
		c.reconcile("qwen")
		c.pass(introduction)
		c.reconcile("qwen")
	}
	c.ready()
	c.reconcile("qwen")
}

// Shares that change while the Gateway learns of a pool are those of the last word, and a Service that leaves
// then takes its coming route along.
func TestComing_changes_meanwhile(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.promoted()
		c.traffic("qwen", map[string]int{"qwen-00001": 80, "qwen-00002": 20})
		c.reconcile("qwen")
		c.settleComing()
		if got := ruleNames(c); !slices.Equal(got, []string{"default.qwen.main.qwen-00001.p80", "default.qwen.main.qwen-00002.p100"}) {
			t.Errorf("rules %v", got)
		}
		c.revision("qwen", "qwen-00003")
		c.traffic("qwen", map[string]int{"qwen-00003": 100})
		c.reconcile("qwen")
		if c.live(httpRoutes, manifest.ComingRoute("qwen")) == nil {
			t.Fatal("the third revision is not introduced")
		}
		svc, err := c.r.services.Services("default").Get("qwen")
		if err != nil {
			t.Fatal(err)
		}
		c.annotate(svc, nil)
		c.reconcile("qwen")
		if left := c.list(httpRoutes); len(left) > 0 {
			t.Errorf("%d routes left", len(left))
		}
	})
}

func ruleNames(c *cluster) (names []string) {
	for _, rule := range slice(c.live(httpRoutes, "qwen-inference").Object, "spec", "rules") {
		names = append(names, rule["name"].(string))
	}
	return names
}
