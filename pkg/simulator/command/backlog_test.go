package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// A smooth ramp, the queue as the only signal, and startup times from 10 s to 5 min: the
// fleet grows with the load and does not swing (case "queue target flaps").
func TestRun_queueTargetDoesNotFlap(t *testing.T) {
	trace := "../../../../shared/cases/loads/rise.csv"
	if _, err := os.Stat(trace); err != nil {
		t.Skipf("SKIPPED: %v: this trace is not in the repository", err)
	}
	for _, lead := range []string{"10s", "2m", "5m"} {
		t.Run(lead, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "figures.json")
			var out, errs bytes.Buffer
			code := Run(t.Context(), []string{"--trace", trace, "--warmup", "30m", "--engine", "a100-llama-3.1-8b", "--lead", lead,
				"--policy", "ipa:metric=kv_cache_usage_percent=70+num_requests_waiting=5", "--json", file}, &out, &errs)
			if code != 0 {
				t.Fatalf("status %d: %s", code, errs.String())
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var figures struct {
				Runs []struct {
					SLO        float64 `json:"slo"`
					GPUHours   float64 `json:"gpu_hours"`
					Operations int     `json:"scale_operations"`
				}
			}
			if err := json.Unmarshal(b, &figures); err != nil || len(figures.Runs) != 1 {
				t.Fatalf("%v: %s", err, b)
			}
			if r := figures.Runs[0]; r.SLO < 0.99 || r.GPUHours > 10 || r.Operations > 30 {
				t.Errorf("%.2f %% within the objective, %.1f GPU-hours, %d scale operations; want 99 %%, at most 10 and 30", 100*r.SLO, r.GPUHours, r.Operations)
			}
		})
	}
}
