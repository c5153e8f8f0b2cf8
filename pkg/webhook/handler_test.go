package webhook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
)

const envelope = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u1", "operation": "%s", "namespace": "default", "object": %s}}`

// hostile are reviews of almost 3 MiB that the API server would pass on.
func hostile() map[string]string {
	const mebibyte = 1 << 20
	labels := `{"labels": {"serving.knative.dev/service": "qwen", "serving.knative.dev/revision": "qwen-00001"}}`
	return map[string]string{
		"unknown fields":     fmt.Sprintf(envelope, "CREATE", `{"metadata": `+labels+`, "novel": [`+strings.Repeat(`{"a":1},`, 3*mebibyte/8-100)+`{}]}`),
		"env of a Pod":       fmt.Sprintf(envelope, "CREATE", `{"metadata": `+labels+`, "spec": {"containers": [{"env": [`+strings.Repeat(`{"name":"A","value":"b"},`, 2900*1024/24)+`{"name":"A"}]}]}}`),
		"empty containers":   fmt.Sprintf(envelope, "CREATE", `{"metadata": `+labels+`, "spec": {"containers": [`+strings.Repeat(`{},`, mebibyte-200)+`{}]}}`),
		"labels":             fmt.Sprintf(envelope, "CREATE", `{"metadata": {"labels": {`+strings.Repeat(`"a":"b",`, 3*mebibyte/8-100)+`"c":"d"}}}`),
		"who asks":           `{"request": {"uid": "u1", "operation": "CREATE", "userInfo": {"groups": [` + strings.Repeat(`"a",`, 3*mebibyte/4-100) + `"b"]}, "object": {}}}`,
		"template of a ksvc": fmt.Sprintf(envelope, "CREATE", `{"metadata": {"annotations": {"knative-inference.dev/ai-gateway": "inference"}}, "spec": {"template": {"spec": {"containers": [`+strings.Repeat(`{},`, mebibyte-200)+`{}]}}}}`),
	}
}

func testHandler(t *testing.T, reg prometheus.Registerer) http.Handler { //nolint:unparam as newHandler
	t.Helper()
	c := caches(t, service(t, bound+`spec: {}`))
	h, err := newHandler(reg, nil, map[string]admit{PodsPath: c.pods, DefaultsPath: setClass, ValidatePath: judging(t, c).validate})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A review of 3 MiB costs less than 10 MiB of allocations, whatever is in it.
func TestHandler_hostileReviewIsCheap(t *testing.T) {
	h := testHandler(t, nil)
	for name, body := range hostile() {
		for _, path := range []string{PodsPath, DefaultsPath, ValidatePath} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ask(h, path, body)
			runtime.ReadMemStats(&after)
			t.Logf("%s on %s: %d bytes in, %d KiB allocated", name, path, len(body), (after.TotalAlloc-before.TotalAlloc)>>10)
			if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got >= 10 {
				t.Errorf("%s on %s: %d MiB allocated for %d bytes, want less than 10", name, path, got, len(body))
			}
		}
	}
}

// Sixteen such reviews at once stay below 100 MiB of memory: four are answered at a time.
func TestHandler_hostileReviewsAtOnce(t *testing.T) {
	h := testHandler(t, nil)
	body := hostile()["env of a Pod"]
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	var mu sync.Mutex
	look := func() {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		mu.Lock()
		defer mu.Unlock()
		peak = max(peak, now.HeapAlloc)
	}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { ask(h, PodsPath, body); look() })
	}
	group.Wait()
	t.Logf("the heap grew by %d MiB", (int64(peak)-int64(before.HeapAlloc))>>20)
	if got := (int64(peak) - int64(before.HeapAlloc)) >> 20; got >= 100 {
		t.Errorf("the heap grew by %d MiB, want less than 100", got)
	}
}

