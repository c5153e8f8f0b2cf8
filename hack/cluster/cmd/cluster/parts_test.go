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

// The version in the image's name is the one that go.mod pins.
func TestKServe_version(t *testing.T) {
	b, err := os.ReadFile("../../kserve/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "require " + kservePath + " " + kserveVersion + "\n"; !strings.Contains(string(b), want) {
		t.Errorf("kserve/go.mod has no line %q", want)
	}
	b, err = os.ReadFile("../../kserve/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := "image: dev.local/kserve-controller:" + kserveVersion + "\n"; !strings.Contains(string(b), want) {
		t.Errorf("kserve/kustomization.yaml has no line %q", want)
	}
}

func TestFindPart(t *testing.T) {
	for _, name := range []string{"knative-e2e", "kserve"} {
		if p, err := findPart(name); err != nil || p.module.dir != name {
			t.Errorf("%v %v", p.module, err)
		}
	}
	if _, err := findPart("seldon"); err == nil || !strings.Contains(err.Error(), "there are: knative-e2e, kserve") {
		t.Errorf("error %v, want the names of the parts", err)
	}
}
