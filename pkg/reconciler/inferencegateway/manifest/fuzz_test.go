package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// FuzzBuild holds that no accepted annotations, no two neighbours and no world make
// Build panic, differ from one run to the next, write an object twice or into a
// namespace of somebody else, or ask a one-picker gateway for two pools in a rule.
// Annotations are lines "key: value".
func FuzzBuild(f *testing.F) {
	f.Add("pool-mode: revision", "", "", uint16(0xffff), int32(10), uint8(0))
	f.Add("objectives: a=1,b=-2", "objectives: a=3", "priority: 7", uint16(0x00ff), int32(100), uint8(1))
	f.Add("model: x,y", "model: y,z", "model: x", uint16(0xf0f0), int32(0), uint8(2))
	f.Add("model: x\nhostnames: llm.default.example.com\npaths: /a,/b", "model: x\nhostnames: llm.default.example.com", "hostnames: llm.default.example.com\nmodel: x",
		uint16(0xffff), int32(50), uint8(0))
	f.Add("pool: shared\npriority: 1", "pool: shared\npriority: 2", "pool: shared", uint16(0xffff), int32(50), uint8(0))
	f.Add("pool: shared\ntarget: user-container\nepp: none", "pool: shared\ntarget: queue-proxy", "pool: shared\nepp-replicas: 3", uint16(0x0fff), int32(1), uint8(1))
	f.Add("pool-mode: revision\nobjectives: gold=5,batch=-5\nobjective-header: none\nfailure-mode: FailOpen", "pool-mode: revision\nobjectives: gold=1", "",
		uint16(0xffff), int32(33), uint8(0))
	f.Add("model: a\nmodel-rewrite: [{\"target\":\"b\",\"weight\":1}]\nmatch-headers: x=y\nlistener: llm-gw\nrequest-timeout: 1s", "model: a\nmatch-headers: x=y", "model: a\nmatch-headers: x=z",
		uint16(0xffff), int32(99), uint8(0))
	f.Add("hostnames: a.default.example.com,b.default.example.com\nobjectives: a=1\nallow-weighted-pools: true\npool-mode: revision", "hostnames: a-a.default.example.com", "provider: istio",
		uint16(0xffff), int32(7), uint8(3))
	f.Add("gateway: other/edge", "gateway: other/edge\nmodel: m", "gateway: other/edge\nmodel: n", uint16(0xffff), int32(50), uint8(0))
	controllers := []string{"istio.io/gateway-controller", "agentgateway.dev/agentgateway", "networking.gke.io/gateway", "x"}
	f.Fuzz(func(t *testing.T, own, first, second string, bits uint16, percent int32, provider uint8) {
		in := intentOf("default", "qwen", own)
		if in == nil {
			return
		}
		w := randomWorld(bits, percent, controllers[int(provider)%len(controllers)])
		w.Neighbours = append(neighbourOf("default", "llama", first, 1), neighbourOf("other", "qwen", second, 2)...)
		p := Build(*in, w)
		checkObjects(t, *in, p)
		if again := Build(*in, w); !reflect.DeepEqual(p, again) {
			t.Error("the same world gives two plans")
		}
		if p.Provider != AgentGateway && !in.AllowWeightedPools {
			checkRules(t, p)
		}
	})
}

// intentOf parses annotations, nil when they are refused.
func intentOf(namespace, service, lines string) *binding.Intent {
	d, err := binding.ParseDefaults(map[string]string{"body-based-router": "managed", "allowed-gateways": "other/*", "allowed-annotations": "provider,allow-weighted-pools"})
	if err != nil {
		panic(err) // ours
	}
	d.Domains = []string{"example.com"}
	annotations := map[string]string{inference.AIGatewayKey: inference.Enabled}
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		annotations[inference.Domain+"/"+key] = value
	}
	in, problems := binding.Parse(namespace, service, annotations, d)
	if slices.ContainsFunc(problems, func(p binding.Problem) bool { return !p.Warning }) {
		return nil
	}
	return in
}

// neighbourOf is none when its annotations are refused, as for the reconciler.
func neighbourOf(namespace, service, lines string, age int) []Neighbour {
	in := intentOf(namespace, service, lines)
	if in == nil {
		return nil
	}
	uid := fmt.Sprintf("uid-%d", age)
	return []Neighbour{{
		Intent: *in, UID: types.UID(uid), Created: epoch.AddDate(0, 0, 1-age),
		Hosts: []string{service + "." + namespace + ".example.com"}, Revision: Revision{Port: 8080},
	}}
}

func checkObjects(t *testing.T, in binding.Intent, p Plan) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range slices.Concat(p.Gateway, p.Objects) {
		id := fmt.Sprintf("%s %s/%s", o.GroupVersionKind(), o.GetNamespace(), o.GetName())
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		runtime.DeepCopyJSON(o.Object)
		shared := o.Ownership == Labelled || o.Ownership == GatewayWide
		if o.GetNamespace() != in.Namespace && !(shared && o.GetNamespace() == in.Gateway.Namespace) {
			t.Errorf("%s is neither in the Service's namespace nor labelled in that of its Gateway %s", id, in.Gateway)
		}
		if o.GetName() == "" || len(o.GetName()) > 253 {
			t.Errorf("%s has no name that Kubernetes takes", id)
		}
	}
}

func checkRules(t *testing.T, p Plan) {
	t.Helper()
	for _, o := range p.Objects {
		if o.GetKind() != "HTTPRoute" {
			continue
		}
		for _, r := range o.Object["spec"].(fields)["rules"].(list) {
			refs, _ := r.(fields)["backendRefs"].(list)
			pools := 0
			for _, ref := range refs {
				if ref.(fields)["kind"] == poolKind {
					pools++
				}
			}
			if pools > 1 || pools == 1 && len(refs) > 1 {
				t.Errorf("%d pools and %d other backends in one rule for %s", pools, len(refs)-pools, p.Provider)
			}
		}
	}
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
		w.Revisions["qwen-00002"] = Revision{H2C: true, Engine: annotations.Engine{Name: "triton", MetricsPort: 8002}}
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
	if has(12) {
		w.ServingPools, w.KnownPools = []string{"qwen-00001", "x"}, []string{"qwen-00002"}[:len(w.LiveRules)/4]
	}
	return w
}
