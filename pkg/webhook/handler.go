package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
)

// The limits of reviews. Small ones have a gate of their own, so that large ones, which a
// tenant can send through the API server, delay no ordinary pod. A review holds at most its
// body, a copy of its objects and 10 MiB of Go values: together less than 100 MiB. Small bodies
// that are being received take at most 64 MiB, 128 KiB for each of 512 connections.
const (
	// maxReview is the size of a review in bytes: an object of etcd's 1.5 MiB, twice.
	maxReview = 3 << 20
	// smallReview is the size in bytes up to which a review is small: a pod takes about 10 KiB.
	smallReview = 128 << 10
	// smallAtOnce and largeAtOnce are how many reviews of each size are answered at once.
	smallAtOnce, largeAtOnce = 32, 4
	// maxWait is how long a review waits for its turn: the API server waits 2 s for a pod's.
	maxWait = 500 * time.Millisecond
	// maxRead is how long a body may take: kube-apiserver sends one in milliseconds.
	maxRead = time.Second
)

// The answers that ipa_admission_reviews_total counts.
const (
	answerAllowed = "allowed"
	answerRefused = "refused"
	answerBusy    = "busy"
	answerInvalid = "invalid"
)

// admit answers one request.
type admit func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse

// handler answers reviews over HTTP. It is safe for concurrent use.
type handler struct {
	admit   admit
	gates   *gates
	answers *prometheus.CounterVec // by answer
	// alive watches the reviews, whose work is called review.
	alive  *liveness.Monitor
	review string
}

// newHandler serves every path with its function; reviews of all paths share the gates.
func newHandler(reg prometheus.Registerer, alive *liveness.Monitor, paths map[string]admit) (http.Handler, error) {
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ipa_admission_reviews_total", Help: "Admission reviews, by path and answer: allowed, refused, busy or invalid.",
	}, []string{"path", "answer"})
	if reg != nil {
		if err := reg.Register(answers); err != nil {
			return nil, fmt.Errorf("webhook: registering metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	shared := &gates{small: make(gate, smallAtOnce), large: make(gate, largeAtOnce)}
	for path, f := range paths {
		mux.Handle("POST "+path, &handler{admit: f, gates: shared, answers: answers.MustCurryWith(prometheus.Labels{"path": path}),
			alive: alive, review: "a review of " + path})
	}
	return mux, nil
}

// ServeHTTP implements http.Handler. A review that finds no turn is answered with 429, which
// the API server treats as a webhook that is away: pods pass, see docs/webhook.md.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if code, text := refusedSize(r); code != 0 {
		h.answers.WithLabelValues(answerInvalid).Inc()
		http.Error(w, text, code)
		return
	}
	var body []byte
	small := r.ContentLength <= smallReview
	if small { // before its turn: a client that sends none of its body keeps nobody else out
		var ok bool
		if body, ok = h.read(w, r); !ok {
			return
		}
	}
	leave, ok := h.gates.enter(r.Context(), r.ContentLength)
	if !ok {
		h.answers.WithLabelValues(answerBusy).Inc()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many admission reviews at once; try again", http.StatusTooManyRequests)
		return
	}
	defer leave()
	if !small {
		if body, ok = h.read(w, r); !ok {
			return
		}
	}
	if err := h.answer(w, body); err != nil {
		h.invalid(w, err)
	}
}

// read reads the body, for at most maxRead; without all of it the client has its answer.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(maxRead)) // the server's own is longer
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		h.invalid(w, fmt.Errorf("reading the AdmissionReview: %w", err))
		return nil, false
	}
	return body, true
}

func (h *handler) invalid(w http.ResponseWriter, err error) {
	h.answers.WithLabelValues(answerInvalid).Inc()
	http.Error(w, err.Error(), http.StatusBadRequest)
}

// refusedSize returns 0 for a request whose body may be read.
func refusedSize(r *http.Request) (code int, text string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || kind != "application/json":
		return http.StatusUnsupportedMediaType, "the Content-Type must be application/json"
	case r.ContentLength < 0:
		return http.StatusLengthRequired, "an AdmissionReview needs a Content-Length"
	case r.ContentLength > maxReview:
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the AdmissionReview has %d bytes; at most %d are read", r.ContentLength, maxReview)
	}
	return 0, ""
}

func (h *handler) answer(w http.ResponseWriter, body []byte) error {
	kind, in, err := request(body)
	if err != nil {
		return err
	}
	out := h.judge(in)
	out.UID, out.Warnings = in.UID, lines(out.Warnings)
	text, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: kind, Response: out})
	if err != nil {
		return fmt.Errorf("writing the AdmissionReview: %w", err)
	}
	answer := answerAllowed
	if !out.Allowed {
		answer = answerRefused
	}
	h.answers.WithLabelValues(answer).Inc()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the API server has gone, and with it the need for an answer
	return nil
}

// judge waits for nobody: what it needs is in memory. The time in which the client sends the review
// and reads the answer is the client's.
func (h *handler) judge(in *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	defer h.alive.Begin(h.review, 0)()
	return h.admit(in)
}

// lines makes a warning of each line: kubectl drops a warning that has several.
func lines(warnings []string) (out []string) {
	for _, w := range warnings {
		out = append(out, strings.Split(w, "\n")...)
	}
	return out
}

// gate lets as many in at once as it has room for.
type gate chan struct{}

type gates struct{ small, large gate }

// enter waits for a turn, for at most maxWait; leave must be called when it got one.
func (g *gates) enter(ctx context.Context, size int64) (leave func(), ok bool) {
	at := g.small
	if size > smallReview {
		at = g.large
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case at <- struct{}{}:
		return func() { <-at }, true
	case <-ctx.Done():
		return nil, false
	}
}
