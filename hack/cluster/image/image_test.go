package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteIsOCIAndDockerArchive(t *testing.T) {
	for _, gz := range []bool{false, true} {
		files := written(t, Spec{Name: "dev.local/x:v1", Files: []File{{"/ko-app/x", binary(t, "hello")}}, Gzip: gz})
		var index struct{ Manifests []descriptor }
		parse(t, files["index.json"], &index)
		if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != "dev.local/x:v1" {
			t.Errorf("gzip %v: index names %q", gz, got)
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		parse(t, files[blobPath(index.Manifests[0].Digest)], &manifest)
		for _, d := range append(manifest.Layers, manifest.Config) {
			if b := files[blobPath(d.Digest)]; digest(b) != d.Digest || len(b) != d.Size {
				t.Errorf("gzip %v: blob %s is %d bytes with digest %s", gz, d.Digest, len(b), digest(b))
			}
		}
		var docker []struct{ RepoTags, Layers []string }
		parse(t, files["manifest.json"], &docker)
		if docker[0].RepoTags[0] != "dev.local/x:v1" || files[docker[0].Layers[0]] == nil {
			t.Errorf("gzip %v: docker manifest %+v", gz, docker)
		}
		var config struct {
			Config struct {
				User       string
				Entrypoint []string
			}
		}
		parse(t, files[blobPath(manifest.Config.Digest)], &config)
		if config.Config.User != User || config.Config.Entrypoint[0] != "/ko-app/x" {
			t.Errorf("gzip %v: config %+v", gz, config)
		}
	}
}

func TestWriteIsReproducible(t *testing.T) {
	b := binary(t, "same")
	spec := Spec{Name: "dev.local/x:v1", Files: []File{{"/x", b}}, Labels: map[string]string{"b": "2", "a": "1"}, Gzip: true}
	var sums []string
	for range 2 {
		out := filepath.Join(t.TempDir(), "x.tar")
		if err := Write(out, spec); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, digest(content))
	}
	if sums[0] != sums[1] {
		t.Errorf("two writes differ: %v", sums)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, spec := range map[string]Spec{
		"no tag":   {Name: "dev.local/x", Files: []File{{"/x", "x"}}},
		"port":     {Name: "localhost:5000/x", Files: []File{{"/x", "x"}}},
		"no files": {Name: "x:v1"},
		"missing":  {Name: "x:v1", Files: []File{{"/x", "/does/not/exist"}}},
	} {
		out := filepath.Join(t.TempDir(), "x.tar")
		if err := Write(out, spec); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: left a file", name)
		}
	}
}

func binary(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func written(t *testing.T, spec Spec) map[string][]byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.tar")
	if err := Write(out, spec); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func parse(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
}
