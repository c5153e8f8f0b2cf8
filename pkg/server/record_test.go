package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A volume that cannot be written stops no autoscaling: it is a log line and a metric.
func TestStartRecording_volumeThatCannotBeWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		file func(t *testing.T) string
		up   string
	}{
		"no folder":   {func(t *testing.T) string { return filepath.Join(t.TempDir(), "missing", "run.gz") }, "0"},
		"a full disk": {func(t *testing.T) string { return "/dev/full" }, "0"},
		"good":        {func(t *testing.T) string { return filepath.Join(t.TempDir(), "run.gz") }, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOptions()
			o.Record = tt.file(t)
			reg := prometheus.NewRegistry()
			var log strings.Builder
			w := startRecording(o, reg, slog.New(slog.NewTextHandler(&log, nil)))
			if w != nil {
				_ = w.Flush()
				defer w.Close()
			}
			want := "# HELP ipa_recording_up 1 while decisions are recorded, 0 after the file of --record could not be written; absent without --record.\n# TYPE ipa_recording_up gauge\nipa_recording_up " + tt.up + "\n"
			if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
				t.Error(err)
			}
			if r := recorder(w); (r == nil) != (w == nil) {
				t.Error("a recorder without a file")
			}
		})
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Error(err)
	}
}
