package manifest

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// FuzzBuild holds that no accepted annotations and no world make Build panic,
// write an object twice, or ask a one-picker gateway for two pools in a rule.
func FuzzBuild(f *testing.F) {
	f.Add("pool-mode", "revision", uint16(0xffff), int32(10), uint8(0))
	f.Add("objectives", "a=1,b=-2", uint16(0x00ff), int32(100), uint8(1))
	f.Add("model", "x,y", uint16(0xf0f0), int32(0), uint8(2))
	controllers := []string{"istio.io/gateway-controller", "agentgateway.dev/agentgateway", "networking.gke.io/gateway", "x"}
	f.Fuzz(func(t *testing.T, key, value string, bits uint16, percent int32, provider uint8) {
		d, _ := binding.ParseDefaults(map[string]string{"body-based-router": "managed"})
		in, problems := binding.Parse("default", "qwen", map[string]string{inference.AIGatewayKey: inference.Enabled, inference.Domain + "/" + key: value}, d)
		if in == nil || slices.ContainsFunc(problems, func(p binding.Problem) bool { return !p.Warning }) {
			return
		}
		p := Build(*in, randomWorld(bits, percent, controllers[int(provider)%len(controllers)]))
		seen := map[string]bool{}
		for _, o := range slices.Concat(p.Gateway, p.Objects) {
			id := fmt.Sprintf("%s %s/%s", o.GroupVersionKind(), o.GetNamespace(), o.GetName())
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
			runtime.DeepCopyJSON(o.Object)
		}
		if p.Provider == AgentGateway || in.AllowWeightedPools {
			return
		}
		for _, o := range p.Objects {
			if o.GetKind() != "HTTPRoute" {
				continue
			}
			for _, r := range o.Object["spec"].(fields)["rules"].(list) {
				if refs, _ := r.(fields)["backendRefs"].(list); len(refs) > 1 {
					t.Errorf("%d pools in one rule for %s", len(refs), p.Provider)
				}
			}
		}
	})
}

// randomWorld leaves out of usual what the bits say.
func randomWorld(bits uint16, percent int32, controller string) World {
	w := usual()
	has := func(i int) bool { return bits&(1<<i) != 0 }
	w.Gateway.Controller, w.Gateway.Exists = controller, has(0)
	w.Served.HTTPRoute, w.Served.InferencePool, w.Served.EnvoyFilter, w.Served.DestinationRule = has(1), has(2), has(3), has(4)
	w.Main.Splits = []Split{{"qwen-00001", percent}, {"qwen-00002", 100 - percent}, {"gone", 5}}
	w.PickerService = has(5)
	if !has(6) {
		w.Main.Hosts = nil
	}
	if !has(7) {
		w.Revisions["qwen-00002"] = Revision{H2C: true, Engine: binding.Engine{Name: binding.Triton, MetricsPort: 8002}}
	}
	if has(8) {
		w.Pool = &Pool{Managed: has(9), Selector: map[string]string{"app": "x", "y": "z"}}
	}
	if !has(10) {
		w.Revisions = nil
	}
	if has(11) {
		w.LiveRules = []string{"default.qwen.", "default.qwen.main", "default.qwen.a.b.p10", "default.qwen.obj-x.inference.p-3"}
	}
	return w
}
