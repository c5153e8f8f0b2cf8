package metricsapi

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An answer is given to all who ask the same until its values may be others.
func TestFastLists_shared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := countingView{twoModels(), &atomic.Int64{}}
		h := fastLists(v, nil)
		for _, step := range []struct {
			path  string
			after time.Duration
			lists int64
		}{
			{"v1beta2/namespaces/default/pods/*/concurrency", 0, 1},
			{"v1beta2/namespaces/default/pods/*/concurrency", time.Hour - 1, 1},
			{"v1beta2/namespaces/default/pods/*/concurrency", 1, 2}, // void
			{"v1beta1/namespaces/default/pods/*/concurrency", 0, 3},
			{"v1beta2/namespaces/other/pods/*/concurrency", 0, 4},
			{"v1beta2/namespaces/default/pods/*/num_requests_waiting", 0, 5},
			{"v1beta2/namespaces/default/services.serving.knative.dev/*/concurrency", 0, 6},
			{"v1beta2/namespaces/default/pods/*/concurrency?labelSelector=a%3Db", 0, 7},
			{"v1beta2/namespaces/default/pods/*/concurrency?labelSelector=a%3Db", 0, 7},
			{"v1beta2/namespaces/default/pods/*/concurrency", 0, 7},
		} {
			time.Sleep(step.after)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, withInfo(t, httptest.NewRequestWithContext(t.Context(), "GET", "/apis/"+GroupName+"/"+step.path, nil)))
			if got := v.lists.Load(); got != step.lists || !strings.HasPrefix(w.Body.String(), `{"kind":"MetricValueList"`) {
				t.Errorf("%s: %d lists, want %d; body %s", step.path, got, step.lists, w.Body)
			}
		}
	})
}

// The room is bounded in bytes, whatever is asked; what is void gives its room back.
func TestSharedAnswers_bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharedAnswers
		body := []byte("{}")
		put := func(from, to int, until time.Time) {
			for i := range to - from {
				s.put(question{selector: fmt.Sprint(from + i)}, body, until)
			}
		}
		put(0, 10_000, time.Now().Add(time.Second))
		if n := len(s.kept); s.bytes > maxSharedBytes || n < 1000 || n > 5000 {
			t.Errorf("%d answers of %d bytes are kept, want at most %d bytes", n, s.bytes, maxSharedBytes)
		}
		time.Sleep(time.Second)
		put(10_000, 10_001, time.Now().Add(time.Second))
		if s.get(question{selector: "10000"}, time.Now()) == nil || len(s.kept) != 1 {
			t.Errorf("%d answers are kept after all were void, want the new one", len(s.kept))
		}
		s.put(question{selector: "10000"}, slices.Repeat([]byte("x"), maxSharedBytes), time.Now().Add(time.Second))
		if len(s.kept) != 0 || s.bytes != 0 {
			t.Errorf("%d answers of %d bytes are kept after one that has no room took the place of the last", len(s.kept), s.bytes)
		}
		s.put(question{}, body, time.Now())
		if len(s.kept) != 0 {
			t.Error("an answer that is void at once was kept")
		}
	})
}

// What is kept is no buffer that the next answer is written to.
func TestSharedAnswers_copies(t *testing.T) {
	var s sharedAnswers
	body := []byte("first")
	s.put(question{}, body, time.Now().Add(time.Hour))
	copy(body, "other")
	if got := string(s.get(question{}, time.Now())); got != "first" {
		t.Errorf("answer %q, want first", got)
	}
}
