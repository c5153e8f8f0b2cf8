package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
)

// startRecording begins the file of --record; without one, or where the file cannot be
// written, there is no recorder: a full or read-only volume stops no autoscaling.
func startRecording(o Options, reg prometheus.Registerer, log *slog.Logger) *recording.Writer {
	if o.Record == "" {
		return nil
	}
	w, err := recording.Create(o.Record, o.Version, int64(o.RecordLimit)<<20)
	if err != nil {
		log.Error("nothing is recorded, because the file of --record cannot be written; decisions go on. Give the volume space and restart",
			"file", o.Record, "error", err)
		w = nil
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ipa_recording_up", Help: "1 while decisions are recorded, 0 after the file of --record could not be written; absent without --record.",
	}, func() float64 {
		if w == nil || w.Err() != nil {
			return 0
		}
		return 1
	}))
	return w
}

// recorder is w, or nil when there is none.
func recorder(w *recording.Writer) multiscaler.Recorder {
	if w == nil {
		return nil
	}
	return w
}

// watchRecording ends the recording with ctx, and logs once when it fails:
// decisions go on without it.
func watchRecording(ctx context.Context, w *recording.Writer, log *slog.Logger) error {
	if w == nil {
		return nil
	}
	defer w.Close()
	reported := false
	return every(ctx, recordingInterval, func(context.Context) error {
		if err := w.Err(); err != nil && !reported {
			log.Error("recording ended; decisions go on without it", "error", err)
			reported = true
		}
		return nil
	})
}

// recordingInterval is how late the log may report that the recording has ended.
const recordingInterval = 10 * time.Second

// serveRecording answers with the file as it is now; .1 is the one before.
func serveRecording(path string, w *recording.Writer) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if w == nil {
			http.Error(rw, "nothing is recorded: start autoscaler-adapter with --record FILE on a volume that has space", http.StatusNotFound)
			return
		}
		_ = w.Flush() // a part that cannot be flushed is not in the file
		f, err := os.Open(path)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		rw.Header().Set("Content-Type", "application/gzip")
		_, _ = io.Copy(rw, f)
	})
}
