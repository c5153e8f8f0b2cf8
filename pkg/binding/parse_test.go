package binding

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// with is an enabled Service with more annotations: key without domain, value.
func with(pairs ...string) map[string]string {
	a := map[string]string{inference.AIGatewayKey: inference.Enabled}
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i]
		if !strings.Contains(key, "/") {
			key = inference.Domain + "/" + key
		}
		a[key] = pairs[i+1]
	}
	return a
}

// permissive are the defaults of a cluster whose administrator lists everything.
func permissive(t *testing.T) Defaults {
	t.Helper()
	d, err := ParseDefaults(map[string]string{allowedGatewaysKey: "*/*", allowedImagesKey: "*/*,*/*/*", allowedKeysKey: "provider,allow-weighted-pools"})
	if err != nil {
		t.Fatal(err)
	}
	d.Domains = []string{"example.com"}
	return d
}

func parse(t *testing.T, annotations map[string]string) (*Intent, []Problem) {
	t.Helper()
	d := permissive(t)
	return Parse("default", "qwen", annotations, d)
}

func TestParse(t *testing.T) {
	one, minus := int32(1), int32(-1)
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		want        func(*Intent)
	}{
		{"only asked for", with(), func(*Intent) {}},
		{"ACK's own keys", map[string]string{inference.ACKGatewayKey: "inference", inference.ACKPriorityKey: "1"}, func(in *Intent) { in.Priority = &one }},
		{"a word of ACK's", map[string]string{inference.ACKGatewayKey: "inference", inference.ACKPriorityKey: "Critical"}, func(in *Intent) { in.Priority = &one }},
		{"our key wins", with(inference.ACKPriorityKey, "5", "priority", "Sheddable"), func(in *Intent) { in.Priority = &minus }},
		{"another Gateway", with("gateway", "infra/llm", "listener", "*"), func(in *Intent) { in.Gateway, in.Listener = Name{"infra", "llm"}, "" }},
		{"hosts and paths", with("hostnames", "a.default.example.com, b.default.example.com", "paths", "/v1/completions"), func(in *Intent) {
			in.Hostnames, in.Paths = []string{"a.default.example.com", "b.default.example.com"}, []string{"/v1/completions"}
		}},
		{"objectives", with("objectives", "batch=-10,vip=20"), func(in *Intent) { in.Objectives = []Objective{{"batch", -10}, {"vip", 20}} }},
		{"a picker of the user's", with("epp", "mine:9002", "epp-flavor", "llm-d"), func(in *Intent) {
			in.Picker.Mode, in.Picker.Service, in.Picker.Port, in.Picker.Flavor = PickerExternal, "mine", 9002, FlavorLLMD
		}},
		{"an image tells its flavor", with("epp-image", "ghcr.io/llm-d/router:1"), func(in *Intent) { in.Picker.Image, in.Picker.Flavor = "ghcr.io/llm-d/router:1", FlavorLLMD }},
		{"the pool", with("pool-mode", "revision", "target", "user-container", "failure-mode", "FailClose", "endpoint-hold", "500ms", "adopt", "true", "allow-weighted-pools", "true"), func(in *Intent) {
			in.PoolMode, in.PoolPort, in.FailOpen, in.EndpointHold, in.Adopt, in.AllowWeightedPools = PoolPerRevision, PortUserContainer, false, 500*time.Millisecond, true, true
		}},
		{"flow control", with("flow-control", "false", "queue-ttl", "1m", "queue-max-requests", "7", "queue-depth", "9"), func(in *Intent) { in.Flow = FlowControl{false, time.Minute, 7, 9} }},
		{"a selector", with("selector", "release=qwen,tier=gold"), func(in *Intent) { in.Selector = map[string]string{"release": "qwen", "tier": "gold"} }},
		{"headers", with("match-headers", "x-model-version=v2"), func(in *Intent) { in.MatchHeaders = []Header{{"x-model-version", "v2"}} }},
		{"targets are for the model", with("model", "/models/Qwen1.5-4B-Chat/", "model-rewrite", `[{"target":"a","weight":9},{"target":"b","weight":1}]`), func(in *Intent) {
			in.Models = []string{"/models/Qwen1.5-4B-Chat/"}
			in.ModelRewrite = []Rewrite{{"/models/Qwen1.5-4B-Chat/", []RewriteTarget{{"a", 9}, {"b", 1}}}}
		}},
		{"targets of each model", with("model-rewrite", `[{"model":"m","targets":[{"target":"a"}]},{"targets":[{"target":"b","weight":1}]}]`), func(in *Intent) {
			in.ModelRewrite = []Rewrite{{"m", []RewriteTarget{{"a", 1}}}, {"", []RewriteTarget{{"b", 1}}}}
		}},
		{"negative priorities wait", with("objectives", "batch=-10", "negative-priority", "wait"), func(in *Intent) {
			in.Objectives, in.NegativePriority = []Objective{{"batch", -10}}, NegativeWait
		}},
		{"auto is the default", with("provider", "auto", "request-timeout", "90s", "objective-header", "none"), func(in *Intent) { in.RequestTimeout, in.ObjectiveHeader = 90*time.Second, HeaderNone }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, problems := parse(t, tc.annotations)
			for _, p := range problems {
				if !p.Warning {
					t.Errorf("%s: %s", p.Path, p.Message)
				}
			}
			want := Intent(permissive(t))
			want.Namespace, want.Service, want.Picker.Flavor = "default", "qwen", FlavorGIE
			tc.want(&want)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("Intent (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNotAskedFor holds that a Service that does not ask gets nothing, and hears of settings without effect.
func TestNotAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		warnings    int
	}{
		{"nothing", nil, 0},
		{"disabled", with("ai-gateway", "disabled", "pool", "x"), 0},
		{"ours wins over ACK's", map[string]string{inference.AIGatewayKey: "disabled", inference.ACKGatewayKey: "inference"}, 0},
		{"a setting alone", map[string]string{inference.PoolKey: "x"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, problems := parse(t, tc.annotations)
			if in != nil || len(problems) != tc.warnings {
				t.Errorf("got %v and %v", in, problems)
			}
			for _, p := range problems {
				if !p.Warning {
					t.Errorf("%s is an error", p.Path)
				}
			}
		})
	}
}

// TestRefused holds that each wrong value is refused at its path, with the value and what is allowed.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		key, value string
		says       []string
	}{
		{"ai-gateway", "yes", []string{`"yes"`, `"inference"`, `"disabled"`}},
		{inference.ACKGatewayKey, "on", []string{`"on"`, `"inference"`}},
		{inference.ACKPriorityKey, "high", []string{`"high"`, "Critical", "Sheddable"}},
		{"priority", "2147483648", []string{"2147483647"}},
		{"priority", "NaN", []string{"whole number"}},
		{"gateway", "knative-gateway", []string{"namespace/name"}},
		{"listener", "A b", []string{`"*"`}},
		{"provider", "nginx-plus", []string{`"nginx"`}},
		{"hostnames", "*.example.com", []string{"wildcard"}},
		{"hostnames", "a.example.com:80", []string{"port"}},
		{"paths", "v1/completions", []string{"begins with"}},
		{"paths", "/a/../b", []string{"/../"}},
		{"paths", "/a,,/b", []string{"empty entry"}},
		{"negative-priority", "queue", []string{`"queue"`, `"shed"`, `"wait"`}},
		{"request-timeout", "1000h", []string{"24h"}},
		{"request-timeout", "1µs", []string{"millisecond"}},
		{"pool-mode", "pod", []string{`"service"`, `"revision"`}},
		{"pool", "Upper", []string{"lower-case"}},
		{"pool", strings.Repeat("a", 52), []string{"51"}},
		{"selector", "a", []string{"release=qwen"}},
		{"selector", "a=b c", []string{"label"}},
		{"target", "sidecar", []string{`"queue-proxy"`}},
		{"failure-mode", "open", []string{`"FailOpen"`}},
		{"endpoint-hold", "-1s", []string{"1m"}},
		{"epp", "mine", []string{"service:port"}},
		{"epp", "mine:99999", []string{"service:port"}},
		{"epp-image", "", []string{"image"}},
		{"epp-replicas", "0", []string{"1 to 10"}},
		{"epp-flavor", "x", []string{`"gie"`}},
		{"flow-control", "on", []string{`"true"`}},
		{"queue-ttl", "0s", []string{"1s"}},
		{"queue-max-requests", "1e3", []string{"whole number"}},
		{"queue-depth", "0", []string{"1 to 10000"}},
		{"objectives", "batch", []string{"batch=-10"}},
		{"objectives", "batch=-10,batch=5", []string{"twice"}},
		{"objectives", "batch=low", []string{"batch", "whole number"}},
		{"objective-header", "always", []string{`"auto"`}},
		{"model", "a b", []string{"ASCII"}},
		{"match-headers", "a b=c", []string{"header"}},
		{"model-rewrite", `{}`, []string{"list of targets"}},
		{"model-rewrite", `[{"target":"a","weight":1},{"target":"b"}]`, []string{"weight 0"}},
		{"model-rewrite", `[{"model":"m","target":"a","targets":[]}]`, []string{"both forms"}},
		{"model-rewrite", `[{"target":"a","wieght":1}]`, []string{"wieght"}},
		{"model-rewrite", `[{"target":"a"}] x`, []string{"follows"}},
		{"ai-gatway", "inference", []string{"did you mean knative-inference.dev/ai-gateway"}},
		{"engine", "vllm", []string{"spec.template"}},
		{"metrics-port", "8000", []string{"spec.template"}},
	} {
		t.Run(tc.key+"="+tc.value, func(t *testing.T) {
			a := with(tc.key, tc.value)
			if strings.HasPrefix(tc.key, "knative.aliyun.com/ai-gateway") && tc.key == inference.ACKGatewayKey {
				delete(a, inference.AIGatewayKey)
			}
			_, problems := parse(t, a)
			key := tc.key
			if !strings.Contains(key, "/") {
				key = inference.Domain + "/" + key
			}
			for _, p := range problems {
				if p.Path != "metadata.annotations["+key+"]" || p.Warning {
					continue
				}
				for _, s := range tc.says {
					if !strings.Contains(p.Message, s) {
						t.Errorf("%q does not say %q", p.Message, s)
					}
				}
				return
			}
			t.Errorf("not refused: %v", problems)
		})
	}
}

