package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every test image is pinned in tools.go, which go mod tidy reads, and no other is.
func TestKnativeE2E_imagesArePinned(t *testing.T) {
	b, err := os.ReadFile("../../knative-e2e/tools.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range knativeTestImages {
		if !strings.Contains(string(b), `knative.dev/serving/test/test_images/`+image+`"`) {
			t.Errorf("tools.go does not import the test image %s", image)
		}
	}
	if got, want := strings.Count(string(b), "/test_images/"), len(knativeTestImages); got != want {
		t.Errorf("tools.go imports %d test images, the build makes %d", got, want)
	}
}

// The tests of a module are built with go test -c after its programs, and count for its hash.
func TestModule_calls(t *testing.T) {
	m := knativeE2EModule()
	calls := m.calls()
	if len(calls) != 2 || strings.Join(calls[1].verb, " ") != "test -c -tags=e2e" || calls[0].verb[0] != "build" {
		t.Fatalf("calls %v", calls)
	}
	if n := len(simModule().calls()); n != 1 {
		t.Errorf("%d calls for the simulator, which has no tests, want 1", n)
	}
	src := filepath.Join("..", "..")
	with, err := m.hash(src)
	if err != nil {
		t.Fatal(err)
	}
	m.tests.packages = m.tests.packages[1:]
	if without, err := m.hash(src); err != nil || with == without {
		t.Errorf("hash %s without one of the tests, %s with it (%v)", without, with, err)
	}
}

// The version in the name of a part's images is the one that its go.mod pins.
func TestParts_versions(t *testing.T) {
	for file, want := range map[string]string{
		"keda/go.mod":                                "require " + kedaPath + " " + kedaVersion + "\n",
		"keda/kustomization.yaml":                    "newTag: " + kedaVersion + "\n",
		"kserve/go.mod":                              "require " + kservePath + " " + kserveVersion + "\n",
		"kserve/kustomization.yaml":                  "image: dev.local/kserve-controller:" + kserveVersion + "\n",
		"prometheus/go.mod":                          "require " + prometheusPath + " " + prometheusVersion + "\n",
		"prometheus/prometheus.yaml":                 "image: dev.local/prometheus:" + prometheusVersion + "\n",
		"envoy-ai-gateway/go.mod":                    "\t" + aiGatewayPath + " " + aiGatewayVersion + "\n\t" + envoyGatewayPath + " " + envoyGatewayVersion + "\n",
		"envoy-ai-gateway/values-ai-gateway.yaml":    "dev.local/ai-gateway-controller, tag: " + aiGatewayVersion + "}\n",
		"envoy-ai-gateway/values-envoy-gateway.yaml": "dev.local/envoy-gateway:" + envoyGatewayVersion + "\"",
		"envoy-ai-gateway/install.sh":                `dev.local\/envoy-gateway:` + envoyGatewayVersion,
	} {
		b, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
}

// Build tags count for the hash, and reach the compiler.
func TestModule_tags(t *testing.T) {
	m := prometheusModule()
	if verb := strings.Join(m.calls()[0].verb, " "); verb != "build -v -tags=remove_all_sd,enable_kubernetes_sd" {
		t.Errorf("go %s", verb)
	}
	src := filepath.Join("..", "..")
	with, err := m.hash(src)
	if err != nil {
		t.Fatal(err)
	}
	m.tags = ""
	if without, err := m.hash(src); err != nil || with == without {
		t.Errorf("hash %s without tags, %s with them (%v)", without, with, err)
	}
}

func TestFindPart(t *testing.T) {
	for _, name := range []string{"envoy-ai-gateway", "knative-e2e", "kserve", "prometheus", "keda"} {
		if p, err := findPart(name); err != nil || p.module.dir != name {
			t.Errorf("%v %v", p.module, err)
		}
	}
	if _, err := findPart("seldon"); err == nil || !strings.Contains(err.Error(), "there are: envoy-ai-gateway, keda, knative-e2e, kserve, prometheus") {
		t.Errorf("error %v, want the names of the parts", err)
	}
}
