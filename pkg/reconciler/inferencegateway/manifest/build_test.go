package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// asking parses annotations without their domain, as pairs, for default/name.
func asking(t testing.TB, name string, pairs ...string) binding.Intent {
	t.Helper()
	d, err := binding.ParseDefaults(map[string]string{"body-based-router": "managed", "allowed-hostnames": "*", "allowed-gateways": "*/*", "allowed-annotations": "provider,allow-weighted-pools"})
	if err != nil {
		t.Fatal(err)
	}
	a := map[string]string{inference.AIGatewayKey: inference.Enabled}
	for i := 0; i < len(pairs); i += 2 {
		a[inference.Domain+"/"+pairs[i]] = pairs[i+1]
	}
	in, problems := binding.Parse("default", name, a, d)
	for _, p := range problems {
		if !p.Warning {
			t.Fatalf("%s: %s", p.Path, p.Message)
		}
	}
	return *in
}

func found(p Plan, reason string) bool {
	return slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Reason == reason })
}

func kinds(p Plan) (out []string) {
	for _, o := range p.Objects {
		out = append(out, o.GetKind())
	}
	return out
}

// TestFindings holds that each thing that is missing is named, and what is made all the same.
func TestFindings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		pairs  []string
		change func(*World)
		reason string
		// without are kinds that must not be there, made those that must.
		without, made []string
	}{
		{"no revision", nil, func(w *World) { w.Revisions = nil }, inference.ReasonNoTraffic, []string{"InferencePool", "HTTPRoute"}, nil},
		{"no traffic", nil, func(w *World) { w.Main.Splits = nil }, inference.ReasonNoTraffic, nil, []string{"InferencePool", "HTTPRoute"}},
		{"no host", nil, func(w *World) { w.Main.Hosts = nil }, inference.ReasonNoHosts, []string{"HTTPRoute"}, []string{"InferencePool"}},
		{"no pool CRD", nil, func(w *World) { w.Served.InferencePool = false }, inference.ReasonPoolCRDMissing, []string{"Deployment", "HTTPRoute"}, nil},
		{"no route CRD", nil, func(w *World) { w.Served.HTTPRoute = false }, inference.ReasonRouteCRDMissing, []string{"HTTPRoute"}, []string{"InferencePool"}},
		{"no objective CRD", []string{"priority", "1"}, func(w *World) { w.Served.Objective = []string{"llm-d.ai"} }, inference.ReasonObjectiveCRDMissing, []string{"InferenceObjective"}, []string{"HTTPRoute"}},
		{"no rewrite CRD", []string{"model-rewrite", `[{"target":"a"}]`}, func(w *World) { w.Served.Rewrite = nil }, inference.ReasonRewriteCRDMissing, []string{"InferenceModelRewrite"}, []string{"HTTPRoute"}},
		{"no DestinationRule", nil, func(w *World) { w.Served.DestinationRule = false }, inference.ReasonIstioCRDMissing, []string{"DestinationRule"}, []string{"HTTPRoute"}},
		{"no EnvoyFilter", nil, func(w *World) { w.Served.EnvoyFilter = false }, inference.ReasonIstioCRDMissing, []string{"EnvoyFilter"}, []string{"HTTPRoute"}},
		{"no Gateway", nil, func(w *World) { w.Gateway = Gateway{} }, inference.ReasonGatewayNotFound, []string{"HTTPRoute"}, []string{"InferencePool", "Deployment"}},
		{"no GatewayClass", nil, func(w *World) { w.Gateway.Controller = "" }, inference.ReasonGatewayClassMissing, []string{"HTTPRoute"}, []string{"InferencePool"}},
		{"a strange GatewayClass", nil, func(w *World) { w.Gateway.Controller = "example.com/new" }, inference.ReasonProviderUnknown, []string{"EnvoyFilter"}, []string{"HTTPRoute"}},
		{"no address", nil, func(w *World) { w.Gateway.Addresses = nil }, inference.ReasonGatewayNoAddress, nil, []string{"HTTPRoute"}},
		{"no such listener", []string{"listener", "other"}, func(*World) {}, inference.ReasonListenerNotFound, []string{"HTTPRoute"}, []string{"InferencePool"}},
		{"a closed listener", nil, func(w *World) { w.Gateway.Listeners[1].Allowed = false }, inference.ReasonListenerRefuses, []string{"HTTPRoute"}, []string{"InferencePool"}},
		{"a listener of another domain", nil, func(w *World) { w.Gateway.Listeners[1].Hostname = "*.other.org" }, inference.ReasonListenerHostname, []string{"HTTPRoute"}, nil},
		{"no picker Service", []string{"epp", "mine:9002"}, func(*World) {}, inference.ReasonPickerNotFound, []string{"InferencePool", "HTTPRoute"}, nil},
		{"kgateway takes no pools", nil, func(w *World) { w.Gateway.Controller = "kgateway.dev/kgateway" }, inference.ReasonProviderUnsupported, []string{"HTTPRoute"}, nil},
		{"models without Istio", []string{"model", "qwen"}, func(w *World) { w.Gateway.Controller = "agentgateway.dev/agentgateway" }, inference.ReasonProviderUnsupported, []string{"HTTPRoute"}, nil},
		{"Triton without expressions", nil, func(w *World) {
			w.Gateway.Controller = "networking.gke.io/gateway"
			w.Revisions["qwen-00001"] = Revision{Port: 8000, Engine: annotations.Engine{Name: "triton"}}
		}, inference.ReasonProviderUnsupported, []string{"HTTPRoute"}, nil},
		{"two ports in one pool", nil, func(w *World) {
			w.Main.Splits = []Split{{"qwen-00001", 90}, {"qwen-00002", 10}}
			w.Revisions["qwen-00002"] = Revision{Port: 9000}
		}, inference.ReasonPortsDiffer, nil, []string{"HTTPRoute"}},
		{"an objective with a tag's name", []string{"objectives", "next=1"}, func(w *World) {
			w.Tags = []Traffic{{Tag: "next", Hosts: []string{"next-qwen.default.example.com"}}}
		}, inference.ReasonHostConflict, nil, []string{"HTTPRoute"}},
		{"an objective whose host is too long", []string{"objectives", strings.Repeat("a", 30) + "=1"}, func(w *World) {
			w.Main.Hosts = []string{strings.Repeat("q", 40) + ".default.example.com"}
		}, inference.ReasonNoHosts, nil, []string{"HTTPRoute"}},
		{"no traffic, and a pool for each revision", []string{"pool-mode", "revision"}, func(w *World) { w.Main.Splits = nil }, inference.ReasonNoTraffic, []string{"HTTPRoute"}, nil},
		{"a host of another namespace", []string{"hostnames", "plain.other.example.com"}, func(w *World) {
			w.HostOwners = map[string]binding.Name{"plain.other.example.com": {Namespace: "other", Name: "plain"}}
		}, inference.ReasonHostConflict, nil, []string{"HTTPRoute"}},
		{"a foreign pool by Knative's label", []string{"pool", "theirs"}, func(w *World) { w.Pool = &Pool{Selector: map[string]string{"app": "x"}} }, inference.ReasonPoolMismatch, []string{"InferencePool"}, []string{"HTTPRoute"}},
		{"many hosts", []string{"hostnames", "a0.x.io,a1.x.io,a2.x.io,a3.x.io,a4.x.io,a5.x.io,a6.x.io,a7.x.io,a8.x.io,a9.x.io,b0.x.io,b1.x.io,b2.x.io,b3.x.io,b4.x.io,b5.x.io"}, func(*World) {}, inference.ReasonTooManyMatches, nil, []string{"HTTPRoute"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := usual()
			tc.change(&w)
			p := Build(asking(t, "qwen", tc.pairs...), w)
			if !found(p, tc.reason) {
				t.Errorf("no finding %s: %v", tc.reason, p.Findings)
			}
			for _, k := range tc.without {
				if slices.Contains(kinds(p), k) {
					t.Errorf("there is a %s", k)
				}
			}
			for _, k := range tc.made {
				if !slices.Contains(kinds(p), k) {
					t.Errorf("there is no %s", k)
				}
			}
		})
	}
}

