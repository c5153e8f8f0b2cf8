package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// The kubelet restarts a program whose collector stands still, and no other.
func TestHealthz_failsWhenALoopStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		m := multiscaler.New(t.Context(), multiscaler.Options{}, nil)
		parts := []part{{}, {alive: loopsAlive(func() time.Time { return last }, m)}}
		h := healthHandler(func() bool { return false }, allAlive(parts))
		probe := func() (int, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
			return w.Code, w.Body.String()
		}
		time.Sleep(time.Hour)
		if code, body := probe(); code != http.StatusOK {
			t.Errorf("before the first tick: %d %s, want 200", code, body)
		}
		last = time.Now()
		time.Sleep(standstill)
		if code, body := probe(); code != http.StatusOK {
			t.Errorf("after %v: %d %s, want 200", standstill, code, body)
		}
		time.Sleep(time.Second)
		if code, body := probe(); code != http.StatusServiceUnavailable || !strings.Contains(body, "collector has stood still") {
			t.Errorf("later: %d %s, want 503 that names the collector", code, body)
		}
	})
}

func TestAllAlive_namesEveryLoop(t *testing.T) {
	dead := func(why string) part { return part{alive: func() error { return errors.New(why) }} }
	if err := allAlive([]part{dead("a"), {}, dead("b")})(); err == nil || err.Error() != "a\nb" {
		t.Errorf("%v, want both", err)
	}
}
