package main

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"
)

// Every object of the real config carries the version, no selector does.
func TestRender_config(t *testing.T) {
	for dir, want := range map[string]struct{ images, objects int }{"../../config": {2, 20}, "../../config/inference-gateway": {1, 10}} {
		t.Run(dir, func(t *testing.T) { testRender(t, dir, want.images, want.objects) })
	}
}

func testRender(t *testing.T, dir string, images, objects int) {
	const version, image = "v1.2.3-4-gabc", "dev.local/autoscaler-adapter:v1.2.3-4-gabc"
	text, err := render(os.DirFS(dir), version, image)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text, image); got != images {
		t.Errorf("the image stands %d times in the release, want %d", got, images)
	}
	count := 0
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Spec struct{ Selector any }
		}
		if err := yaml.Unmarshal([]byte(doc), &object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == "" { // the comment on top
			continue
		}
		count++
		if object.Metadata.Labels[versionLabel] != version {
			t.Errorf("%s %s has no label %s", object.Kind, object.Metadata.Name, versionLabel)
		}
		if selector, _ := yaml.Marshal(object.Spec.Selector); strings.Contains(string(selector), version) {
			t.Errorf("%s %s selects on the version", object.Kind, object.Metadata.Name)
		}
	}
	if count < objects {
		t.Errorf("%d objects in the release, there are %d and more in %s", count, objects, dir)
	}
}

func TestRender_refused(t *testing.T) {
	f := func(version, image, yaml, want string) {
		t.Helper()
		_, err := render(fstest.MapFS{"1.yaml": {Data: []byte(yaml)}}, version, image)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("render(%q, %q): %v, want %q", version, image, err, want)
		}
	}
	f("", "a/b:c", "kind: A\n", "not a label value")
	f("v1+dirty", "a/b:c", "kind: A\n", "not a label value")
	f(strings.Repeat("v", 64), "a/b:c", "kind: A\n", "not a label value")
	f("v1", "", "kind: A\n", "not an image reference")
	f("v1", "a b", "kind: A\n", "not an image reference")
	f("v1", "a/b:c", "image: ko://elsewhere\n", "ko:// is left")
}
