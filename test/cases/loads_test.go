package cases

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
)

// figures are of one simulated run.
type figures struct {
	Within     float64 `json:"slo"`
	GPUHours   float64 `json:"gpu_hours"`
	Operations int     `json:"scale_operations"`
}

// simulate runs one policy as `ipa simulate --warmup 30m --engine a100-llama-3.1-8b` does.
func simulate(t *testing.T, args ...string) figures {
	t.Helper()
	file := filepath.Join(t.TempDir(), "figures.json")
	var out, errs bytes.Buffer
	if code := command.Run(t.Context(), append(args, "--warmup", "30m", "--engine", "a100-llama-3.1-8b", "--json", file), &out, &errs); code != 0 {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Runs []figures `json:"runs"`
	}
	if err := json.Unmarshal(text, &all); err != nil || len(all.Runs) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	return all.Runs[0]
}

// Traffic that is not one HTTP request per engine request, or tokens that are not one per
// step: as many GPU-hours as the case expects, at 99 % within the objective. The issue
// allows a tenth more than the same load costs without the dirt.
func TestLoads_dirty(t *testing.T) {
	for _, tt := range []struct {
		name     string
		load     string
		gpuHours float64
		args     []string
	}{
		{"three tokens a step", "loads/rise.csv", 8.6, []string{"--tokens-per-step", "3"}},
		{"half hang up", "loads/rise.csv", 9.1, []string{"--abort", "0.5"}},
		{"80 % hang up", "loads/rise.csv", 9.1, []string{"--abort", "0.8"}},
		{"95 % hang up", "loads/rise.csv", 9.1, []string{"--abort", "0.95"}},
		{"16 prompts a request", "loads/rise.csv", 9.1, []string{"--prompts-per-request", "16"}},
		{"64 prompts a request", "loads/rise.csv", 9.1, []string{"--prompts-per-request", "64"}},
		{"30 other requests/s", "loads/flat10.csv", 3.3, []string{"--other-requests", "30"}},
		{"100 other requests/s", "loads/flat10.csv", 3.3, []string{"--other-requests", "100"}},
		{"50 other requests/s at times", "loads/rise.csv", 9.1, []string{"--other-requests", "50", "--other-requests-for", "20s"}},
		{"300 other requests/s at times", "loads/rise.csv", 9.1, []string{"--other-requests", "300", "--other-requests-for", "30s"}},
		{"1000 other requests/s at times", "loads/rise.csv", 9.1, []string{"--other-requests", "1000", "--other-requests-for", "5s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			trace := input(t, tt.load)
			t.Parallel()
			f := simulate(t, append([]string{"--trace", trace, "--policy", "ipa"}, tt.args...)...)
			if f.Within < 0.99 || f.GPUHours > tt.gpuHours {
				t.Errorf("%.2f %% within the objective at %.2f GPU-hours; want 99 %% at most %.1f", 100*f.Within, f.GPUHours, tt.gpuHours)
			}
		})
	}
}

// A pod is as full as its fullest rank: where that is given twice the requests of the mean rank, the load takes
// twice the GPU-hours that it takes with equal ranks, and a tenth more at most where few pods are many GPUs.
func TestLoads_unequalRanks(t *testing.T) {
	trace := input(t, "loads/rise.csv")
	for _, tt := range []struct {
		ranks, skew string
		times       float64
	}{{"2", "0.6", 1.2}, {"2", "0.75", 1.5}, {"2", "0.9", 1.8}, {"4", "0.6", 1.1 * 2.4}} {
		t.Run(tt.ranks+" "+tt.skew, func(t *testing.T) {
			t.Parallel()
			args := []string{"--trace", trace, "--policy", "ipa", "--ranks", tt.ranks}
			equal, unequal := simulate(t, args...), simulate(t, append(args, "--rank-skew", tt.skew)...)
			if most := tt.times * equal.GPUHours; unequal.Within < 0.99 || unequal.GPUHours > most {
				t.Errorf("%.2f %% within the objective at %.2f GPU-hours; want 99 %% at most %.2f", 100*unequal.Within, unequal.GPUHours, most)
			}
		})
	}
}

// The objective is per token: with several tokens a step it costs what it costs with one.
func TestLoads_tokensPerStep(t *testing.T) {
	trace := input(t, "loads/rise.csv")
	for _, tt := range []struct{ itl, tokens string }{{"30ms", "3"}, {"15ms", "4"}} {
		t.Run(tt.itl, func(t *testing.T) {
			t.Parallel()
			one := simulate(t, "--trace", trace, "--policy", "ipa", "--slo-itl", tt.itl)
			several := simulate(t, "--trace", trace, "--policy", "ipa", "--slo-itl", tt.itl, "--tokens-per-step", tt.tokens)
			if several.GPUHours > 1.05*one.GPUHours || several.Within < one.Within-0.002 {
				t.Errorf("%s tokens a step: %.2f %% at %.2f GPU-hours; one token: %.2f %% at %.2f", tt.tokens, 100*several.Within, several.GPUHours, 100*one.Within, one.GPUHours)
			}
		})
	}
}

