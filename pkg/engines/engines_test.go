package engines_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// One value is all that a new engine takes: the annotation accepts it, its container and
// its page are recognised, its metrics are read, and a picker gets their names.
func TestAll_aMadeUpEngineIsOneValue(t *testing.T) {
	engines.Register(t, engines.Engine{
		Name: "made-up", Prefix: "madeup_", Path: "/stats", Port: 9999,
		Signs: []engines.Sign{{"made-up-server"}},
		Rows: []engines.Row{
			{Field: engines.Running, Family: "madeup_running", Fold: engines.Sum},
			{Field: engines.TTFT, Family: "madeup_first_token_seconds", Kind: engines.Histogram},
		},
		Picker: engines.Picker{Scorers: []string{engines.QueueScorer}, Waiting: "madeup_queue"},
	})

	if e, problems := annotations.ReadEngine(map[string]string{autoscaling.EngineKey: "made-up"}); len(problems) > 0 || e.Name != "made-up" {
		t.Errorf("the annotation: %+v, %v", e, problems)
	}
	if got := engines.Detect("example.com/llm:1", "made-up-server", "--port=8080"); got != "made-up" {
		t.Errorf("Detect = %q", got)
	}
	for _, name := range []string{"", "made-up"} {
		p, err := engine.NewTables().NewParser(name, 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		var s engine.Stat
		err = p.Parse([]byte("madeup_running 3\nmadeup_first_token_seconds_count 7\n"), &s)
		if err != nil || s.Engine != "made-up" || s.Running != 3 || s.TTFT.Count != 7 {
			t.Errorf("the page, engine %q: %+v, %v", name, s, err)
		}
	}
	plan := manifest.Build(intent(t), world("made-up"))
	text, err := json.Marshal(plan.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"madeup_queue", "/stats", "9999"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the picker is not told %q", want)
		}
	}
}

func intent(t *testing.T) binding.Intent {
	t.Helper()
	d, err := binding.ParseDefaults(nil)
	if err != nil {
		t.Fatal(err)
	}
	in, problems := binding.Parse("default", "qwen", map[string]string{inference.AIGatewayKey: inference.Enabled}, d)
	if in == nil {
		t.Fatal(problems)
	}
	return *in
}

func world(name string) manifest.World {
	return manifest.World{
		ClusterDomain: "cluster.local",
		Gateway: manifest.Gateway{
			Exists: true, Class: "istio", Controller: "istio.io/gateway-controller", Addresses: []string{"10.0.0.1"},
			Listeners: []manifest.Listener{{Name: "default", Port: 80, Protocol: "HTTP", Allowed: true}},
		},
		Served:    manifest.Served{HTTPRoute: true, InferencePool: true, DestinationRule: true, EnvoyFilter: true},
		Main:      manifest.Traffic{Hosts: []string{"qwen.default.example.com"}, Splits: []manifest.Split{{Revision: "qwen-00001", Percent: 100}}},
		Revisions: map[string]manifest.Revision{"qwen-00001": {Port: 8080, Engine: annotations.Engine{Name: name}}},
	}
}

// What is wrong with an engine shows here and not on somebody's cluster.
func TestAll_areSound(t *testing.T) {
	scorers := []string{engines.QueueScorer, engines.KVCacheScorer, engines.PrefixCacheScorer, engines.LoRAScorer}
	seen := map[string]bool{}
	for _, e := range engines.All() {
		if e.Name == "" || strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || seen[e.Name] {
			t.Errorf("the name %q is empty, taken, or no label", e.Name)
		}
		seen[e.Name] = true
		if e.Prefix == "" || len(e.Rows) == 0 || len(e.Signs) == 0 || len(e.Picker.Scorers) == 0 {
			t.Errorf("%s has no prefix, rows, signs or scorers: %+v", e.Name, e)
		}
		if e.Port < 0 || e.Port > 65535 || !strings.HasPrefix(e.MetricsPath(), "/") {
			t.Errorf("%s: port %d, path %q", e.Name, e.Port, e.MetricsPath())
		}
		for _, s := range e.Picker.Scorers {
			if !slices.Contains(scorers, s) {
				t.Errorf("%s: no scorer %q", e.Name, s)
			}
		}
		for _, r := range e.Rows {
			ranks := r.Fold == engines.SumRanks || r.Fold == engines.WeightedRanks
			if r.Family == "" || ranks && len(e.Ranks) == 0 || r.Kind == engines.Info && len(r.Product) == 0 {
				t.Errorf("%s: %+v has no family, or its fold no rank, or no product", e.Name, r)
			}
		}
	}
}

func TestDetect(t *testing.T) {
	for words, want := range map[string]string{
		"example.com/llm:1": "",
		"example.com/llm:1 python3 -m vllm.entrypoints.openai.api_server": "vllm",
		"lmsysorg/sglang:latest":                              "sglang",
		"vllm/vllm-openai sglang":                             "sglang",
		"x tritonserver":                                      "triton",
		"nvcr.io/nvidia/tritonserver:25.01-trtllm-python-py3": "triton-tensorrt-llm",
		"nvcr.io/nvidia/tritonserver:25.01-py3 --backend-config=tensorrt_llm,x=y": "triton-tensorrt-llm",
		"nvcr.io/nvidia/tensorrt-llm/release trtllm-serve m":                      "trtllm-serve",
		"ghcr.io/huggingface/text-generation-inference:3":                         "tgi",
		"openmmlab/lmdeploy:latest lmdeploy serve api_server Qwen/Qwen3 --max 1":  "lmdeploy",
	} {
		if got := engines.Detect(strings.Fields(words)...); got != want {
			t.Errorf("Detect(%q) = %q, want %q", words, got, want)
		}
	}
}

func TestByName_unknown(t *testing.T) {
	e, known := engines.ByName("gpt")
	if known || e.MetricsPath() != engines.DefaultPath || e.Port != 0 {
		t.Errorf("ByName of an unknown engine: %+v, %t", e, known)
	}
}

// What the user names wins, then the engine's own, then the port that serves requests.
func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		engine      string
		namedPort   int
		namedPath   string
		wantPort    int
		wantPath    string
		requestPort int
	}{
		{"vllm", 0, "", 8000, "/metrics", 8000},
		{"triton", 0, "", 8002, "/metrics", 8000},
		{"triton", 9002, "/m?a=b", 9002, "/m?a=b", 8000},
		{"trtllm-serve", 0, "", 8000, "/prometheus/metrics", 8000},
		{"", 0, "", 0, "/metrics", 0}, // not known, and no port: nothing is read
	} {
		e, _ := engines.ByName(c.engine)
		port, path := e.Endpoint(c.namedPort, c.namedPath, c.requestPort)
		if port != c.wantPort || path != c.wantPath {
			t.Errorf("%+v: port %d at %s", c, port, path)
		}
	}
}

// Another name of an engine is that of no other, in lower case.
func TestMeant(t *testing.T) {
	seen := map[string]string{}
	for _, e := range engines.All() {
		for _, word := range append(e.Also, e.Name) {
			if other, ok := seen[word]; ok || word != strings.ToLower(word) {
				t.Errorf("%q of %s: also of %q, or not in lower case", word, e.Name, other)
			}
			seen[word] = e.Name
		}
	}
	if got := engines.Meant("Ray"); got != "ray-serve-llm" {
		t.Errorf("Ray means %q", got)
	}
}
