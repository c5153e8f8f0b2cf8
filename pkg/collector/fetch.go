package collector

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// newTransport speaks plain HTTP/1.1 to pods, directly. Each pod keeps one idle
// connection, dropped soon after its pod left. Pages are asked for uncompressed:
// unpacking one took up to 40 % of the adapter's CPU at 1,000 pods, and a Python
// engine compresses on the loop that streams its tokens.
func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         4 << 10,
		WriteBufferSize:        1 << 10,
		DisableCompression:     true,
	}
}

// failure is a scrape that gave no sample, with a cause from a short list: the
// label result of the scrapes counter.
type failure struct {
	cause string
	err   error
	// kind is a finer cause than cause; "" is cause.
	kind string
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// Causes that more than one place names.
const (
	causeImplausible = "implausible"
	causeWrongPod    = "wrong_pod"
	causeTooLarge    = "too_large"
	causePanic       = "panic"
)

func failed(cause, format string, args ...any) error {
	return failure{cause: cause, err: fmt.Errorf(format, args...)}
}

// statusFailure is the failure of a response that is not 200 OK.
func statusFailure(r *http.Response) error {
	f := failure{cause: "status", err: fmt.Errorf("HTTP status %d", r.StatusCode)}
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		f.kind, f.err = "redirect", fmt.Errorf("HTTP status %d, a redirect to %.60q", r.StatusCode, r.Header.Get("Location"))
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		f.kind = "unauthorized"
	}
	return f
}

// cause names why err happened, in one word.
func cause(err error) string {
	var f failure
	var timeout net.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &f):
		return f.cause
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, engine.ErrStopped), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	default:
		return "network"
	}
}

// fetch reads the target's page into s.body and returns when the response
// came. The transport is asked directly: no redirect is followed, no cookie kept.
func (c *Collector) fetch(ctx context.Context, t *target, s *scratch) (time.Time, error) {
	s.body.Reset()
	response, err := c.o.Transport.RoundTrip(t.request.WithContext(ctx))
	at := c.clock.now()
	if err != nil {
		return at, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return at, statusFailure(response)
	}
	s.kind = response.Header.Get("Content-Type")
	body, err := unpacked(response)
	if err != nil {
		return at, err
	}
	return at, c.readBody(ctx, t, s, body)
}

// unpacked returns the body of a response, decoded where the server compressed it
// although nobody asked for that.
func unpacked(r *http.Response) (io.Reader, error) {
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the page says that it is compressed by gzip: %w", err)
		}
		return z, nil
	default:
		return nil, failed("content_type", "the page is compressed by %.40q, and only gzip can be read", encoding)
	}
}

// scrape reads one sample and stores it. It reports whether the sample shows a
// burst that a second look should confirm.
func (c *Collector) scrape(ctx context.Context, t *target, s *scratch) (confirm bool) {
	within, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	start := time.Now()
	at, err := c.fetch(within, t, s)
	if err == nil {
		err = c.decode(within, t, s)
	}
	if ctx.Err() != nil {
		return false
	}
	c.metrics.observe(t.source, c.result(t, s, err), time.Since(start), s.body.Len())
	return c.settle(t, s, outcome{at, time.Since(start), err})
}

// outcome is how a scrape ended: when the response came, how long all took, and why
// there is no sample.
type outcome struct {
	at   time.Time
	took time.Duration
	err  error
}

// settle stores the outcome of a scrape and notifies of a change.
func (c *Collector) settle(t *target, s *scratch, o outcome) (confirm bool) {
	changed, confirm := t.rev.store(t, s, o)
	if changed {
		c.changed(t.rev.key)
	}
	return confirm
}

// scrapeSafely is scrape that turns a panic on what one pod sent into a failure of that
// target: the others go on, and the pod's values become unknown.
func (c *Collector) scrapeSafely(ctx context.Context, t *target, s *scratch) (confirm bool) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err := failed(causePanic, "a fault of the autoscaler: %v", p)
			c.metrics.panics.Inc()
			c.metrics.observe(t.source, causePanic, time.Since(start), s.body.Len())
			c.o.Log.Error("recovered from a panic", "revision", t.rev.key, "pod", t.podName, "source", t.source.String(), "panic", p, "stack", string(debug.Stack()))
			confirm = c.settle(t, s, outcome{c.clock.now(), time.Since(start), err})
			s.parsers = map[string]*engine.Parser{}
		}
	}()
	return c.scrape(ctx, t, s)
}

// result is the scrape's label: a page of which only some values were believed
// is a good sample, but not an ok one.
func (c *Collector) result(t *target, s *scratch, err error) string {
	if err == nil && t.source != queueProxy && s.engine.implausible {
		return causeImplausible
	}
	return cause(err)
}

// decode turns s.body into the source's sample, unless ctx ends before.
func (c *Collector) decode(ctx context.Context, t *target, s *scratch) error {
	if t.source == queueProxy {
		return decodeRequests(s, t.podName)
	}
	return c.decodeEngine(ctx, t.engine, s)
}