// Several tokens at once cost no more where clients hang up within the first tenth of the answer, either.
func TestLoads_tokensPerStepAndHangUps(t *testing.T) {
	trace := input(t, "loads/rise.csv")
	for _, tt := range []struct{ share, tokens string }{{"0.2", "3"}, {"0.5", "1.5"}, {"0.5", "3"}, {"0.5", "8"}, {"0.9", "3"}} {
		t.Run(tt.share+" "+tt.tokens, func(t *testing.T) {
			t.Parallel()
			args := []string{"--trace", trace, "--policy", "ipa", "--abort", tt.share, "--abort-within", "0.1"}
			one, several := simulate(t, args...), simulate(t, append(args, "--tokens-per-step", tt.tokens)...)
			if several.GPUHours > 1.05*one.GPUHours || several.Within < 0.99 {
				t.Errorf("%s tokens a step: %.2f %% at %.2f GPU-hours; one token: %.2f %% at %.2f", tt.tokens, 100*several.Within, several.GPUHours, 100*one.Within, one.GPUHours)
			}
		})
	}
}

// Requests that wait because of containerConcurrency miss the objective in front of the engine, which does not report
// them. A schedule of perfect foresight takes 34.4, 13.4 and 9.0 GPU-hours.
func TestLoads_containerConcurrency(t *testing.T) {
	trace := input(t, "loads/rise.csv")
	for _, tt := range []struct {
		limit, prompts string // containerConcurrency, and the prompts of each HTTP request
		hours          float64
	}{{"6", "1", 36.5}, {"24", "1", 14.5}, {"64", "1", 9.8}, {"6", "4", 14.5}, {"4", "16", 9.8}} {
		t.Run(tt.limit+" of "+tt.prompts, func(t *testing.T) {
			t.Parallel()
			f := simulate(t, "--trace", trace, "--policy", "ipa", "--container-concurrency", tt.limit, "--prompts-per-request", tt.prompts)
			if f.Within < 0.99 || f.GPUHours > tt.hours {
				t.Errorf("%.2f %% within the objective at %.2f GPU-hours; want 99 %% at most %.1f", 100*f.Within, f.GPUHours, tt.hours)
			}
		})
	}
}

// A metrics endpoint that takes 1.3 s while requests wait costs no policy of ours its scale-up:
// the jump itself, before the new pods are there, is late with any endpoint.
func TestLoads_slowEndpoint(t *testing.T) {
	trace := input(t, "loads/jump.csv")
	for _, metric := range []string{"slo", "num_requests_waiting=5", "num_requests_running=40"} {
		t.Run(metric, func(t *testing.T) {
			t.Parallel()
			args := []string{"--trace", trace, "--policy", "ipa:metric=" + metric}
			quick, slow := simulate(t, args...), simulate(t, append(args, "--metrics-delay", "1300ms")...)
			if slow.Within < quick.Within-0.01 || slow.GPUHours > 1.4*quick.GPUHours {
				t.Errorf("%.2f %% at %.2f GPU-hours; with a quick endpoint %.2f %% at %.2f", 100*slow.Within, slow.GPUHours, 100*quick.Within, quick.GPUHours)
			}
		})
	}
}

// Embedding and classification models: one output token, 500 ms to it.
func TestLoads_oneToken(t *testing.T) {
	input(t, "loads/one_token.py")
	file := filepath.Join(t.TempDir(), "one.csv")
	if err := os.WriteFile(file, oneToken(), 0o600); err != nil {
		t.Fatal(err)
	}
	f := simulate(t, "--trace", file, "--columns", "time=t,input=in,output=out", "--policy", "ipa", "--slo-ttft", "500ms")
	if f.Within < 0.99 || f.GPUHours > 6 {
		t.Errorf("%.2f %% at %.2f GPU-hours; want 99 %% and at most 6", 100*f.Within, f.GPUHours)
	}
}

// oneToken is a load of the kind of loads/one_token.py: from 20 to 200 requests a second
// within an hour, and half an hour of that, with prompts of 200 tokens in the median.
func oneToken() []byte {
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec a load, not a secret
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"t", "in", "out"})
	for at := 0.0; at < 5400; at += r.ExpFloat64() / (20 + 180*min(1, at/3600)) {
		prompt := 200 * (1 + 0.6*r.NormFloat64())
		_ = w.Write([]string{fmt.Sprintf("%.3f", at), strconv.Itoa(max(1, int(prompt))), "1"})
	}
	w.Flush()
	return b.Bytes()
}