// TestTogether holds what each value allows alone and not with another.
func TestTogether(t *testing.T) {
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		path        string
		warning     bool
	}{
		{"a shared pool has one for all revisions", with("pool", "gpus", "pool-mode", "revision"), "pool-mode", false},
		{"a shared pool has its selector", with("pool", "gpus", "selector", "a=b"), "selector", false},
		{"pools of revisions have theirs", with("pool-mode", "revision", "selector", "a=b"), "selector", false},
		{"pools of revisions need pickers", with("pool-mode", "revision", "epp", "mine:9002"), "epp", false},
		{"flow control is in our picker", with("epp", "none", "flow-control", "true"), "flow-control", false},
		{"too many matches", with("paths", "/a,/b,/c,/d,/e,/f,/g,/h,/i", "model", "a,b,c,d,e,f,g,h"), "model", false},
		{"letting negative priorities wait is for our picker", with("epp", "none", "negative-priority", "wait"), "negative-priority", false},
		{"nobody waits without flow control", with("flow-control", "false", "negative-priority", "wait"), "negative-priority", false},
		{"a shared pool does not sleep", with("pool", "gpus", "negative-priority", "wait"), "negative-priority", false},
		{"the user's own configuration says who waits", with("epp-config", "mine", "negative-priority", "wait"), "negative-priority", false},
		{"nobody wakes it", with("priority", "-1", "negative-priority", "wait"), "negative-priority", true},
		{"a negative priority hurts", with("priority", "-1"), "priority", true},
		{"clients choose", with("priority", "1", "objective-header", "none"), "objective-header", true},
		{"a path that the picker cannot read", with("paths", "/v1/completions,/v1/messages"), "paths", true},
		{"nobody writes the header", with("model", "qwen"), "model", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, problems := parse(t, tc.annotations)
			for _, p := range problems {
				if p.Path == path(inference.Domain+"/"+tc.path) && p.Warning == tc.warning {
					return
				}
			}
			t.Errorf("no such problem: %v", problems)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range settings() {
		f.Add(s.key, "batch=-10,vip=20")
	}
	f.Add(inference.ModelRewriteKey, `[{"model":"m","targets":[{"target":"a","weight":1}]}]`)
	f.Add(inference.PickerKey, "[::1]:9002")
	f.Fuzz(func(t *testing.T, key, value string) {
		in, problems := parse(t, with(key, value))
		for _, p := range problems {
			if p.Path == "" || p.Message == "" {
				t.Errorf("an empty problem for %q=%q", key, value)
			}
			if !p.Warning {
				return
			}
		}
		if in == nil {
			return
		}
		if in.Flow.TTL <= 0 || in.Picker.Replicas < 1 || in.Flow.MaxRequests < 1 || in.RequestTimeout < 0 || in.Picker.Flavor == FlavorAuto {
			t.Errorf("%q=%q was accepted as %+v", key, value, in)
		}
	})
}
