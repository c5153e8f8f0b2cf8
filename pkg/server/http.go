package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newRegistry holds our own metrics, beginning with what was built.
func newRegistry(version string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ipa_build_info", Help: "1, with the version and the Go version as labels.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	reg.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// serveMetrics serves our own metrics, to anybody who reaches the port.
func serveMetrics(ctx context.Context, port int, reg *prometheus.Registry) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return serve(ctx, port, mux)
}

// serveHealth answers the probes: alive while no loop stands still, ready once the
// caches are synced and the metrics API answers.
func serveHealth(ctx context.Context, port int, ready func() bool, alive func() error) error {
	return serve(ctx, port, healthHandler(ready, alive))
}

func healthHandler(ready func() bool, alive func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := alive(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(w, "starting: the caches are not synced or the metrics API does not answer yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// The limits of every port that net/http serves. The metrics API has those of its library, and
// the limits of connections from here.
const (
	// readHeaderTimeout and readTimeout bound how long a client may send a request: a review
	// of 3 MiB takes milliseconds inside a cluster.
	readHeaderTimeout, readTimeout = 5 * time.Second, 10 * time.Second
	// writeTimeout bounds the whole answer: a page of /metrics of 1,000 revisions has about 2 MiB.
	writeTimeout = 30 * time.Second
	// idleTimeout is longer than the scrape intervals of Prometheus that are shorter than a minute.
	idleTimeout = time.Minute
	// maxHeaderBytes bounds the header of a request.
	maxHeaderBytes = 64 << 10
	// maxConnections bounds the connections of one port, about 20 KiB of memory each, and
	// maxOfAddress those of one address: no pod takes the port from kube-apiserver.
	maxConnections, maxOfAddress = 512, 256
	// shutdownTimeout is how long open requests may take after the end was asked for.
	shutdownTimeout = time.Second
)

// atFirst is ready as soon as part was ready once, or limit after it was first asked: a part
// that others do not need delays the start of the program and never takes it out of service.
// It is safe for concurrent use.
func atFirst(part func() bool, limit time.Duration) func() bool {
	var mu sync.Mutex
	var passed bool
	var since time.Time
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		if since.IsZero() {
			since = time.Now()
		}
		passed = passed || part() || time.Since(since) >= limit
		return passed
	}
}

// serve runs one plain HTTP server until ctx ends.
func serve(ctx context.Context, port int, h http.Handler) error { return serveTLS(ctx, port, h, nil) }

// serveTLS runs one HTTP server, over TLS where t is not nil, until ctx ends.
func serveTLS(ctx context.Context, port int, h http.Handler, t *tls.Config) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("serving on port %d: %w", port, err)
	}
	if err := serveOn(ctx, limitConnections(listener), h, t); err != nil {
		return fmt.Errorf("serving on port %d: %w", port, err)
	}
	return nil
}

func serveOn(ctx context.Context, listener net.Listener, h http.Handler, t *tls.Config) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	if t != nil {
		t = t.Clone()
		t.MinVersion, t.NextProtos = tls.VersionTLS13, []string{"http/1.1"} // one connection is one request at a time
		listener = tls.NewListener(listener, t)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if s.Shutdown(end) != nil {
			_ = s.Close() // the requests that are left took too long
		}
	})
	err := s.Serve(listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
