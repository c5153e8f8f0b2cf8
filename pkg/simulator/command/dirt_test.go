package command

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// dirtyFlags is every flag of this kind, with what the settings of the JSON say of it.
func dirtyFlags() map[string]string {
	return map[string]string{
		"--tokens-per-step=3": "tokens per step: 3", "--abort=0.3": "clients that hang up: 30 %",
		"--abort=0.3 --abort-within=0.1":               "clients that hang up: 30 %, within the first 10 % of the answer",
		"--other-requests=30 --other-requests-for=20s": "other HTTP requests: 30/s for 20s of every 5m",
		"--prompts-per-request=16":                     "prompts per HTTP request: 16",
		"--other-requests=30":                          "other HTTP requests: 30/s", "--ranks=2": "ranks of a pod: 2",
		"--metrics-delay=1300ms": "metrics endpoints answer under load after: 1.3s", "--hide=gaps,kv": "hidden: gaps, kv",
	}
}

// TestRun_dirt: each flag changes what ipa decides or what the fleet is, is in the
// settings, and its default changes nothing. Tokens per step change only what a metrics
// endpoint shows, and slo plans per token: ipa decides the same.
func TestRun_dirt(t *testing.T) {
	load := []string{"--synthetic", "burst", "--to", "25m", "--scale", "0.5", "--warmup", "2m", "--policy", "ipa", "--json", "-"}
	report := func(args ...string) (settings []string, run string) {
		code, stdout, stderr := call(t, slices.Concat(load, args)...)
		if code != exitOK {
			t.Fatalf("%v: exit %d, %s", args, code, stderr)
		}
		var r struct {
			Settings []struct{ Name, Value string }
			Runs     []map[string]any
		}
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		delete(r.Runs[0], "cpu_seconds")
		for _, s := range r.Settings {
			settings = append(settings, s.Name+": "+s.Value)
		}
		raw, _ := json.Marshal(r.Runs)
		return settings, string(raw)
	}
	tidySettings, tidy := report()
	sameSettings, same := report("--tokens-per-step", "1", "--abort", "0", "--abort-within", "1", "--other-requests-for", "0s", "--prompts-per-request", "1", "--other-requests", "0", "--ranks", "1", "--rank-skew", "0", "--metrics-delay", "0s", "--hide", "")
	if tidy != same || !slices.Equal(tidySettings, sameSettings) {
		t.Errorf("the defaults change something:\n%s\n%s", tidy, same)
	}
	// Engines that do not report their tokens show what --tokens-per-step does to the fleet.
	_, oneToken := report("--hide=generation-tokens")
	if _, three := report("--hide=generation-tokens", "--tokens-per-step=3"); three == oneToken {
		t.Error("--tokens-per-step=3 changes nothing where slo sees steps only")
	}
	_, even := report("--ranks=2", "--rank-skew=0")
	if settings, skewed := report("--ranks=2", "--rank-skew=0.75"); skewed == even || !slices.Contains(settings, "requests for the first rank of a pod: 75 %") {
		t.Errorf("--rank-skew=0.75 changes nothing, or the settings %q lack it", settings)
	}
	for flag, setting := range dirtyFlags() {
		settings, run := report(strings.Fields(flag)...)
		if !slices.Contains(settings, setting) {
			t.Errorf("%s: the settings are %q", flag, settings)
		}
		if perToken := strings.HasPrefix(flag, "--tokens-per-step"); perToken != (run == tidy) {
			t.Errorf("%s: the run is the tidy one: %t, want %t", flag, run == tidy, perToken)
		}
		if strings.Contains(run, `"aborted"`) != strings.HasPrefix(flag, "--abort") {
			t.Errorf("%s: %s", flag, run)
		}
	}
}

// TestRun_refusesDirt: the flag, and what it may be.
func TestRun_refusesDirt(t *testing.T) {
	for flag, want := range map[string]string{
		"--tokens-per-step=0.5": "--tokens-per-step 0.5; it must be between 1 and 64", "--tokens-per-step=k": `--tokens-per-step "k"; it must be a number, such as 1`,
		"--abort=30": "--abort 30; it must be between 0 and 1", "--abort=NaN": "--abort NaN; it must be between 0 and 1",
		"--prompts-per-request=0": "--prompts-per-request 0; it must be between 1 and 10000", "--other-requests=-1": "--other-requests -1; it must be between 0 and 100000",
		"--ranks=0": "--ranks 0; it must be between 1 and 256", "--rank-skew=1.5": "--rank-skew 1.5; it must be between 0 and 1", "--metrics-delay=1": "--metrics-delay", "--metrics-delay=-1s": "write a duration of 0 or more",
		"--metrics-delay=2d": "--metrics-delay 48h0m0s; it must be between 0s and 24h0m0s",
		"--abort-within=1.1": "--abort-within 1.1; it must be between 0 and 1", "--abort-within=0.5": "--abort-within changes nothing without --abort",
		"--other-requests-for=6m": "--other-requests-for 6m0s; it must be between 0s and 5m0s", "--other-requests-for=20s": "--other-requests-for changes nothing without --other-requests",
		"--hide=gap": `--hide "gap"; it must be of running, queue, kv`, "--hide=queue,first-token": "did you mean first-tokens?",
	} {
		code, stdout, stderr := call(t, "--synthetic", "step", "--to", "1m", flag)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%s: exit %d, %q; want %q", flag, code, stderr, want)
		}
	}
}

// TestRun_hideList prints every name, with a load or without.
func TestRun_hideList(t *testing.T) {
	for _, args := range [][]string{{"--hide", "list"}, {"--synthetic", "step", "--hide", "list"}} {
		code, stdout, stderr := call(t, args...)
		for _, name := range simulator.HideableNames() {
			if code != exitOK || stderr != "" || !strings.Contains(stdout, "\n"+name+" ") && !strings.HasPrefix(stdout, name+" ") {
				t.Errorf("exit %d: %s is not listed\n%s%s", code, name, stdout, stderr)
			}
		}
	}
}
