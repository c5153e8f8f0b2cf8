package binding

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// A Service may repeat the cluster's settings; what reaches beyond its namespace
// needs the administrator's list, and the refusal names the key to extend.
func TestParse_rightsBeyondTheNamespace(t *testing.T) {
	const image = "registry.example.com/team/epp:v2"
	for _, c := range []struct {
		name       string
		cluster    map[string]string
		key, value string
		// list is the key that the refusal names; empty is accepted.
		list, entry string
	}{
		{"the default Gateway", nil, "gateway", "knative-serving/knative-gateway", "", ""},
		{"the configured Gateway", map[string]string{"gateway": "infra/gw"}, "gateway", "infra/gw", "", ""},
		{"another Gateway", nil, "gateway", "kube-system/edge", "allowed-gateways", "kube-system/edge"},
		{"the built-in one where another is configured", map[string]string{"gateway": "infra/gw"}, "gateway", "knative-serving/knative-gateway", "allowed-gateways", "knative-serving/knative-gateway"},
		{"a listed Gateway", map[string]string{"allowed-gateways": "kube-system/edge"}, "gateway", "kube-system/edge", "", ""},
		{"those of one namespace", map[string]string{"allowed-gateways": "infra/*"}, "gateway", "infra/edge", "", ""},
		{"a namespace that begins so", map[string]string{"allowed-gateways": "infra*/gw"}, "gateway", "infra-2/gw", "", ""},
		{"a star is no slash", map[string]string{"allowed-gateways": "infra*"}, "gateway", "infra/gw", "allowed-gateways", "infra/gw"},
		{"its own namespace's", map[string]string{"allowed-gateways": "{namespace}/*"}, "gateway", "demo/gw", "", ""},
		{"another namespace's", map[string]string{"allowed-gateways": "{namespace}/*"}, "gateway", "other/gw", "allowed-gateways", "other/gw"},
		{"an image", nil, "epp-image", image, "allowed-epp-images", image},
		{"the cluster's image", map[string]string{"epp-image": image}, "epp-image", image, "", ""},
		{"listed images", map[string]string{"allowed-epp-images": "registry.example.com/team/*"}, "epp-image", image, "", ""},
		{"another registry", map[string]string{"allowed-epp-images": "registry.example.com/team/*"}, "epp-image", "evil.io/registry.example.com/team/epp", "allowed-epp-images", "evil.io/registry.example.com/team/epp"},
		{"a provider", nil, "provider", "istio", "allowed-annotations", "provider"},
		{"what auto is anyway", nil, "provider", "auto", "", ""},
		{"the cluster's provider", map[string]string{"provider": "istio"}, "provider", "istio", "", ""},
		{"a provider where that is listed", map[string]string{"allowed-annotations": "provider"}, "provider", "istio", "", ""},
		{"weighted pools", nil, "allow-weighted-pools", "true", "allowed-annotations", "allow-weighted-pools"},
		{"weighted pools where only another is listed", map[string]string{"allowed-annotations": "provider"}, "allow-weighted-pools", "true", "allowed-annotations", "allow-weighted-pools"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := ParseDefaults(c.cluster)
			if err != nil {
				t.Fatal(err)
			}
			var refusals []Problem
			_, problems := Parse("demo", "qwen", with(c.key, c.value), d)
			for _, p := range problems {
				if !p.Warning {
					refusals = append(refusals, p)
				}
			}
			if c.list == "" {
				if len(refusals) > 0 {
					t.Errorf("refused: %v", refusals)
				}
				return
			}
			if len(refusals) != 1 || refusals[0].Path != path(inference.Domain+"/"+c.key) {
				t.Fatalf("refusals %v, want one of %s", refusals, c.key)
			}
			for _, part := range []string{"namespace demo", `"` + c.value + `"`, `add "` + c.entry + `" to "` + c.list + `"`, ConfigName} {
				if !strings.Contains(refusals[0].Message, part) {
					t.Errorf("%q does not say %s", refusals[0].Message, part)
				}
			}
		})
	}
}

func TestLists_refused(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{"allowed-gateways", "infra/[a"}, {"allowed-gateways", "infra/gw,,"}, {"allowed-epp-images", "a b"},
		{"allowed-annotations", "gateway"}, {"allowed-annotations", "knative-inference.dev/provider"},
	} {
		if _, err := ParseDefaults(map[string]string{c.key: c.value}); err == nil || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%s=%q: %v", c.key, c.value, err)
		}
	}
}
