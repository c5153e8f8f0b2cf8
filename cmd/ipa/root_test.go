package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRun: each line is what somebody types, the exit code, and what is read on stdout and stderr.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		typed          string
		code           int
		stdout, stderr string
	}{
		{"ipa", 0, "ipa [command]", ""},
		{"ipa --help", 0, "simulate    Compare autoscaling policies", ""},
		{"ipa help simulate", 0, "ipa simulate --trace FILE [flags]", ""},
		{"ipa simulate --help", 0, "ipa simulate --synthetic NAME [flags]", ""},
		{"ipa playground --help", 0, "ipa playground [flags]", ""},
		{"ipa version", 0, "ipa devel, go1", ""},
		{"ipa completion bash", 0, "bash completion V2 for ipa", ""},
		{"ipa __complete simulate --routing=", 0, "prefix-aware", "Completion ended"},
		{"ipa __complete simulate --synthetic d", 0, "diurnal", "Completion ended"},
		{"ipa simulat", 2, "", "Did you mean this?\n\tsimulate"},
		{"ipa nonsense", 2, "", `ipa: unknown command "nonsense" for "ipa"` + "\nSee ipa --help."},
		{"ipa --nonsense", 2, "", "ipa: unknown flag: --nonsense"},
		{"ipa version now", 2, "", `ipa: unknown command "now" for "ipa version"`},
		{"ipa simulate", 2, "", "simulate: nothing to simulate; give --trace FILE or --synthetic NAME (see simulate --help)"},
		{"ipa simulate --sed 3", 2, "", "unknown flag: --sed; did you mean --seed"},
		{"ipa playground --listen 8089", 1, "", "playground: --listen:"},
		{"ipa playground --engine gameboy", 2, "", "playground: engine: there is no profile"},
		{"/usr/local/bin/kubectl-ipa simulate --help", 0, "kubectl ipa simulate --trace FILE [flags]", ""},
		{"kubectl-ipa.exe playground --help", 0, "kubectl ipa playground [flags]", ""},
		{"kubectl-ipa nonsense", 2, "", `kubectl ipa: unknown command "nonsense" for "kubectl ipa"`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(c.typed), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit %d\nstdout %q\nstderr %q", c.typed, code, &stdout, &stderr)
		}
		if c.stdout == "" && stdout.Len() > 0 || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: a word too many\nstdout %q\nstderr %q", c.typed, &stdout, &stderr)
		}
	}
}