// Where config-inference-gateway asks for a pool for each revision, a Service with one picker of its own gets one pool.
func TestFindings_onePicker(t *testing.T) {
	in, w := asking(t, "qwen", "epp", "mine:9002"), usual()
	in.PoolMode = binding.PoolPerRevision
	if p := Build(in, w); !found(p, inference.ReasonProviderUnsupported) || p.Pools[""] == "" {
		t.Errorf("pools %v, findings %v; want one pool, and why", p.Pools, p.Findings)
	}
}

// A listener that is missing is reported beside those that are there.
func TestFindings_listeners(t *testing.T) {
	p := Build(asking(t, "qwen", "listener", "other"), usual())
	if !slices.ContainsFunc(p.Findings, func(f Finding) bool { return strings.Contains(f.Message, `no listener "other", only default, llm-gw`) }) {
		t.Errorf("the listeners are not named: %v", p.Findings)
	}
}

// The picker of a pool is that of its oldest Service, and objectives are of the API that this picker reads.
func TestObjectiveGroup(t *testing.T) {
	for _, tc := range []struct{ own, older, want string }{
		{"gie", "", "inference.networking.x-k8s.io"}, {"llm-d", "", "llm-d.ai"},
		{"gie", "llm-d", "llm-d.ai"}, {"llm-d", "gie", "inference.networking.x-k8s.io"},
	} {
		w := usual()
		if tc.older != "" {
			w.Neighbours = []Neighbour{{Intent: asking(t, "older", "pool", "gpus", "epp-flavor", tc.older), UID: "u-older",
				Created: w.Created.Add(-time.Hour), Revision: w.Revisions["qwen-00001"]}}
		}
		if got := Build(asking(t, "qwen", "pool", "gpus", "epp-flavor", tc.own), w).ObjectiveGroup; got != tc.want {
			t.Errorf("flavor %s with an older Service of %q: %s, want %s", tc.own, tc.older, got, tc.want)
		}
	}
}

