package testbed

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestManifests(t *testing.T) {
	t.Setenv("IPA_IMAGE", "dev.local/x:1")
	first, second := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(first, "200-b.yaml"): "b: " + koImage, filepath.Join(first, "100-a.yaml"): "a: 1",
		filepath.Join(second, "050-c.yaml"): "c: 1", filepath.Join(second, "README.md"): "no YAML",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Manifests(first, second)
	if want := "---\na: 1\n---\nb: dev.local/x:1\n---\nc: 1\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	empty := t.TempDir()
	if _, err := Manifests(first, empty); err == nil || !strings.Contains(err.Error(), empty) {
		t.Errorf("a folder without YAML: got %v, want an error that names it", err)
	}
}

func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		asked := 0
		err := Poll(ctx, time.Second, func() (bool, string) { asked++; return asked == 3, "" })
		if err != nil || asked != 3 {
			t.Errorf("asked %d times, %v; want 3 times", asked, err)
		}
		err = Poll(ctx, time.Second, func() (bool, string) { return false, "two of three" })
		if err == nil || !strings.Contains(err.Error(), "two of three") {
			t.Errorf("got %v, want the last state", err)
		}
	})
}

func TestKubectl_errorHasWhatItSaid(t *testing.T) {
	script := filepath.Join(t.TempDir(), "kubectl")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat\necho not found >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECTL", script)
	out, err := Kubectl(t.Context(), "stdin", "get", "pods")
	if out != "stdin" || err == nil || !strings.Contains(err.Error(), "kubectl get pods: exit status 1: not found") {
		t.Errorf("got %q, %v", out, err)
	}
}
