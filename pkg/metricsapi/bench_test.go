package metricsapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"k8s.io/klog/v2"
)

// manyPods is a view of n pods in one namespace with every metric.
func manyPods(n int) fakeView {
	pods := make([]Object, n)
	for i := range pods {
		pods[i] = pod("default", fmt.Sprintf("llama-00001-deployment-%04d", i), "llama-00001")
		for j, metric := range Metrics() {
			pods[i].Samples = append(pods[i].Samples, sample(metric, float64(i*j)+.25, time.Minute))
		}
	}
	return fakeView{Pods(): pods}
}

// handlerOf is the whole handler chain without a socket.
func handlerOf(b *testing.B, view View) http.Handler {
	b.Helper()
	klog.LogToStderr(false)
	l, err := newLatency(nil)
	if err != nil {
		b.Fatal(err)
	}
	api, err := newAPIServer(view, allowAll(), l.observe, withRecording(nil))
	if err != nil {
		b.Fatal(err)
	}
	api.PrepareRun()
	return api.Handler
}

// Run with: go test -run='^$' -bench=. -count=10 -benchmem ./pkg/metricsapi
func BenchmarkRead(b *testing.B) {
	for _, bb := range []struct {
		name, path string
		pods       int
	}{
		{"pods=100/list", "/namespaces/default/pods/*/kv_cache_usage_percent", 100},
		{"pods=1000/list", "/namespaces/default/pods/*/kv_cache_usage_percent", 1000},
		{"pods=1000/select", "/namespaces/default/pods/*/kv_cache_usage_percent?labelSelector=serving.knative.dev%2Frevision%3Dllama-00001", 1000},
		{"pods=1000/by-name", "/namespaces/default/pods/llama-00001-deployment-0500/kv_cache_usage_percent", 1000},
		{"pods=5000/metrics", "", 5000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			handler := handlerOf(b, manyPods(bb.pods))
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, v1beta2Root+bb.path, nil)
				recorder := httptest.NewRecorder()
				start := time.Now()
				handler.ServeHTTP(recorder, request)
				took = append(took, time.Since(start))
				if recorder.Code != http.StatusOK {
					b.Fatalf("%d %s", recorder.Code, recorder.Body)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// What the API server itself costs in memory, idle.
func BenchmarkServerMemory(b *testing.B) {
	for b.Loop() {
		before := heap()
		handler := handlerOf(b, fakeView{})
		b.ReportMetric(float64(heap()-before)/1e6, "MB")
		runtime.KeepAlive(handler)
	}
}

// What one value costs in memory while a View holds it in the form this API asks for.
func BenchmarkSeriesMemory(b *testing.B) {
	const pods = 5000
	for b.Loop() {
		before := heap()
		view := manyPods(pods)
		b.ReportMetric(float64(heap()-before)/float64(pods*len(Metrics())), "B/series")
		runtime.KeepAlive(view)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
