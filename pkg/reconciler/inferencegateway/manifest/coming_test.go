package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// A pool that requests are about to reach is introduced to a gateway that answers 500 until it knows the
// pool; a Service that serves nothing yet has nothing to wait for.
func TestComing(t *testing.T) {
	canary := []Split{{"qwen-00001", 90}, {"qwen-00002", 10}}
	perRevision := []string{"pool-mode", "revision"}
	for _, tt := range []struct {
		name, controller string
		asked            []string
		splits           []Split
		serving, known   []string
		// introduced are the pools that the coming route names, awaited those that routes wait for.
		introduced, awaited []string
	}{
		{name: "the first routes", asked: perRevision, splits: canary},
		{name: "all pools serve", asked: perRevision, splits: canary, serving: []string{"qwen-00001", "qwen-00002"}},
		{name: "a revision loses its traffic", asked: perRevision, splits: canary[:1], serving: []string{"qwen-00001", "qwen-00002"}},
		{name: "a new revision", asked: perRevision, splits: canary, serving: []string{"qwen-00001"},
			introduced: []string{"qwen-00002"}, awaited: []string{"qwen-00002"}},
		{name: "known, and not served yet", asked: perRevision, splits: canary, serving: []string{"qwen-00001"}, known: []string{"qwen-00002"},
			introduced: []string{"qwen-00002"}},
		{name: "one of two is known", asked: perRevision, splits: canary, serving: []string{"qwen-00000"}, known: []string{"qwen-00002"},
			introduced: []string{"qwen-00001", "qwen-00002"}, awaited: []string{"qwen-00001"}},
		{name: "another pool", asked: []string{"pool", "gpus"}, splits: canary[:1], serving: []string{"qwen"},
			introduced: []string{"gpus"}, awaited: []string{"gpus"}},
		{name: "one pool for all", splits: canary, serving: []string{"qwen"}},
		{name: "agentgateway", controller: "agentgateway.dev/agentgateway", asked: perRevision, splits: canary, serving: []string{"qwen-00001"}},
		{name: "Envoy AI Gateway", controller: "gateway.envoyproxy.io/gatewayclass-controller", asked: perRevision, splits: canary, serving: []string{"qwen-00001"}},
		{name: "unknown", controller: "example.com/gateway", splits: canary, serving: []string{"other"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := usual()
			w.Main.Splits, w.ServingPools, w.KnownPools, w.Served.EnvoyPatchPolicy = tt.splits, tt.serving, tt.known, true
			if tt.controller != "" {
				w.Gateway.Controller = tt.controller
			}
			p := Build(asking(t, "qwen", tt.asked...), w)
			if diff := cmp.Diff(tt.awaited, p.Coming); diff != "" {
				t.Errorf("awaited (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.introduced, introducedBy(t, p)); diff != "" {
				t.Errorf("introduced (-want +got):\n%s", diff)
			}
		})
	}
}

// introducedBy returns the pools of the plan's coming route; each must be in a rule that no client asks for,
// whose headers the filter cleans like those of any other rule.
func introducedBy(t *testing.T, p Plan) (pools []string) {
	t.Helper()
	var filter string
	for _, o := range p.Objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		if o.GetKind() == "EnvoyFilter" {
			filter += string(text)
		}
		if o.Stage != StageComing {
			continue
		}
		var route struct {
			Spec struct {
				Hostnames []string
				Rules     []struct {
					Name        string
					Matches     []struct{ Path struct{ Type, Value string } }
					BackendRefs []struct{ Kind, Name string }
				}
			}
		}
		if err := yaml.Unmarshal(text, &route); err != nil {
			t.Fatal(err)
		}
		for _, r := range route.Spec.Rules {
			pool := r.BackendRefs[0].Name
			pools = append(pools, pool)
			if r.BackendRefs[0].Kind != poolKind || r.Matches[0].Path.Type != "Exact" || r.Matches[0].Path.Value != "/knative-inference.dev/coming/"+pool {
				t.Errorf("rule %+v", r)
			}
			if !strings.Contains(filter, "name: "+r.Name) {
				t.Errorf("no filter that is applied before the route is for rule %s", r.Name)
			}
		}
		if o.GetName() != ComingRoute("qwen") || !slices.Equal(route.Spec.Hostnames, []string{"qwen.default.example.com"}) {
			t.Errorf("route %s of hosts %v", o.GetName(), route.Spec.Hostnames)
		}
	}
	return pools
}

// A route holds 16 rules: what is beyond these is not introduced and not waited for.
func TestComing_more_than_a_route_holds(t *testing.T) {
	w := usual()
	w.ServingPools = []string{"qwen-00001"}
	for i := range 20 {
		name := fmt.Sprintf("qwen-1%04d", i)
		w.Revisions[name] = w.Revisions["qwen-00001"]
		w.Tags = append(w.Tags, Traffic{Tag: fmt.Sprint("t", i), Hosts: []string{fmt.Sprintf("t%d-qwen.default.example.com", i)}, Splits: []Split{{name, 100}}})
	}
	p := Build(asking(t, "qwen", "pool-mode", "revision"), w)
	if got := introducedBy(t, p); len(got) != maxRules || len(p.Coming) != maxRules {
		t.Errorf("introduced %v, awaited %v; want %d of each", got, p.Coming, maxRules)
	}
}
