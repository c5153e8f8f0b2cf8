package metricsapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	// reviewTTL is how long the cluster's answer about a token or a permission is reused at most.
	reviewTTL = 10 * time.Second
	// libraryTTL is the part of reviewTTL for which the library reuses an answer without a question to reviewed.
	libraryTTL = time.Second
	// doubtTTL is how long a refusal with an error is reused: a bad token must not cost a question for each request,
	// and a fault of a moment must refuse nobody for long.
	doubtTTL = time.Second
	// reviewAhead is the age of an answer from which on the cluster is asked again while callers get the old one.
	reviewAhead = 5 * time.Second
	// reviewsPerSecond and reviewsAtOnce are the library's own limits: they bound how many new callers are let in, and
	// with reviewTTL how many answers are kept (2,200).
	reviewsPerSecond, reviewsAtOnce = 200, 400
	// reviewKeptBytes is the largest answer that is kept. A usual one has 1 KiB.
	reviewKeptBytes = 16 << 10
	// reviewBytes bounds a question and an answer.
	reviewBytes = 2 << 20
)

// reviewed asks the cluster about callers, and reuses its answers. It asks again about
// a caller who goes on calling before the answer is too old, so that only a caller's
// first request waits for the API server. It may be used by several goroutines.
type reviewed struct {
	next  http.RoundTripper
	limit flowcontrol.RateLimiter // of the questions that reach the API server
	asks  singleflight.Group
	mu    sync.Mutex
	kept  map[string]*reviewAnswer // by reviewKey; an answer may hold a token, so none stays longer than it is used
}

// reviewAnswer is the API server's answer to one question.
type reviewAnswer struct {
	status int
	header http.Header
	body   []byte
	at     time.Time
}

func newReviewed(next http.RoundTripper) *reviewed {
	return &reviewed{next: next, limit: flowcontrol.NewTokenBucketRateLimiter(reviewsPerSecond, reviewsAtOnce),
		kept: map[string]*reviewAnswer{}}
}

// RoundTrip answers from memory where it can.
func (r *reviewed) RoundTrip(request *http.Request) (*http.Response, error) {
	question, err := readQuestion(request)
	if err != nil {
		return nil, err
	}
	key := reviewKey(request, question)
	if answer := r.recent(key); answer != nil {
		if time.Since(answer.at) > reviewAhead {
			r.ask(request, key, question)
		}
		return answer.response(request), nil
	}
	select {
	case <-request.Context().Done():
		return nil, request.Context().Err()
	case result := <-r.ask(request, key, question):
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*reviewAnswer).response(request), nil
	}
}

func readQuestion(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	defer func() { _ = request.Body.Close() }()
	question, err := io.ReadAll(io.LimitReader(request.Body, reviewBytes+1))
	if err == nil && len(question) > reviewBytes {
		err = fmt.Errorf("a review of more than %d bytes", reviewBytes)
	}
	return question, err
}

// reviewKey hashes the question, which may hold a token.
func reviewKey(request *http.Request, question []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %s %s\n", request.Method, request.URL, request.Header.Get("Content-Type"))
	_, _ = h.Write(question)
	return string(h.Sum(nil))
}

func (r *reviewed) recent(key string) *reviewAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept[key]
}

// store keeps an answer of the API server for as long as it may be used; what is no review is not kept.
func (r *reviewed) store(key string, answer *reviewAnswer) {
	if answer.status/100 != 2 || len(answer.body) > reviewKeptBytes {
		return
	}
	ttl := reviewTTL - libraryTTL
	if !answer.isVerdict() {
		ttl = doubtTTL
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[key] = answer
	time.AfterFunc(ttl-time.Since(answer.at), func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.kept[key] == answer {
			delete(r.kept, key)
		}
	})
}

// isVerdict is false for a refusal with an error in its status: the API server says so both of a
// token that is not valid and of a review that it could not make.
func (a *reviewAnswer) isVerdict() bool {
	var review struct {
		Status struct {
			Authenticated, Allowed bool
			Error, EvaluationError string
		}
	}
	if err := json.Unmarshal(a.body, &review); err != nil {
		return false
	}
	s := review.Status
	return s.Authenticated || s.Allowed || s.Error == "" && s.EvaluationError == ""
}

// ask asks the API server; all who ask the same meanwhile get its one answer. A caller
// who hangs up does not end the question, because others may wait for its answer.
func (r *reviewed) ask(request *http.Request, key string, question []byte) <-chan singleflight.Result {
	detached := context.WithoutCancel(request.Context())
	return r.asks.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(detached, reviewTimeout)
		defer cancel()
		if err := r.limit.Wait(ctx); err != nil {
			return nil, err
		}
		again := request.Clone(ctx)
		again.Body = io.NopCloser(bytes.NewReader(question))
		at := time.Now()
		answer, err := r.answerOf(again)
		if err != nil {
			return nil, err
		}
		answer.at = at
		r.store(key, answer)
		return answer, nil
	})
}

func (r *reviewed) answerOf(request *http.Request) (*reviewAnswer, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, reviewBytes))
	if err != nil {
		return nil, err
	}
	return &reviewAnswer{status: response.StatusCode, header: response.Header, body: body}, nil
}

func (a *reviewAnswer) response(request *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Request: request,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}
}
