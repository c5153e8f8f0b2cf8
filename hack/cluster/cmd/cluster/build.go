package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// builds are the directories of finished builds, each with bin/, images/ and upstream/ (YAML).
type builds struct {
	Node    string `json:"node"`
	Sim     string `json:"sim"`
	Kourier string `json:"kourier"`
	// Envoy says whether the Envoy wheel was there; without it the test-only ingress runs.
	Envoy bool `json:"envoy"`
}

func (b builds) bin(name string) string { return filepath.Join(b.Node, "bin", name) }

// build makes what is missing. Interrupted, it goes on where it was: Go's build cache keeps what
// is compiled, and a finished binary or image is not made again.
func build(p paths, say *progress) (builds, error) {
	var b builds
	if p.src == "" {
		return b, fmt.Errorf("IPA_CLUSTER_SRC is not set: call me by hack/cluster/cluster.sh")
	}
	for _, step := range []struct {
		m    module
		dir  *string
		post func(p paths, dir string, say *progress) error
	}{
		{nodeModule(), &b.Node, finishNode},
		{simModule(), &b.Sim, finishSim},
		{kourierModule(), &b.Kourier, finishKourier},
	} {
		dir, err := buildModule(p, step.m, say, step.post)
		if err != nil {
			return b, err
		}
		*step.dir = dir
	}
	b.Envoy = fetchEnvoy(p, b.Kourier, say)
	return b, nil
}

// buildOnly is the command: what "up" needs, and with "gateway" what that command needs too;
// with the name of a part only that.
func buildOnly(p paths, args []string) error {
	say := newProgress()
	if len(args) == 1 && args[0] != "gateway" {
		_, err := buildPart(p, args[0], say)
		return err
	}
	b, err := build(p, say)
	if err != nil || len(args) == 0 {
		return err
	}
	if len(args) > 1 {
		return fmt.Errorf("usage: cluster.sh build [gateway | PART]")
	}
	if !b.Envoy {
		return cannot("NO GATEWAY: the Envoy wheel is not to be had, and Istio's gateway needs it")
	}
	_, err = buildGateway(p, b.Kourier, say)
	return err
}

func buildModule(p paths, m module, say *progress, post func(paths, string, *progress) error) (string, error) {
	hash, err := m.hash(p.src)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(p.builds(), m.name+"-"+hash)
	done := filepath.Join(dir, "DONE")
	if exists(done) {
		now := time.Now()
		return dir, os.Chtimes(done, now, now)
	}
	say.say("building %s (usually %s), kept in %s", m.name, m.usual, dir)
	for i, c := range m.calls() {
		mark := filepath.Join(dir, fmt.Sprintf("group-%d", i))
		if exists(mark) {
			continue
		}
		if err := goBuild(filepath.Join(p.src, m.dir), c, filepath.Join(dir, "bin"), say); err != nil {
			return "", err
		}
		if err := writeFile(mark, c.what+"\n"); err != nil {
			return "", err
		}
	}
	if err := post(p, dir, say); err != nil {
		return "", err
	}
	if err := writeFile(done, time.Now().Format(time.RFC3339)+"\n"); err != nil {
		return "", err
	}
	return dir, prune(p.builds(), m.name, 2)
}

// goBuild compiles the programs of one call in the folder src into bin.
func goBuild(src string, c goCall, bin string, say *progress) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	args := slices.Concat(c.verb, compileFlags, []string{"-ldflags", strings.TrimSpace("-s -w " + c.ldflags), "-o", bin + "/"})
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	cmd := exec.CommandContext(ctx, "go", append(args, c.packages...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir = src
	// GOGC=400 and no DWARF save about a tenth of the compile time.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOGC=400")
	t := time.Now()
	var seen buildLog
	cmd.Stderr = &seen
	stop := say.during(func() string { return fmt.Sprintf("building %s: %s", c.what, seen.summary()) })
	err := cmd.Run()
	stop()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: the next call goes on from here")
	}
	if err != nil {
		return fmt.Errorf("go %s of %s in %s: %w\n%s", c.verb[0], c.what, cmd.Dir, err, seen.tail())
	}
	say.say("built %s in %.0f s", c.what, time.Since(t).Seconds())
	return nil
}

// buildLog counts the lines of go build -v and keeps the last ones.
type buildLog struct {
	packages, downloads atomic.Int64
	last                atomic.Pointer[string]
	lines               []string // of the writing goroutine; read after it ended
	rest                []byte
}

func (l *buildLog) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		l.line(string(l.rest[:i]))
		l.rest = l.rest[i+1:]
	}
}

func (l *buildLog) line(s string) {
	if name, ok := strings.CutPrefix(s, "go: downloading "); ok {
		l.downloads.Add(1)
		s = "downloading " + name
	} else {
		l.packages.Add(1)
	}
	l.last.Store(&s)
	l.lines = append(l.lines, s)
}

func (l *buildLog) summary() string {
	last := "starting"
	if s := l.last.Load(); s != nil {
		last = *s
	}
	return fmt.Sprintf("%d modules fetched, %d packages compiled, last %s", l.downloads.Load(), l.packages.Load(), last)
}

func (l *buildLog) tail() string {
	return strings.Join(l.lines[max(0, len(l.lines)-25):], "\n")
}

// prune keeps the newest builds of one module.
func prune(dir, name string, keep int) error {
	found, err := filepath.Glob(filepath.Join(dir, name+"-*"))
	if err != nil || len(found) <= keep {
		return err
	}
	age := func(d string) time.Time {
		if st, err := os.Stat(filepath.Join(d, "DONE")); err == nil {
			return st.ModTime()
		}
		return time.Time{}
	}
	sort.Slice(found, func(i, j int) bool { return age(found[i]).After(age(found[j])) })
	for _, d := range found[keep:] {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	return nil
}

// moduleDir is where the module cache holds one of m's dependencies.
func moduleDir(p paths, m module, path string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = filepath.Join(p.src, m.dir)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("go list -m %s: %w\n%s", path, err, stderr.String())
}

// concat writes the YAML files that match the patterns, in order, as one stream.
func concat(w io.Writer, root string, patterns ...string) error {
	out := bufio.NewWriter(w)
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("no %s in %s", pattern, root)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "---\n%s\n", b)
		}
	}
	return out.Flush()
}
