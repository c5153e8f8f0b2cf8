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
	"strings"
	"syscall"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// turn bounds one scrape: its deadline, and the channel that is closed when its target
// is dropped.
type turn struct {
	deadline time.Time
	quit     <-chan struct{}
}

func (t turn) over() bool { return t.dropped() || time.Now().After(t.deadline) }

func (t turn) dropped() bool {
	select {
	case <-t.quit:
		return true
	default:
		return false
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
	causeTimeout     = "timeout"
	causeToken       = "token"
	// kindUnauthorized is a finer cause of a status.
	kindUnauthorized = "unauthorized"
)

func failed(cause, format string, args ...any) error {
	return failure{cause: cause, err: fmt.Errorf(format, args...)}
}

// statusFailure is the failure of a response that is not 200 OK; redirect is the kind of one.
func statusFailure(r *httpget.Response, redirect string) error {
	f := failure{cause: "status", err: fmt.Errorf("HTTP status %d", r.Status)}
	switch {
	case r.Status >= 300 && r.Status < 400:
		f.kind, f.err = redirect, fmt.Errorf("HTTP status %d, a redirect to %.60q", r.Status, r.Location)
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		f.kind = kindUnauthorized
	case wantsTLS(r):
		return errNeedsTLS
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
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, engine.ErrStopped), errors.As(err, &timeout) &&
		timeout.Timeout():
		return causeTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	default:
		return "network"
	}
}

// fetch reads the target's page into s.body and returns when the response
// came. A redirect on the same address is followed once.
func (c *Collector) fetch(within turn, t *target, s *scratch) (time.Time, error) {
	err := c.authorize(t)
	if err != nil {
		return c.clock.now(), err
	}
	err = t.connection.Get(within.deadline, &s.response)
	if err == nil {
		err = c.follow(within, t, s)
	}
	at := c.clock.now()
	if err != nil {
		return at, steady(c.recogniseTLS(within, t, err))
	}
	t.silent = 0
	defer t.connection.Done(&s.response)
	if s.room == nil {
		s.room = c.rooms.get(newRoom)
	}
	s.body.Reset()
	if s.response.Status != http.StatusOK {
		t.ask(t.uri)
		return at, statusFailure(&s.response, t.kindOfRedirect(s.response.Location))
	}
	body, err := unpacked(&s.response)
	if err != nil {
		return at, err
	}
	return at, steady(c.readBody(within, t, s, body))
}

// steady is an error of the network without our own port, which differs for each
// connection: the message becomes part of a PodAutoscaler's status.
func steady(err error) error {
	var o *net.OpError
	if err == nil || !errors.As(err, &o) || o.Source == nil {
		return err
	}
	return fmt.Errorf("%s %v: %w", o.Op, o.Addr, o.Err)
}

// unpacked returns the body of a response, decoded where the server compressed it
// although nobody asked for that.
func unpacked(r *httpget.Response) (io.Reader, error) {
	switch encoding := r.ContentEncoding; strings.ToLower(encoding) {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if errors.Is(err, gzip.ErrHeader) {
			return nil, failure{cause: "network", kind: "content_type", err: errors.New("the page says that it is compressed by gzip, and is not")}
		}
		return z, err
	default:
		return nil, failed("content_type", "the page is compressed by %.40q, and only gzip can be read", encoding)
	}
}

// scrape reads one sample and stores it. It reports whether the sample shows a
// burst that a second look should confirm.
func (c *Collector) scrape(t *target, s *scratch) (confirm bool) {
	start := time.Now()
	within := turn{start.Add(t.timeout()), t.quit}
	at, err := c.fetch(within, t, s)
	response := time.Since(start)
	if err == nil {
		err = c.decode(within, t, s)
	}
	if within.dropped() {
		return false
	}
	err = c.withoutToken(t, err)
	c.metrics.observe(t.source, c.result(t, s, err), time.Since(start), s.size())
	return c.recordOutcome(t, s, outcome{at, response, time.Since(start), err})
}

// outcome is how a scrape ended: when the response came, how long the engine took for it
// and how long all took, and why there is no sample.
type outcome struct {
	at             time.Time
	response, took time.Duration
	err            error
}

// recordOutcome stores the outcome of a scrape and notifies of a change.
func (c *Collector) recordOutcome(t *target, s *scratch, o outcome) (confirm bool) {
	news := t.rev.store(t, s, o)
	if news.changed { // at zero a request waits for the decision
		c.changed(t.rev.key, news.burst || t.rev.hurried.Load())
	}
	if news.confirm && t.source == pickerPage {
		c.hastenBehind(t.rev.key, o.at)
	}
	return news.confirm
}

// scrapeSafely is scrape that turns a panic on what one pod sent into a failure of that
// target: the others go on, and the pod's values become unknown.
func (c *Collector) scrapeSafely(t *target, s *scratch) (confirm bool) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			fault := concealed(fmt.Sprint(p), t.token)
			err := failed(causePanic, "a fault of the autoscaler: %s", fault)
			c.metrics.panics.Inc()
			c.metrics.observe(t.source, causePanic, time.Since(start), s.size())
			c.o.Log.Error("recovered from a panic", "revision", t.rev.key, "pod", t.podName, "source", t.source.String(), "panic", fault, "stack", string(debug.Stack()))
			confirm = c.recordOutcome(t, s, outcome{at: c.clock.now(), took: time.Since(start), err: err})
			if s.room != nil {
				s.parsers = map[string]*engine.Parser{}
			}
		}
	}()
	return c.scrape(t, s)
}

// result is the scrape's label: a page with some values that were not believed
// is a good sample, but not an ok one.
func (c *Collector) result(t *target, s *scratch, err error) string {
	if err == nil && t.source != queueProxy && s.engine.implausible {
		return causeImplausible
	}
	return cause(err)
}

// decode turns s.body into the source's sample, unless the turn is over before.
func (c *Collector) decode(within turn, t *target, s *scratch) error {
	if t.source == queueProxy {
		return decodeRequests(s, t.podName)
	}
	return c.decodeEngine(within, t, s)
}
