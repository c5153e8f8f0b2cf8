package inferencepool

import (
	"errors"
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A revision is woken by a GET at its own Service with Knative's headers, and only one that
// has a PodAutoscaler with a Service.
func TestKnativeWaker(t *testing.T) {
	index := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for name, service := range map[string]string{"qwen-00001": "qwen-00001", "young-00001": ""} {
		pa := &v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}, Spec: v1alpha1.PodAutoscalerSpec{ProtocolType: networking.ProtocolHTTP1}}
		pa.Status.ServiceName = service
		if err := index.Add(pa); err != nil {
			t.Fatal(err)
		}
	}
	asked := ""
	w := KnativeWaker{Autoscalers: palisters.NewPodAutoscalerLister(index), Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r.Method + " " + r.URL.String() + " " + r.Header.Get("Knative-Serving-Namespace") + "/" + r.Header.Get("Knative-Serving-Revision")
		if _, limited := r.Context().Deadline(); !limited {
			return nil, errors.New("no time limit")
		}
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
	})}
	for name, want := range map[string]string{
		"qwen-00001":  "GET http://qwen-00001.team.svc.cluster.local:80/health team/qwen-00001",
		"young-00001": "", "none": "",
	} {
		asked = ""
		if err := w.Wake(t.Context(), collector.Key{Namespace: "team", Name: name}); (err == nil) != (want != "") || asked != want {
			t.Errorf("%s: asked %q, %v; want %q", name, asked, err, want)
		}
	}
}
