package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTunedFitsUpstreamYAML(t *testing.T) {
	got := tuned(`apiVersion: apps/v1
kind: Deployment
metadata:
  labels: {x: y}
  version: devel
spec:
        image: ko://knative.dev/serving/cmd/autoscaler-hpa
        readinessProbe:
          httpGet:
            port: 8080
          initialDelaySeconds: 10
          periodSeconds: 5
        livenessProbe:
          periodSeconds: 15
          initialDelaySeconds: 15
        resources:
          requests:
            cpu: 300m
          limits:
            cpu: 500m
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: gone}
`)
	for _, want := range []string{
		"image: dev.local/autoscaler-hpa:v0.50.0\n", `version: "v0.50.0"`, "requests:\n            cpu: 20m", "limits:\n            cpu: 500m",
		"readinessProbe:\n          periodSeconds: 1\n          failureThreshold: 10\n          httpGet:\n            port: 8080\n        livenessProbe:\n          periodSeconds: 15\n          initialDelaySeconds: 15\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "HorizontalPodAutoscaler") {
		t.Error("the HPA is still there")
	}
}

func TestTunedLeavesSchemasAlone(t *testing.T) {
	in := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  readinessProbe:\n    properties:\n      periodSeconds:\n        type: integer\n"
	if got := tuned(in); got != in {
		t.Errorf("got %q", got)
	}
}

func TestTunedLeavesExampleBlocksAlone(t *testing.T) {
	// The webhook verifies a checksum over _example: "devel" inside a sentence must stay.
	in := "kind: ConfigMap\ndata:\n  _example: |\n    # a devel version: devel-1 of it\n"
	if got := tuned(in); got != in {
		t.Errorf("got %q", got)
	}
}

func TestConfigured(t *testing.T) {
	var docs []string
	for name := range settings("kourier") {
		docs = append(docs, "kind: ConfigMap\nmetadata:\n  name: "+name+"\n  namespace: n\ndata:\n  _example: |\n    x: y\n")
	}
	got, err := configured(strings.Join(docs, "\n---\n"), "kourier")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "data:\n  ingress-class: \"kourier.ingress.networking.knative.dev\"\n  _example: |\n") {
		t.Errorf("got %s", got)
	}
	if _, err := configured(docs[0], "kourier"); err == nil {
		t.Error("no error though config maps are missing")
	}
}

func TestHashFollowsInputsOnly(t *testing.T) {
	src := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := writeFile(filepath.Join(src, name), text); err != nil {
			t.Fatal(err)
		}
	}
	m := module{name: "m", dir: ".", inputs: []string{"go.mod", "cmd"}, groups: []group{{"g", []string{"./cmd/a"}, "-X a=1"}}}
	hash := func() string {
		t.Helper()
		h, err := m.hash(src)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	write("go.mod", "module m")
	write("cmd/a/main.go", "package main")
	first := hash()
	write("README.md", "text")
	write("cmd/a/main_test.go", "package main")
	if hash() != first {
		t.Error("a README or a test changes the build")
	}
	write("cmd/a/main.go", "package main // changed")
	second := hash()
	if second == first {
		t.Error("a changed source does not change the build")
	}
	m.groups[0].ldflags = "-X a=2"
	if hash() == second {
		t.Error("a changed flag does not change the build")
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for i, name := range []string{"node-a", "node-b", "node-c", "sim-a"} {
		done := filepath.Join(dir, name, "DONE")
		if err := writeFile(done, ""); err != nil {
			t.Fatal(err)
		}
		at := now.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(done, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFile(filepath.Join(dir, "node-partial", "group-0"), ""); err != nil {
		t.Fatal(err)
	}
	if err := prune(dir, "node", 2); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"node-b", "node-c", "sim-a"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

func TestMissingCapabilities(t *testing.T) {
	if got := missingCapabilities(0x1fffeffffff); len(got) != 0 { // this machine: all but CAP_SYS_RESOURCE
		t.Errorf("got %v", got)
	}
	docker := uint64(0x00000000a80425fb) // a container without --privileged
	if got := missingCapabilities(docker); !slices.Equal(got, []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}) {
		t.Errorf("got %v", got)
	}
}

func TestLddPath(t *testing.T) {
	for line, want := range map[string]string{
		"\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)": "/lib/x86_64-linux-gnu/libm.so.6",
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f)":                  "/lib64/ld-linux-x86-64.so.2",
		"\tlinux-vdso.so.1 (0x00007f)":                              "",
	} {
		if got := lddPath(line); got != want {
			t.Errorf("%q: got %q", line, got)
		}
	}
}

func TestLinkTree(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for _, name := range []string{"blobs/sha256/abc", "metadata/meta.db"} {
		if err := writeFile(filepath.Join(from, name), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(from, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(from, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := linkTree(from, to); err != nil {
		t.Fatal(err)
	}
	same := func(name string) bool {
		t.Helper()
		a, errA := os.Stat(filepath.Join(from, name))
		b, errB := os.Stat(filepath.Join(to, name))
		if errA != nil || errB != nil || a.Mode() != b.Mode() {
			t.Fatalf("%s: %v %v", name, errA, errB)
		}
		return os.SameFile(a, b)
	}
	if !same("blobs/sha256/abc") || same("metadata/meta.db") || same("tmp") {
		t.Error("blobs must be links, databases copies, and modes kept")
	}
}