// An older Service of the pool that has no revision yet, or none any more,
// takes nothing away from those that serve; one that has another engine does.
func TestAgreeing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		older Revision
		want  bool
	}{
		{"not up yet", Revision{}, true},
		{"alike", Revision{Port: 8000}, true},
		{"another engine", Revision{Port: 8000, Engine: annotations.Engine{Name: "sglang"}}, false},
	} {
		w := usual()
		for name, r := range w.Revisions {
			r.Port = 8000
			w.Revisions[name] = r
		}
		w.Neighbours = []Neighbour{{Intent: asking(t, "older", "pool", "gpus"), UID: "u-older", Created: w.Created.Add(-time.Hour), Revision: tc.older}}
		if got := slices.Contains(kinds(Build(asking(t, "qwen", "pool", "gpus"), w)), "InferencePool"); got != tc.want {
			t.Errorf("%s: a pool %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestShares plays Envoy: one draw for every rule of the route, as measured
// with Envoy 1.40 (200,000 of a million, then 500,000: 20 %, 30 %, 50 %).
func TestShares(t *testing.T) {
	w := usual()
	w.Revisions["qwen-00003"] = Revision{Port: 8080}
	w.Main.Splits = []Split{{"qwen-00001", 50}, {"qwen-00002", 20}, {"qwen-00003", 30}}
	p := Build(asking(t, "qwen", "pool-mode", "revision"), w)
	upTo := fractionsOf(p)
	got := map[string]int{}
	for draw := range 100 {
		for _, rule := range rulesOf(p, "qwen-inference") {
			if limit, ok := upTo[rule.name]; !ok || draw < limit {
				got[rule.pool]++
				break
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"qwen-00001": 50, "qwen-00002": 20, "qwen-00003": 30}, got); diff != "" {
		t.Errorf("of 100 draws (-want +got):\n%s", diff)
	}
}

// TestSharesBeyondARoute holds that a route stays within Gateway API's bounds,
// and that the largest of what does not fit gets the rest.
func TestSharesBeyondARoute(t *testing.T) {
	w := usual()
	w.Main.Splits = nil
	for i := range 20 {
		name := fmt.Sprintf("qwen-%05d", i+1)
		w.Revisions[name] = Revision{Port: 8080}
		w.Main.Splits = append(w.Main.Splits, Split{name, 5})
	}
	p := Build(asking(t, "qwen", "pool-mode", "revision"), w)
	rules := rulesOf(p, "qwen-inference")
	if len(rules) != 16 || !strings.HasSuffix(rules[15].name, ".p100") || !found(p, inference.ReasonTooManyMatches) {
		t.Errorf("%d rules, the last %v: %v", len(rules), rules[len(rules)-1], p.Findings)
	}
}

type rule struct{ name, pool string }

func rulesOf(p Plan, route string) (out []rule) {
	for _, o := range p.Objects {
		if o.GetKind() != "HTTPRoute" || o.GetName() != route {
			continue
		}
		for _, r := range o.Object["spec"].(fields)["rules"].(list) {
			refs, _ := r.(fields)["backendRefs"].(list)
			if len(refs) == 1 {
				out = append(out, rule{r.(fields)["name"].(string), refs[0].(fields)["name"].(string)})
			}
		}
	}
	return out
}

// fractionsOf reads the runtime fractions of a plan's EnvoyFilters by rule name.
func fractionsOf(p Plan) map[string]int {
	out := map[string]int{}
	for _, o := range p.Objects {
		if o.GetKind() != "EnvoyFilter" {
			continue
		}
		for _, patch := range o.Object["spec"].(fields)["configPatches"].(list) {
			match := patch.(fields)["match"].(fields)["routeConfiguration"].(fields)["vhost"].(fields)["route"].(fields)["name"].(string)
			value := patch.(fields)["patch"].(fields)["value"].(fields)
			if m, ok := value["match"].(fields); ok {
				out[match] = int(m["runtime_fraction"].(fields)["default_value"].(fields)["numerator"].(int64))
			}
		}
	}
	return out
}

// TestLiveRulesKeepTheirShares holds that the filter of a new split still has
// the fractions of the live route, which is replaced only after it.
func TestLiveRulesKeepTheirShares(t *testing.T) {
	w := usual()
	w.Main.Splits = []Split{{"qwen-00001", 50}, {"qwen-00002", 50}}
	w.LiveRules = []string{"default.qwen.main.qwen-00002.p10", "default.qwen.main.qwen-00001.p100", "default.qwen2.main.x.p7", "default.qwen.odd"}
	got := fractionsOf(Build(asking(t, "qwen", "pool-mode", "revision"), w))
	want := map[string]int{"default.qwen.main.qwen-00001.p50": 50, "default.qwen.main.qwen-00002.p10": 10}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fractions (-want +got):\n%s", diff)
	}
}

// TestEveryMemberRendersTheSame holds that Services that share a pool or a
// Gateway never write the same object in two ways, which they would for ever.
func TestEveryMemberRendersTheSame(t *testing.T) {
	a := asking(t, "qwen", "pool", "gpus", "priority", "-1", "model", "qwen", "hostnames", "llm.example.com", "queue-ttl", "1m")
	c := asking(t, "llama", "pool", "gpus", "objectives", "batch=-5", "model", "llama", "hostnames", "llm.example.com", "paths", "/v1/completions")
	worldA := usual()
	worldA.Tags = []Traffic{{Tag: "next", Hosts: []string{"next-qwen.default.example.com"}, Splits: []Split{{"qwen-00002", 100}}}}
	worldC := usual()
	worldC.ServiceUID, worldC.Created = "uid-llama", epoch.Add(time.Hour)
	worldC.Main = Traffic{Hosts: []string{"llama.default.example.com"}, Splits: []Split{{"llama-00001", 100}}}
	worldC.Revisions = map[string]Revision{"llama-00001": {Port: 8080, Timeout: 20 * time.Minute}}
	worldA.Neighbours = []Neighbour{{Intent: c, UID: worldC.ServiceUID, Created: worldC.Created, Hosts: worldC.Main.Hosts, Revision: worldC.Revisions["llama-00001"]}}
	worldC.Neighbours = []Neighbour{{Intent: a, UID: worldA.ServiceUID, Created: worldA.Created, Hosts: append(worldA.Main.Hosts, worldA.Tags[0].Hosts...), Revision: worldA.Revisions["qwen-00001"]}}
	common := func(p Plan) map[string]any {
		out := map[string]any{}
		for _, o := range slices.Concat(p.Gateway, p.Objects) {
			if o.Ownership == Shared || o.Ownership == GatewayWide {
				out[o.GetKind()+" "+o.GetName()] = o.Object
			}
		}
		return out
	}
	first, second := common(Build(a, worldA)), common(Build(c, worldC))
	if len(first) < 12 {
		t.Errorf("only %d common objects", len(first))
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the two differ:\n%s", diff)
	}
}

func TestDetect(t *testing.T) {
	for _, tc := range []struct {
		controller, class string
		want              Provider
	}{
		{"istio.io/gateway-controller", "istio", Istio},
		{"istio.io/gateway-controller", "ack-gateway", Istio},
		{"agentgateway.dev/agentgateway", "agentgateway", AgentGateway},
		{"gateway.envoyproxy.io/gatewayclass-controller", "eg", EnvoyGateway},
		{"gateway.envoyproxy.io/gatewayclass-controller", "ack-gateway", ACK},
		{"gateway.nginx.org/nginx-gateway-controller", "nginx", NGINX},
		{"networking.gke.io/gateway", "gke-l7-rilb", GKE},
		{"kgateway.dev/kgateway", "kgateway", Kgateway},
		{"example.com/x", "x", Unknown},
		{"", "", Unknown},
	} {
		if got := Detect(tc.controller, tc.class); got != tc.want {
			t.Errorf("%s, %s: %s, want %s", tc.controller, tc.class, got, tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	if n := fit(long, maxPool); len(n) != maxPool || n == fit(long+"b", maxPool) {
		t.Errorf("fit: %s", n)
	}
	if n := pickerName(fit(long, maxPool)); len(n) > maxName {
		t.Errorf("picker: %s", n)
	}
	if a, b := scoped("a-b", "c"), scoped("a", "b-c"); a == b || len(scoped(long, long)) > maxName {
		t.Errorf("scoped: %s, %s", a, b)
	}
	for d, want := range map[time.Duration]string{0: "0s", 90 * time.Second: "1m30s", 25 * time.Hour: "25h", 1500 * time.Millisecond: "1s500ms"} {
		if got := gatewayDuration(d); string(got) != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
