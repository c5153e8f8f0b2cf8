package metricsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// reviewServer answers reviews after a while, and counts them.
type reviewServer struct {
	takes  time.Duration
	status atomic.Int32 // 0 fails the connection
	asked  atomic.Int32
	bytes  int
	says   string // the status of a review
}

func (a *reviewServer) RoundTrip(request *http.Request) (*http.Response, error) {
	n := a.asked.Add(1)
	select {
	case <-time.After(a.takes):
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	question, _ := io.ReadAll(request.Body)
	status := int(a.status.Load())
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	body := fmt.Sprintf(`{"spec": "%s answer %d%s", "status": {%s}}`, question, n, strings.Repeat(".", a.bytes), a.says)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body))}, nil
}

// askedAs asks once: the answer, and how long the caller waited.
func askedAs(t *testing.T, r *reviewed, token string) (answer string, waited time.Duration) {
	t.Helper()
	start := time.Now()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://cluster/tokenreviews", strings.NewReader(token))
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.RoundTrip(request)
	if err != nil {
		return err.Error(), time.Since(start)
	}
	var review struct{ Spec string }
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, review.Spec), time.Since(start)
}

func newReviewServer(status int32) *reviewServer {
	a := &reviewServer{takes: 100 * time.Millisecond}
	a.status.Store(status)
	return a
}

// A caller who asks every second waits once, and no answer is used for longer than reviewTTL.
func TestReviewed_asks_ahead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newReviewServer(http.StatusCreated)
		r := newReviewed(api)
		for second := range 60 {
			answer, waited := askedAs(t, r, "alice")
			if want := time.Duration(0); second > 0 && waited != want {
				t.Errorf("second %d: the caller waited %v", second, waited)
			}
			if !strings.HasPrefix(answer, "201 alice answer ") {
				t.Fatalf("second %d: %q", second, answer)
			}
			time.Sleep(time.Second)
		}
		if got := api.asked.Load(); got < 8 || got > 12 {
			t.Errorf("the API server was asked %d times in a minute, want about 10", got)
		}
		time.Sleep(reviewTTL)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.kept) != 0 {
			t.Errorf("%d answers are kept after their time", len(r.kept))
		}
	})
}

func TestReviewed_what_changes_is_seen_in_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newReviewServer(http.StatusCreated)
		r := newReviewed(api)
		first, _ := askedAs(t, r, "alice")
		changed := time.Now()
		for {
			time.Sleep(100 * time.Millisecond)
			if answer, _ := askedAs(t, r, "alice"); answer != first {
				break
			}
		}
		if took := time.Since(changed); took > reviewTTL-libraryTTL {
			t.Errorf("an answer was used for %v, want at most %v", took, reviewTTL-libraryTTL)
		}
	})
}

func TestReviewed_answers(t *testing.T) {
	tests := []struct {
		name         string
		status       int32
		bytes        int
		tokens       [2]string
		asked        int32
		first, again string
	}{
		{"the same token is asked about once", 201, 0, [2]string{"a", "a"}, 1, "201 a answer 1", "201 a answer 1"},
		{"each token by itself", 201, 0, [2]string{"a", "b"}, 2, "201 a answer 1", "201 b answer 2"},
		{"a refusal is no answer", 500, 0, [2]string{"a", "a"}, 2, "500 a answer 1", "500 a answer 2"},
		{"too many requests is no answer", 429, 0, [2]string{"a", "a"}, 2, "429 a answer 1", "429 a answer 2"},
		{"an error is no answer", 0, 0, [2]string{"a", "a"}, 2, "connection refused", "connection refused"},
		{"a large answer is not kept", 201, reviewKeptBytes, [2]string{"a", "a"}, 2, "201 a answer 1", "201 a answer 2"},
		{"a question without bound is refused", 201, 0, [2]string{strings.Repeat("a", reviewBytes+1), "a"}, 1,
			"a review of more than 2097152 bytes", "201 a answer 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newReviewServer(tt.status)
				api.bytes = tt.bytes
				r := newReviewed(api)
				first, _ := askedAs(t, r, tt.tokens[0])
				again, _ := askedAs(t, r, tt.tokens[1])
				if !strings.HasPrefix(first, tt.first) || !strings.HasPrefix(again, tt.again) {
					t.Errorf("answers %.40q, %.40q, want %q, %q", first, again, tt.first, tt.again)
				}
				if got := api.asked.Load(); got != tt.asked {
					t.Errorf("the API server was asked %d times, want %d", got, tt.asked)
				}
			})
		})
	}
}

// A refusal with an error is used for a second: it may be that of a fault that has passed.
func TestReviewed_doubt(t *testing.T) {
	for _, tt := range []struct {
		says string
		used time.Duration
	}{
		{`"authenticated": false, "error": "etcdserver: request timed out"`, doubtTTL},
		{`"authenticated": false, "error": "invalid bearer token"`, doubtTTL},
		{`"allowed": false, "evaluationError": "no webhook"`, doubtTTL},
		{`"allowed": true, "evaluationError": "no role b"`, reviewTTL - libraryTTL},
		{`"allowed": false`, reviewTTL - libraryTTL},
		{`"authenticated": true`, reviewTTL - libraryTTL},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := newReviewServer(http.StatusCreated)
			api.takes, api.says = 0, tt.says
			r := newReviewed(api)
			askedAs(t, r, "a")
			time.Sleep(tt.used - time.Millisecond)
			r.mu.Lock()
			kept := len(r.kept)
			r.mu.Unlock()
			time.Sleep(2 * time.Millisecond)
			r.mu.Lock()
			defer r.mu.Unlock()
			if kept != 1 || len(r.kept) != 0 {
				t.Errorf("%s: %d answers before %v, %d after", tt.says, kept, tt.used, len(r.kept))
			}
		})
	}
}

// While the API server is away its last answer holds for its time, and not longer.
func TestReviewed_API_server_away(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newReviewServer(http.StatusCreated)
		r := newReviewed(api)
		askedAs(t, r, "alice")
		api.status.Store(0)
		time.Sleep(reviewAhead + time.Second)
		if answer, waited := askedAs(t, r, "alice"); answer != "201 alice answer 1" || waited != 0 {
			t.Errorf("in its time: %q after %v", answer, waited)
		}
		time.Sleep(reviewTTL)
		if answer, _ := askedAs(t, r, "alice"); answer != "connection refused" {
			t.Errorf("after its time: %q", answer)
		}
	})
}

// Many who ask at the same moment are one question; who hangs up takes nobody along.
func TestReviewed_one_question_for_all(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newReviewServer(http.StatusCreated)
		r := newReviewed(api)
		ctx, hangUp := context.WithCancel(t.Context())
		first, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://cluster/tokenreviews", strings.NewReader("alice"))
		if err != nil {
			t.Fatal(err)
		}
		gone := make(chan error, 1)
		go func() {
			_, err := r.RoundTrip(first)
			gone <- err
		}()
		synctest.Wait()
		var good atomic.Int32
		for range 20 {
			go func() {
				if answer, _ := askedAs(t, r, "alice"); answer == "201 alice answer 1" {
					good.Add(1)
				}
			}()
		}
		synctest.Wait()
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who hung up got %v", err)
		}
		time.Sleep(time.Second)
		if good.Load() != 20 || api.asked.Load() != 1 {
			t.Errorf("%d of 20 got the answer, the API server was asked %d times", good.Load(), api.asked.Load())
		}
	})
}
