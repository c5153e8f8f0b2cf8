package inferencegateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// everyNeighbour is what the indexes must come to the same plans as: all bindings
// near a Service, found by looking at every Service.
func (c *cluster) everyNeighbour(svc *servingv1.Service, in binding.Intent) (out []manifest.Neighbour) {
	for _, other := range c.every() {
		if other.UID == svc.UID || other.DeletionTimestamp != nil {
			continue
		}
		if n, ok := c.r.neighbour(other); ok && near(in, n.Intent) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b manifest.Neighbour) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.UID, b.UID))
	})
	return out
}

func (c *cluster) every() []*servingv1.Service {
	all, err := c.r.services.List(labels.Everything())
	if err != nil {
		c.Fatal(err)
	}
	slices.SortFunc(all, func(a, b *servingv1.Service) int { return cmp.Compare(a.UID, b.UID) })
	return all
}

// everyAffected is what the indexes must wake: found by looking at every Service.
// Of other namespaces one writer of the body router's filter is enough.
func (c *cluster) everyAffected(svc *servingv1.Service) (must, writers []string) {
	in, _ := c.r.intent(svc)
	hosts := c.r.hosts(svc, *in)
	for _, other := range c.every() {
		theirs, _ := c.r.intent(other)
		if theirs == nil || other.UID == svc.UID {
			continue
		}
		if pooled(*in, *theirs) || in.Gateway == theirs.Gateway && (routedTogether(*in, *theirs) ||
			slices.ContainsFunc(c.r.hosts(other, *theirs), func(h string) bool { return slices.Contains(hosts, h) })) {
			must = append(must, string(other.UID))
		} else if in.Gateway == theirs.Gateway && in.Namespace != theirs.Namespace && sharesFilter(*in, *theirs) {
			writers = append(writers, string(other.UID))
		}
	}
	return must, writers
}

// crowd makes Services that contend for few hosts, pools and models in two namespaces.
func (c *cluster) crowd(rng *rand.Rand, n int) {
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	for i := range n {
		a := map[string]string{}
		set := func(key string, share float64, value string) {
			if rng.Float64() < share {
				a[key] = value
			}
		}
		set(inference.HostnamesKey, 0.5, pick("llm.example.com", "gold-llm.example.com", "s-1.default.example.com", "gold-s-2.default.example.com", "llm.example.com,s-0.default.example.com"))
		set(inference.ObjectivesKey, 0.3, pick("gold=5", "gold=5,silver=2"))
		set(inference.PoolKey, 0.3, pick("gpus", "tpus"))
		set(inference.ModelKey, 0.4, pick("qwen", "llama", "qwen,llama"))
		set(inference.GatewayKey, 0.2, "other/gw")
		svc := c.service(fmt.Sprintf("s-%d", i), with(a))
		if rng.IntN(3) == 0 { // the same in another namespace, with a host of its own or without
			far := svc.DeepCopy()
			far.Namespace, far.UID = "other", svc.UID+"-far"
			if err := c.services.Delete(svc); err != nil {
				c.Fatal(err)
			}
			put(c, c.services, far)
		}
	}
}

// The indexes find what matters: plans come out as with all neighbours, and who must be
// woken by a change is woken, in random clusters whose Services contend for everything.
func TestSharing_plansAreThoseOfAllNeighbours(t *testing.T) {
	text := func(p manifest.Plan) string {
		out, err := json.Marshal([]any{p.Findings, p.Hosts, p.Pools, p.Objects, p.Gateway, p.Pods})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for seed := range uint64(40) {
		inCluster(t, func(c *cluster) {
			rng := rand.New(rand.NewPCG(seed, 11))
			d := *c.r.defaults()
			d.AllowedHosts = []string{"*"}
			if seed%4 == 0 {
				d.AllowedHosts = []string{"*.default.example.com"}
			}
			if seed%2 == 0 {
				d.BodyRouter.Mode = binding.BodyRouterManaged
			}
			c.r.defaults = func() *binding.Defaults { return &d }
			c.crowd(rng, 12)
			for _, svc := range c.every() {
				in, _ := c.r.intent(svc)
				w := c.r.world(svc, *in)
				got := text(manifest.Build(*in, w))
				w.Neighbours = c.everyNeighbour(svc, *in)
				claims := manifest.Claims(*in, w.Main.Hosts)
				for _, n := range w.Neighbours {
					claims = append(claims, manifest.Claims(n.Intent, n.Hosts)...)
				}
				w.HostOwners = c.r.hostOwners(claims)
				if diff := gocmp.Diff(strings.Split(text(manifest.Build(*in, w)), ","), strings.Split(got, ",")); diff != "" {
					t.Errorf("seed %d, %s/%s (-all neighbours +indexes):\n%s", seed, svc.Namespace, svc.Name, diff)
				}
				var woken []string
				for _, key := range c.r.affected(svc, nil) {
					woken = append(woken, string(c.uidOf(key)))
				}
				must, writers := c.everyAffected(svc)
				isWriter := func(uid string) bool { return slices.Contains(writers, uid) }
				if (len(writers) > 0) && !slices.ContainsFunc(woken, func(uid string) bool { return isWriter(uid) || slices.Contains(must, uid) }) {
					t.Errorf("seed %d, %s/%s: no writer of the filter among %v, of %v", seed, svc.Namespace, svc.Name, woken, writers)
				}
				if woken = sorted(slices.DeleteFunc(woken, isWriter)); !slices.Equal(must, woken) {
					t.Errorf("seed %d, %s/%s: woken %v, want %v", seed, svc.Namespace, svc.Name, woken, must)
				}
			}
		})
	}
}

func (c *cluster) uidOf(key types.NamespacedName) types.UID {
	svc, err := c.r.services.Services(key.Namespace).Get(key.Name)
	if err != nil {
		c.Fatal(err)
	}
	return svc.UID
}