// Large reviews that hang delay no small one; one too many is answered with 429.
func TestHandler_boundsReviews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		release := make(chan struct{})
		h, err := newHandler(reg, nil, map[string]admit{"/x": func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
			if len(r.Object.Raw) > smallReview {
				<-release
			}
			return allow()
		}})
		if err != nil {
			t.Fatal(err)
		}
		large := fmt.Sprintf(envelope, "CREATE", `"`+strings.Repeat("x", smallReview+1)+`"`)
		var group sync.WaitGroup
		for range largeAtOnce {
			group.Go(func() { ask(h, "/x", large) })
		}
		synctest.Wait()
		if got := ask(h, "/x", large); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: %d, want 429 with Retry-After", got.Code)
		}
		if got := ask(h, "/x", fmt.Sprintf(envelope, "CREATE", "{}")); got.Code != http.StatusOK {
			t.Errorf("a small one beside them: %d, want 200", got.Code)
		}
		close(release)
		group.Wait()
		want := `
# HELP ipa_admission_reviews_total Admission reviews, by path and answer: allowed, refused, busy or invalid.
# TYPE ipa_admission_reviews_total counter
ipa_admission_reviews_total{answer="allowed",path="/x"} 5
ipa_admission_reviews_total{answer="busy",path="/x"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	})
}

// Clients that announce a small body and send none of it delay no other review.
func TestHandler_bodiesThatDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := newHandler(nil, nil, map[string]admit{"/x": func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse { return allow() }})
		if err != nil {
			t.Fatal(err)
		}
		body, stop := io.Pipe()
		var group sync.WaitGroup
		for range 2 * smallAtOnce {
			group.Go(func() {
				r := httptest.NewRequest(http.MethodPost, "/x", body)
				r.ContentLength = 100
				r.Header.Set("Content-Type", "application/json")
				h.ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		synctest.Wait()
		if got := ask(h, "/x", fmt.Sprintf(envelope, "CREATE", "{}")); got.Code != http.StatusOK {
			t.Errorf("a review beside them: %d, want 200", got.Code)
		}
		stop.Close()
		group.Wait()
	})
}

// A body that stops in the middle is given up after maxRead.
func TestHandler_bodyThatStops(t *testing.T) {
	h, err := newHandler(nil, nil, map[string]admit{"/x": func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse { return allow() }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * maxRead))
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
		t.Errorf("answer %q, %v; want 400", answer, err)
	}
}

// What the API server gets back over HTTP.
func TestHandler_answers(t *testing.T) {
	h := testHandler(t, nil)
	got := ask(h, DefaultsPath, fmt.Sprintf(envelope, "CREATE", `{"metadata": {"annotations": {"knative-inference.dev/ai-gateway": "inference"}}, "spec": {"template": {}}}`))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(got.Body.Bytes(), &review); err != nil {
		t.Fatal(err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response.UID != "u1" || !review.Response.Allowed || len(review.Response.Patch) == 0 {
		t.Errorf("answer %s, want the review's kind and UID, allowed with a patch", got.Body)
	}
	for _, tt := range []struct {
		name, kind string
		body       io.Reader
		length     int64
		code       int
	}{
		{"another content type", "text/plain", strings.NewReader("{}"), 2, http.StatusUnsupportedMediaType},
		{"an unknown length", "application/json", strings.NewReader("{}"), -1, http.StatusLengthRequired},
		{"too long", "application/json", bytes.NewReader(nil), maxReview + 1, http.StatusRequestEntityTooLarge},
		{"cut off", "application/json", strings.NewReader("{}"), 100, http.StatusBadRequest},
		{"no JSON", "application/json", strings.NewReader("{"), 1, http.StatusBadRequest},
		{"no request", "application/json", strings.NewReader("{}"), 2, http.StatusBadRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, PodsPath, tt.body)
		r.Header.Set("Content-Type", tt.kind)
		r.ContentLength = tt.length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.code {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.code)
		}
	}
}

// A Service that is too large to be read passes, with a word.
func TestValidate_tooLargeIsAWarning(t *testing.T) {
	got := ask(testHandler(t, nil), ValidatePath, hostile()["template of a ksvc"])
	if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"allowed":true`) || !strings.Contains(got.Body.String(), "not checked") {
		t.Errorf("%d %s, want it allowed with a warning", got.Code, got.Body)
	}
}
