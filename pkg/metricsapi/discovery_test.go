package metricsapi

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countingView counts lists.
type countingView struct {
	fakeView
	lists *atomic.Int64
}

func (v countingView) List(q Query) Listing {
	v.lists.Add(1)
	return v.fakeView.List(q)
}

// Discovery reads the pods once in five seconds, whoever asks how often.
func TestDiscovery_isReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := countingView{twoModels(), &atomic.Int64{}}
		p := newProvider(v)
		first := len(p.ListAllMetrics())
		for range 100 {
			p.ListAllMetrics()
		}
		if got, want := v.lists.Load(), int64(len(resources())); got != want || first == 0 {
			t.Errorf("%d lists for 101 questions, want %d; %d metrics", got, want, first)
		}
		v.fakeView[Pools()] = []Object{{Namespace: "default", Name: "pool", Samples: []Sample{sample("concurrency", 1, 0)}}}
		time.Sleep(discoveryTTL)
		if got := len(p.ListAllMetrics()); got != first+1 {
			t.Errorf("%d metrics after %v, want %d", got, discoveryTTL, first+1)
		}
	})
}

// A replica that knew nothing at first names its metrics within a second.
func TestDiscovery_ofNothingIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := fakeView{}
		p := newProvider(v)
		if got := p.ListAllMetrics(); len(got) != 0 {
			t.Fatalf("%v of an empty view", got)
		}
		v[Pods()] = twoModels()[Pods()]
		time.Sleep(time.Second)
		if got := p.ListAllMetrics(); len(got) == 0 {
			t.Error("no metric a second after the first value")
		}
	})
}

// panicView breaks on one metric.
type panicView struct{ fakeView }

func (v panicView) List(q Query) Listing {
	if q.Metric == "num_requests_waiting" {
		panic("poisoned")
	}
	return v.fakeView.List(q)
}

// A request that panics is answered with 500, and the next one is served.
func TestServer_containsAPanic(t *testing.T) {
	server := serve(t, panicView{twoModels()})
	for _, request := range []struct {
		metric string
		want   int
	}{{"num_requests_waiting", http.StatusInternalServerError}, {"concurrency", http.StatusOK}} {
		res, err := http.Get(server.URL + v1beta2Root + "/namespaces/default/pods/*/" + request.metric)
		if err != nil {
			t.Fatalf("%s: %v", request.metric, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != request.want {
			t.Errorf("%s: %s, want %d", request.metric, res.Status, request.want)
		}
	}
}
