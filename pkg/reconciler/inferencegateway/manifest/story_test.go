package manifest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

var update = flag.Bool("update", false, "write the stories' .golden.yaml anew")

// story is one file of testdata: what users wrote and what the cluster holds.
type story struct {
	// Story says what is shown.
	Story string
	// Config is config-inference-gateway, Annotations the Service's.
	Config, Annotations map[string]string
	// World is laid over usual().
	World      World
	Neighbours []neighbour
}

// neighbour is another Service of a story.
type neighbour struct {
	Namespace, Name string
	Annotations     map[string]string
	Hosts           []string
	Port            int32
	// Minutes it is younger than the story's Service.
	Minutes int
}

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// usual is ACK's walk-through on Istio: one revision, the Gateway with two listeners.
func usual() World {
	return World{
		ServiceUID: "uid-qwen", Created: epoch, ClusterDomain: "cluster.local",
		Gateway: Gateway{
			Exists: true, Class: "istio", Controller: "istio.io/gateway-controller", Addresses: []string{"10.0.0.1"},
			Listeners: []Listener{{Name: "default", Port: 80, Protocol: "HTTP", Allowed: true}, {Name: "llm-gw", Port: 8888, Protocol: "HTTP", Allowed: true}},
		},
		Served: Served{
			HTTPRoute: true, InferencePool: true, PoolAppProtocol: true, DestinationRule: true, EnvoyFilter: true,
			Objective: []string{"inference.networking.x-k8s.io"}, Rewrite: []string{"inference.networking.x-k8s.io"},
		},
		Main: Traffic{Hosts: []string{"qwen.default.example.com"}, Splits: []Split{{"qwen-00001", 100}}},
		Revisions: map[string]Revision{
			"qwen-00001": {Port: 8080, Timeout: 5 * time.Minute},
			"qwen-00002": {Port: 8080, Timeout: 10 * time.Minute},
		},
	}
}

func load(t *testing.T, file string) story {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := story{World: usual()}
	if err := yaml.UnmarshalStrict(text, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

func (s story) intent(t *testing.T, namespace, name string, annotations map[string]string) binding.Intent {
	t.Helper()
	d, err := binding.ParseDefaults(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	d.Domains = []string{"example.com"}
	in, problems := binding.Parse(namespace, name, annotations, d)
	for _, p := range problems {
		if !p.Warning {
			t.Fatalf("%s: %s", p.Path, p.Message)
		}
	}
	if in == nil {
		t.Fatal("the Service does not ask for the gateway")
	}
	return *in
}

func (s story) build(t *testing.T) Plan {
	t.Helper()
	w := s.World
	for _, n := range s.Neighbours {
		w.Neighbours = append(w.Neighbours, Neighbour{
			Intent: s.intent(t, n.Namespace, n.Name, n.Annotations), UID: types.UID("uid-" + n.Name),
			Created: epoch.Add(time.Duration(n.Minutes) * time.Minute), Hosts: n.Hosts, Revision: Revision{Port: n.Port, Timeout: time.Minute},
		})
	}
	return Build(s.intent(t, "default", "qwen", s.Annotations), w)
}

// printed shows a plan: the summary, then each object.
func printed(t *testing.T, title string, p Plan) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.SplitSeq(strings.TrimSpace(title), "\n") {
		fmt.Fprintf(&out, "# %s\n", line)
	}
	write := func(v any) {
		text, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	write(map[string]any{"findings": p.Findings, "pods": p.Pods, "pools": p.Pools, "hosts": p.Hosts, "hold": p.Hold.String(), "targetPort": p.TargetPort, "provider": p.Provider,
		"objectiveGroup": p.ObjectiveGroup, "podLabelKeys": p.PodLabelKeys})
	owner := []string{"controlled", "shared", "labelled", "gateway-wide"}
	for _, o := range slices.Concat(p.Gateway, p.Objects) {
		fmt.Fprintf(&out, "--- # stage %d, %s\n", o.Stage, owner[o.Ownership])
		write(o.Object)
	}
	return out.Bytes()
}

func stories(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(all) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	return slices.DeleteFunc(all, func(f string) bool { return strings.HasSuffix(f, ".golden.yaml") })
}

func TestStories(t *testing.T) {
	for _, file := range stories(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := load(t, file)
			got := printed(t, s.Story, s.build(t))
			golden := strings.TrimSuffix(file, ".yaml") + ".golden.yaml"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; look at it with -update and git diff:\n%s", golden, firstDifference(string(got), string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
