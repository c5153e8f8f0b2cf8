package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// routeSpec has the fields of an HTTPRoute's spec that these tests compare.
type routeSpec struct {
	Rules []struct {
		Name    string
		Matches []struct {
			Headers []struct{ Name, Value string }
		}
		Filters []struct {
			RequestHeaderModifier struct {
				Set []struct{ Name, Value string }
			}
		}
	}
}

func routeOf(t *testing.T, p Plan, name string) (spec routeSpec) {
	t.Helper()
	for _, o := range p.Objects {
		if o.GetKind() != "HTTPRoute" || o.GetName() != name {
			continue
		}
		text, err := json.Marshal(o.Object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		return spec
	}
	t.Fatalf("no HTTPRoute %s; findings %v", name, p.Findings)
	return spec
}

// A header that a Service asks for is in each match, so that no other request comes to it.
func TestRoute_matchHeaders(t *testing.T) {
	spec := routeOf(t, Build(asking(t, "qwen", "match-headers", "x-tenant=a"), usual()), "qwen-inference")
	for _, rule := range spec.Rules {
		for _, m := range rule.Matches {
			if len(m.Headers) != 1 || m.Headers[0].Name != "x-tenant" || m.Headers[0].Value != "a" {
				t.Errorf("rule %s matches the headers %v, want x-tenant: a", rule.Name, m.Headers)
			}
		}
	}
	if len(spec.Rules) == 0 || len(spec.Rules[0].Matches) == 0 {
		t.Errorf("no matches: %+v", spec)
	}
}

// A rule has no more matches than Gateway API allows, and what is left out is reported.
func TestRoute_tooManyMatches(t *testing.T) {
	in := asking(t, "qwen", "model", "m")
	for i := range 100 {
		in.Models = append(in.Models, fmt.Sprintf("m%d", i))
	}
	p := Build(in, usual())
	for _, rule := range routeOf(t, p, "qwen-inference").Rules {
		if len(rule.Matches) > maxRuleMatches {
			t.Errorf("rule %s has %d matches", rule.Name, len(rule.Matches))
		}
	}
	if !slices.ContainsFunc(p.Findings, func(f Finding) bool { return strings.Contains(f.Message, "exceed the 64 of a rule") }) {
		t.Errorf("what is left out is not reported: %v", p.Findings)
	}
}

// Without a body-based router nobody writes the header that models are matched by: there is no route.
func TestRoute_modelsWithoutRouter(t *testing.T) {
	in := asking(t, "qwen", "model", "qwen")
	in.BodyRouter.Mode = binding.BodyRouterOff
	p := Build(in, usual())
	if !found(p, inference.ReasonModelRoutingOff) || slices.Contains(kinds(p), "HTTPRoute") || slices.Contains(kinds(p), "EnvoyFilter") {
		t.Errorf("kinds %v, findings %v; want the reason, and no route", kinds(p), p.Findings)
	}
}

// Pools that share a rule by weights have no priority: the rule can name one objective alone.
func TestRoute_priorityOfWeightedPools(t *testing.T) {
	for _, tc := range []struct {
		splits   []Split
		enforced bool
	}{
		{[]Split{{"qwen-00001", 100}}, true},
		{[]Split{{"qwen-00001", 50}, {"qwen-00002", 50}}, false},
	} {
		w := usual()
		w.Gateway.Controller, w.Main.Splits = "agentgateway.dev/agentgateway", tc.splits
		p := Build(asking(t, "qwen", "pool-mode", "revision", "allow-weighted-pools", "true", "priority", "5"), w)
		rule := routeOf(t, p, "qwen-inference").Rules[0]
		set := 0
		for _, f := range rule.Filters {
			set += len(f.RequestHeaderModifier.Set)
		}
		if found(p, inference.ReasonPriorityNotEnforced) == tc.enforced || (set > 0) != tc.enforced {
			t.Errorf("%v: %d headers set, findings %v; want enforced %v", tc.splits, set, p.Findings, tc.enforced)
		}
		if strings.Contains(rule.Name, "qwen-00001") != tc.enforced {
			t.Errorf("%v: the rule's name is %s", tc.splits, rule.Name)
		}
	}
}
