package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// The kubelet restarts a program whose collector stands still, and no other.
func TestHealthz_failsWhenALoopStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		m := multiscaler.New(t.Context(), multiscaler.Options{}, nil)
		parts := []part{{}, {alive: loopsAlive(func() time.Time { return last }, m)}}
		h := healthHandler(func() bool { return false }, allAlive(nil, parts))
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

// An observer of a config map that hangs is seen: no later change would be.
func TestLiveWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive, maps, end := liveness.New(), watched{}, make(chan struct{})
		w := liveWatcher{maps, alive}
		w.Watch("a", func(*corev1.ConfigMap) {})
		w.WatchWithDefault(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, func(*corev1.ConfigMap) { <-end })
		check := allAlive(alive, nil)
		for _, tt := range []struct{ name, want string }{{"a", ""}, {"b", "an event of the config map b has not ended after 31s"}} {
			name, want := tt.name, tt.want
			go maps[name](&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}})
			time.Sleep(standstill)
			if err := check(); err != nil {
				t.Errorf("%s after %v: %v", name, standstill, err)
			}
			time.Sleep(time.Second)
			if err := check(); (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		close(end)
		synctest.Wait()
		if err := check(); err != nil {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestAllAlive_namesEveryLoop(t *testing.T) {
	dead := func(why string) part { return part{alive: func() error { return errors.New(why) }} }
	if err := allAlive(nil, []part{dead("a"), {}, dead("b")})(); err == nil || err.Error() != "a\nb" {
		t.Errorf("%v, want both", err)
	}
}
