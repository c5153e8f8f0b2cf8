package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

func TestSplitCRDs(t *testing.T) {
	crds, rest := splitCRDs("# a\nkind: CustomResourceDefinition\nmetadata: {name: x}\n---\napiVersion: v1\nkind: ServiceAccount\n\n---\n\nkind: CustomResourceDefinition\n")
	if strings.Count(crds, "CustomResourceDefinition") != 2 || strings.Contains(crds, "ServiceAccount") {
		t.Errorf("custom resources:\n%s", crds)
	}
	if !strings.Contains(rest, "ServiceAccount") || strings.Contains(rest, "CustomResourceDefinition") {
		t.Errorf("rest:\n%s", rest)
	}
}

func TestImageFilesReadsWhatImageWrites(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := writeFile(path, text); err != nil {
			t.Fatal(err)
		}
		return path
	}
	archive := filepath.Join(dir, "envoy.tar")
	if err := image.Write(archive, image.Spec{Name: "dev.local/envoy:v1", Files: []image.File{
		{Path: "/usr/local/bin/envoy", Source: write("envoy", "the program")}, {Path: "/lib/libc.so.6", Source: write("libc", "a library")},
	}}); err != nil {
		t.Fatal(err)
	}
	files, err := imageFiles(archive, filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f.Source)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Path] = string(b)
	}
	if len(got) != 2 || got["/usr/local/bin/envoy"] != "the program" || got["/lib/libc.so.6"] != "a library" {
		t.Errorf("got %v", got)
	}
}

func TestGatewayStepsFillTheirOwnField(t *testing.T) {
	var g gatewayBuilds
	for _, s := range g.steps() {
		*s.dir = "/b/" + s.m.name
	}
	if want := (gatewayBuilds{"/b/istio", "/b/inference", "/b/gatewayingress"}); g != want {
		t.Errorf("got %v", g)
	}
}
