package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Joined paths are matched as a whole exactly where one of them was.
func TestJoinPaths(t *testing.T) {
	many := []string{}
	for i := range 60 {
		many = append(many, fmt.Sprintf("/v1/models/the-model-number-%02d/infer", i))
	}
	for _, tc := range []struct {
		name    string
		paths   []pathMatch
		matches int
	}{
		{"none", nil, 0},
		{"one stays as it is", exact("/v1/a.b"), 1},
		{"dots are dots", exact("/v1/a.b", "/v1/c"), 1},
		{"more than an expression holds", exact(many...), 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			joined := joinPaths(tc.paths)
			if len(joined) != tc.matches {
				t.Fatalf("%d matches, want %d: %v", len(joined), tc.matches, joined)
			}
			for _, p := range tc.paths {
				for path, want := range map[string]bool{p.value: true, p.value + "x": false, "/x" + p.value: false, strings.ReplaceAll(p.value, ".", "y") + "/": false} {
					if got := slices.ContainsFunc(joined, func(m pathMatch) bool { return matchesPath(t, m, path) }); got != want {
						t.Errorf("%s: matched %v, want %v", path, got, want)
					}
				}
			}
		})
	}
}

func matchesPath(t *testing.T, m pathMatch, path string) bool {
	t.Helper()
	if m.kind == gatewayv1.PathMatchExact {
		return m.value == path
	}
	if len(m.value) > maxPathExpression {
		t.Errorf("%d characters", len(m.value))
	}
	return regexp.MustCompile("^(?:" + m.value + ")$").MatchString(path)
}

// Several models are one match on Envoy Gateway, and a client of another one matches none.
func TestEnvoyGatewayJoinsModels(t *testing.T) {
	w := usual()
	w.Gateway.Controller, w.Served.EnvoyFilter, w.Served.DestinationRule = "gateway.envoyproxy.io/gatewayclass-controller", false, false
	in := asking(t, "qwen", "model", "qwen2.5,llama")
	in.BodyRouter.Mode = "external"
	p := Build(in, w)
	i := slices.IndexFunc(p.Objects, func(o Object) bool { return o.GetKind() == "HTTPRoute" })
	if i < 0 {
		t.Fatalf("no route: %v", p.Findings)
	}
	matches := p.Objects[i].Object["spec"].(fields)["rules"].(list)[0].(fields)["matches"].(list)
	if len(matches) != 1 || fmt.Sprint(matches[0].(fields)["headers"]) != `[map[name:X-Gateway-Model-Name type:RegularExpression value:qwen2\.5|llama]]` {
		t.Errorf("matches %v", matches)
	}
	if found(p, inference.ReasonPickerAskedOften) {
		t.Errorf("findings %v: one match and one host ask the picker once", p.Findings)
	}
}
