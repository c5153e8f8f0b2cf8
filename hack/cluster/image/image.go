// Package image writes container images of static binaries: no daemon, no registry, no base image.
// The archive is at once an OCI layout and a docker archive, so containerd, docker, podman, skopeo
// and crane all read it. The same input always gives the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// User is the numeric user (and group) an image runs as: the usual "nonroot".
const User = "65532"

// Spec describes one image.
type Spec struct {
	// Name is the full reference with its tag, such as dev.local/autoscaler-adapter:dev.
	Name string
	// Files maps absolute paths in the image to files on this machine, in order; mode 0755.
	Files []File
	// Entrypoint is the command; the path of the first file when empty.
	Entrypoint []string
	// Labels are written to the image's configuration (org.opencontainers.image.* for a release).
	Labels map[string]string
	// Arch is the Go name of the processor; this machine's when empty.
	Arch string
	// Gzip compresses the layer: right for a release, wasted time for a local import.
	Gzip bool
}

// File is one file of an image.
type File struct{ Path, Source string }

// Write writes the image to the file out, by way of a temporary file beside it.
func Write(out string, spec Spec) error {
	if err := spec.check(); err != nil {
		return err
	}
	f, err := os.CreateTemp(dirOf(out), ".image-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := write(f, spec); err != nil {
		f.Close()
		return fmt.Errorf("image %s: %w", spec.Name, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), out)
}

func (s Spec) check() error {
	name, tag, ok := strings.Cut(s.Name[strings.LastIndex(s.Name, "/")+1:], ":")
	if !ok || name == "" || tag == "" {
		return fmt.Errorf("image name %q needs a tag, such as dev.local/name:v1", s.Name)
	}
	if len(s.Files) == 0 {
		return fmt.Errorf("image %s has no files", s.Name)
	}
	return nil
}

func dirOf(path string) string {
	if i := strings.LastIndex(path, "/"); i > 0 {
		return path[:i]
	}
	return "."
}

// descriptor is the OCI content descriptor.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
)

func write(w io.Writer, spec Spec) error {
	if spec.Arch == "" {
		spec.Arch = runtime.GOARCH
	}
	plain, err := layer(spec.Files)
	if err != nil {
		return err
	}
	blob, layerType := plain, typeLayer
	if spec.Gzip {
		blob, layerType = compressed(plain), typeLayer+"+gzip"
	}
	a := archive{tar: tar.NewWriter(w)}
	layerDesc := a.blob(layerType, blob)
	configDesc := a.blob(typeConfig, config(spec, digest(plain)))
	manifest := a.blob(typeManifest, marshal(map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": configDesc, "layers": []descriptor{layerDesc},
	}))
	manifest.Platform = map[string]string{"architecture": spec.Arch, "os": "linux"}
	manifest.Annotations = map[string]string{
		"io.containerd.image.name": spec.Name, "org.opencontainers.image.ref.name": spec.Name,
	}
	a.add("index.json", marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{manifest}}))
	a.add("manifest.json", marshal([]map[string]any{{
		"Config": blobPath(configDesc.Digest), "RepoTags": []string{spec.Name}, "Layers": []string{blobPath(layerDesc.Digest)},
	}}))
	a.add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return a.close()
}

func config(spec Spec, diffID string) []byte {
	entry := spec.Entrypoint
	if len(entry) == 0 {
		entry = []string{spec.Files[0].Path}
	}
	return marshal(map[string]any{
		"architecture": spec.Arch, "os": "linux", "created": "1970-01-01T00:00:00Z",
		"config": map[string]any{
			"Entrypoint": entry, "User": User, "Labels": spec.Labels, "WorkingDir": "/",
			// Knative's programs read their version from KO_DATA_PATH, as in images made by ko.
			"Env": []string{"PATH=/:/usr/local/bin", "KO_DATA_PATH=/var/run/ko"},
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{diffID}},
		"history": []any{map[string]any{"created": "1970-01-01T00:00:00Z", "created_by": "mkimage " + spec.Name}},
	})
}

func layer(files []File) ([]byte, error) {
	var buf bytes.Buffer
	a := archive{tar: tar.NewWriter(&buf)}
	for _, d := range []string{"tmp/", "etc/", "var/", "var/run/", "var/run/ko/"} {
		a.header(tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o1777})
	}
	a.add("var/run/ko/HEAD", []byte("ref: refs/heads/main\n"))
	for _, f := range files {
		b, err := os.ReadFile(f.Source)
		if err != nil {
			return nil, err
		}
		a.header(tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.Path, "/"), Mode: 0o755, Size: int64(len(b))})
		a.write(b)
	}
	return buf.Bytes(), a.close()
}

func compressed(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(b) // a bytes.Buffer does not fail
	z.Close()
	return buf.Bytes()
}

// archive is a tar with the error kept until close.
type archive struct {
	tar *tar.Writer
	err error
}

func (a *archive) blob(mediaType string, b []byte) descriptor {
	d := digest(b)
	a.add(blobPath(d), b)
	return descriptor{MediaType: mediaType, Digest: d, Size: len(b)}
}

func (a *archive) add(name string, b []byte) {
	a.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(b))})
	a.write(b)
}

func (a *archive) header(h tar.Header) {
	h.ModTime = time.Unix(0, 0)
	if a.err == nil {
		a.err = a.tar.WriteHeader(&h)
	}
}

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.tar.Write(b)
	}
}

func (a *archive) close() error {
	if a.err != nil {
		return a.err
	}
	return a.tar.Close()
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

func blobPath(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps, strings and integers only
	}
	return b
}
